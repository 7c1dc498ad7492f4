// Shows the API of the server that this page came from.
window.addEventListener("DOMContentLoaded", () => {
  window.SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#page",
    deepLinking: true,
    displayRequestDuration: true,
    // The validator is somebody else's server.
    validatorUrl: null,
  });
});
