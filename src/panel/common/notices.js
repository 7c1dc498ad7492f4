// Short messages in the corner: errors and confirmations.

import { byId, el } from "./dom.js";

const SHOWN_MAX = 4;
const DONE_MS = 6000;

/**
 * Shows an error. It stays until it is dismissed.
 * @param {string} text one sentence
 */
export function showError(text) {
  show(text, "fault");
}

/**
 * Shows a confirmation. It disappears by itself.
 * @param {string} text one sentence
 */
export function showDone(text) {
  const notice = show(text, "done");
  setTimeout(() => notice.remove(), DONE_MS);
}

/** @param {string} text @param {"fault"|"done"} kind */
function show(text, kind) {
  const place = byId("notices");
  for (const shown of [...place.children]) {
    if (shown instanceof HTMLElement && shown.dataset.text === text) shown.remove();
  }
  while (place.children.length >= SHOWN_MAX) place.firstElementChild?.remove();
  const notice = el("div.notice", { class: `notice ${kind}`, role: kind === "fault" ? "alert" : "status" });
  notice.dataset.text = text;
  const close = () => notice.remove();
  notice.append(
    el("p", {}, text),
    el("button.plain", { type: "button", "aria-label": "Dismiss", on: { click: close } }, "✕"),
  );
  place.append(notice);
  return notice;
}
