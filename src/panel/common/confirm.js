// A dialog that asks for confirmation before something is ended.

import { el } from "./dom.js";

/**
 * Asks, and returns whether the user confirmed.
 * @param {{title: string, text: string, action: string, more?: HTMLElement|undefined}} question
 *   the title names the action and its target
 * @returns {Promise<boolean>}
 */
export function confirm({ title, text, action, more }) {
  const yes = el("button.danger", { type: "button" }, action);
  const no = el("button", { type: "button" }, "Cancel");
  const dialog = el("dialog", { "aria-labelledby": "confirm-title", "aria-describedby": "confirm-text" },
    el("h2", { id: "confirm-title" }, title),
    el("p", { id: "confirm-text" }, text),
    more,
    el("div.dialog-buttons", {}, no, yes));
  document.body.append(dialog);
  dialog.showModal();
  no.focus();
  return new Promise((resolve) => {
    yes.addEventListener("click", () => dialog.close("yes"));
    no.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes");
      dialog.remove();
    });
  });
}
