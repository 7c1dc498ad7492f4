// Buttons that do something to one service and read so while it lasts.

import { el, isBusy, setAttribute, setBusy, setText } from "../common/dom.js";
import { LABELS, LASTING, isDown } from "./states.js";

/** The verbs in the order of their buttons. @type {Api.Verb[]} */
const SHOWN = ["restart", "stop", "start", "reload"];

/** The buttons of one service. */
export class VerbButtons {
  #name;
  #services;
  #buttons;

  /**
   * @param {string} name of the service
   * @param {import("./services.js").Services} services
   * @param {import("./actions.js").Actions} actions
   */
  constructor(name, services, actions) {
    this.#name = name;
    this.#services = services;
    this.#buttons = SHOWN.map((verb) => ({ verb, button: verbButton(() => void actions.one(verb, name)) }));
    this.elements = this.#buttons.map(({ button }) => button);
    this.update();
  }

  /** Has the buttons read what holds now. */
  update() {
    const state = this.#services.all.get(this.#name)?.status ?? "stopped";
    const lasting = this.#services.lasting(this.#name);
    for (const { verb, button } of this.#buttons) {
      showVerb(button, verb, lasting, this.#name);
      setBusy(button, lasting === verb || !fits(verb, state, lasting));
    }
  }
}

/**
 * Whether the server would take a verb in this state.
 * @param {Api.Verb} verb
 * @param {Api.ServiceState} state
 * @param {Api.Verb|null} lasting the verb that lasts
 */
function fits(verb, state, lasting) {
  switch (verb) {
    case "start": return isDown(state) || state === "backoff";
    case "stop": return !isDown(state);
    default: return lasting !== "stop" && lasting !== "restart";
  }
}

/** A button that does nothing while it is busy. @param {() => void} act */
export function verbButton(act) {
  const button = el("button.small", { type: "button", "data-asks": true });
  button.addEventListener("click", () => {
    if (!isBusy(button)) act();
  });
  return button;
}

/**
 * Has a button read its verb, or that it lasts.
 * @param {HTMLElement} button
 * @param {Api.Verb} verb
 * @param {Api.Verb|null} lasting the verb that lasts
 * @param {string} name of the service
 */
export function showVerb(button, verb, lasting, name) {
  const text = lasting === verb ? LASTING[verb] : LABELS[verb];
  setText(button, text);
  setAttribute(button, "data-verb", verb);
  setAttribute(button, "aria-label", `${text} ${name}`);
}
