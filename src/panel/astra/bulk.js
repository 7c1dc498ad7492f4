// What can be done to all services that are selected.

import { byId, el, setText } from "../common/dom.js";
import { plural } from "../common/format.js";
import { LABELS, VERBS } from "./states.js";

/**
 * Makes the bar; gives what shows how many are selected.
 * @param {import("./actions.js").Actions} actions
 * @param {() => Set<string>} selected
 * @param {() => void} onClear
 */
export function makeBulk(actions, selected, onClear) {
  const bar = byId("bulk");
  const told = el("strong");
  const buttons = VERBS.map((verb) => {
    const act = () => void actions.several(verb, [...selected()]);
    return el("button.small", { type: "button", "data-bulk": verb, "data-asks": true, on: { click: act } }, `${LABELS[verb]} selected`);
  });
  const clear = el("button.plain.small", { type: "button", on: { click: onClear } }, "Clear selection");
  bar.replaceChildren(told, ...buttons, clear);
  return () => {
    const { size } = selected();
    bar.hidden = size === 0;
    setText(told, `${plural(size, "service")} selected`);
  };
}
