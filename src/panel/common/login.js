// Asks for the token, or the user and the password, and gives them for a session.

import { detail } from "./api.js";
import { el } from "./dom.js";
import { keepSession } from "./session.js";

/** @type {Promise<void>|null} */
let asking = null;

/** Shows the form, once however many ask, until the server knows what was given. */
export function logIn() {
  asking ??= ask().finally(() => {
    asking = null;
  });
  return asking;
}

/** @returns {Promise<void>} */
function ask() {
  /** @param {string} label @param {Record<string, string>} attributes */
  const field = (label, attributes) => {
    const input = el("input", { autocapitalize: "off", spellcheck: "false", ...attributes });
    return { input, row: el("label.field", {}, el("span", {}, label), input) };
  };
  const token = field("Token", { type: "password", name: "token", autocomplete: "current-password" });
  const user = field("User", { type: "text", name: "user", autocomplete: "username" });
  const word = field("Password", { type: "password", name: "password", autocomplete: "off" });
  const fault = el("p.fault-text", { role: "alert" });
  const button = el("button.primary", { type: "submit" }, "Log in");
  const form = el("form.login", {},
    el("h2", { id: "login-title" }, "Log in"),
    el("p.muted", {}, "This server asks for its token, or for a user and a password."),
    token.row, el("p.or", {}, "or"), user.row, word.row, fault,
    el("div.dialog-buttons", {}, button));
  const dialog = el("dialog", { "aria-labelledby": "login-title" }, form);
  // There is nothing behind it that could be used without.
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const body = token.input.value
        ? { token: token.input.value }
        : { user: user.input.value, password: word.input.value };
      fault.textContent = "";
      const refused = await send(body);
      if (refused) {
        fault.textContent = refused;
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
 * Gives null when it was right, and what to do otherwise.
 * @param {{token: string}|{user: string, password: string}} body
 */
async function send(body) {
  try {
    const answer = await fetch("login", { method: "POST", body: JSON.stringify(body) });
    if (answer.ok) {
      keepSession((await answer.json()).token);
      return null;
    }
    if (answer.status === 401) return "These are not the right ones: see LLM_SHELL_TOKEN or LLM_SHELL_BASIC_AUTH of the server.";
    return detail(answer);
  } catch {
    return "The server is away: try again when it is back.";
  }
}
