// The bar with actions on all selected services.

import { byId, el, setText } from "../common/dom.js";
import { plural } from "../common/format.js";
import { LABELS, VERBS } from "./states.js";

/**
 * Creates the bar; returns a function that updates it.
 * @param {import("./actions.js").Actions} actions
 * @param {() => Set<string>} selected
 * @param {() => void} onClear
 */
export function makeBulk(actions, selected, onClear) {
  const bar = byId("bulk");
  const label = el("strong");
  const buttons = VERBS.map((verb) => {
    const act = () => void actions.several(verb, [...selected()]);
    return el("button.small", { type: "button", "data-bulk": verb, "data-asks": true, on: { click: act } }, `${LABELS[verb]} selected`);
  });
  const clear = el("button.plain.small", { type: "button", on: { click: onClear } }, "Clear selection");
  bar.replaceChildren(label, ...buttons, clear);
  return () => {
    const { size } = selected();
    bar.hidden = size === 0;
    setText(label, `${plural(size, "service")} selected`);
  };
}
