// Short messages in the corner: what was refused and what to do, or what was done.

import { byId, el } from "./dom.js";

const SHOWN_MAX = 4;
const DONE_MS = 6000;

/**
 * Tells of something that did not go as asked. It stays until it is dismissed.
 * @param {string} text one sentence
 */
export function tellFault(text) {
  show(text, "fault");
}

/**
 * Tells of something that was done. It goes by itself.
 * @param {string} text one sentence
 */
export function tellDone(text) {
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
