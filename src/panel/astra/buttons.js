// Buttons for actions on one service, which show an action in progress.

import { el, isBusy, setAttribute, setBusy, setText } from "../common/dom.js";
import { LABELS, IN_PROGRESS, isDown } from "./states.js";

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

  /** Updates the buttons. */
  update() {
    const state = this.#services.all.get(this.#name)?.status ?? "stopped";
    const inProgress = this.#services.verbInProgress(this.#name);
    for (const { verb, button } of this.#buttons) {
      showVerb(button, verb, inProgress, this.#name);
      setBusy(button, inProgress === verb || !fits(verb, state, inProgress));
    }
  }
}

/**
 * Whether the server accepts a verb in this state.
 * @param {Api.Verb} verb
 * @param {Api.ServiceState} state
 * @param {Api.Verb|null} inProgress the verb in progress
 */
function fits(verb, state, inProgress) {
  switch (verb) {
    case "start": return isDown(state) || state === "backoff";
    case "stop": return !isDown(state);
    default: return inProgress !== "stop" && inProgress !== "restart";
  }
}

/** Creates a button that does nothing while it is busy. @param {() => void} act */
export function verbButton(act) {
  const button = el("button.small", { type: "button", "data-asks": true, "data-needs": "operate" });
  button.addEventListener("click", () => {
    if (!isBusy(button)) act();
  });
  return button;
}

/**
 * Sets the label of a button: its verb, or that it is in progress.
 * @param {HTMLElement} button
 * @param {Api.Verb} verb
 * @param {Api.Verb|null} inProgress the verb in progress
 * @param {string} name of the service
 */
export function showVerb(button, verb, inProgress, name) {
  const text = inProgress === verb ? IN_PROGRESS[verb] : LABELS[verb];
  setText(button, text);
  setAttribute(button, "data-verb", verb);
  setAttribute(button, "aria-label", `${text} ${name}`);
}
