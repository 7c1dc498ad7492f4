// Shows the API of the server that this page came from, with the session of its panel.
const withSession = (request) => {
  const token = localStorage.getItem("llm-shell.session");
  if (token !== null) request.headers.Authorization ??= `Bearer ${token}`;
  return request;
};
window.addEventListener("DOMContentLoaded", () => {
  window.SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#page",
    deepLinking: true,
    displayRequestDuration: true,
    requestInterceptor: withSession,
    // The validator is a server of a third party.
    validatorUrl: null,
  });
});
