// The button that ends the session.

import { request } from "./api.js";
import { byId } from "./dom.js";
import { showError } from "./notices.js";
import { keepSession, onSession, sessionToken } from "./session.js";

/** Shows the button while there is a session. */
export function showLogOut() {
  const button = byId("log-out");
  const update = () => {
    button.hidden = sessionToken() === null;
  };
  button.addEventListener("click", () => void logOut());
  onSession(update);
  update();
}

async function logOut() {
  try {
    await request("logout", { method: "POST" });
  } catch (error) {
    // The session is still valid on the server, so it must not be forgotten here.
    showError(error.message);
    return;
  }
  keepSession(null);
  location.reload();
}
