// Login form: exchanges the token, or the user and the password, for a session.

import { detail } from "./api.js";
import { el } from "./dom.js";
import { keepSession } from "./session.js";

/** @type {Promise<void>|null} */
let pending = null;

/** Shows the form until the login succeeds; concurrent calls share one form. */
export function logIn() {
  pending ??= showForm().finally(() => {
    pending = null;
  });
  return pending;
}

/** @returns {Promise<void>} */
function showForm() {
  /** @param {string} label @param {Record<string, string>} attributes */
  const field = (label, attributes) => {
    const input = el("input", { autocapitalize: "off", spellcheck: "false", ...attributes });
    return { input, row: el("label.field", {}, el("span", {}, label), input) };
  };
  const token = field("Token", { type: "password", name: "token", autocomplete: "current-password" });
  const user = field("User", { type: "text", name: "user", autocomplete: "username" });
  const password = field("Password", { type: "password", name: "password", autocomplete: "off" });
  const error = el("p.fault-text", { role: "alert" });
  const button = el("button.primary", { type: "submit" }, "Log in");
  const form = el("form.login", {},
    el("h2", { id: "login-title" }, "Log in"),
    el("p.muted", {}, "This server needs its token, or a user and a password."),
    token.row, el("p.or", {}, "or"), user.row, password.row, error,
    el("div.dialog-buttons", {}, button));
  const dialog = el("dialog", { "aria-labelledby": "login-title" }, form);
  // The page cannot be used without a session.
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const body = token.input.value
        ? { token: token.input.value }
        : { user: user.input.value, password: password.input.value };
      error.textContent = "";
      const message = await send(body);
      if (message) {
        error.textContent = message;
        token.input.focus();
        return;
      }
      dialog.close();
      dialog.remove();
      resolve();
    });
  });
}

/**
 * Logs in. Returns null on success, otherwise an error message.
 * @param {{token: string}|{user: string, password: string}} body
 */
async function send(body) {
  try {
    const answer = await fetch("login", { method: "POST", body: JSON.stringify(body) });
    if (answer.ok) {
      keepSession((await answer.json()).token);
      return null;
    }
    if (answer.status === 401) return "Wrong credentials: see LLM_SHELL_TOKEN or LLM_SHELL_BASIC_AUTH of the server.";
    return detail(answer);
  } catch {
    return "The server is unreachable: try again when it is back.";
  }
}
