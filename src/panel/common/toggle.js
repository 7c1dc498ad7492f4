// A toggle button whose state is stored as a preference.

import { el, setAttribute } from "./dom.js";
import { keep, load } from "./prefs.js";

/**
 * Creates the button.
 * @param {string} label
 * @param {string} name of the preference
 * @param {(isOn: boolean) => void} onSet called immediately and at each change
 */
export function makeToggle(label, name, onSet) {
  const button = el("button.small", { type: "button" }, label);
  /** @param {boolean} isOn */
  const set = (isOn) => {
    setAttribute(button, "aria-pressed", String(isOn));
    onSet(isOn);
  };
  button.addEventListener("click", () => {
    const isOn = button.getAttribute("aria-pressed") !== "true";
    keep(name, isOn);
    set(isOn);
  });
  set(load(name, false));
  return button;
}
