// A form for a command's input and signals.

import { confirm } from "./confirm.js";
import { el } from "./dom.js";
import { showDone, showError } from "./notices.js";

const SIGNALS = ["INT", "TERM", "HUP", "QUIT", "USR1", "USR2", "STOP", "CONT", "KILL"];
/** Signals that end a process by default. */
const ENDING = ["TERM", "QUIT", "KILL", "HUP"];

/**
 * @typedef {object} InputOptions
 * @property {boolean} canType whether stdin is open
 * @property {boolean} isTerminal whether stdin is a terminal, which handles ^C itself
 * @property {(type: string) => Promise<unknown>} signal sends a signal
 * @property {(data: string, eof: boolean) => Promise<unknown>} type writes to stdin
 * @property {string} what name of the command or service
 */

/**
 * Creates the form.
 * @param {InputOptions} options
 */
export function makeInput({ canType, isTerminal, signal, type, what }) {
  /** @param {() => Promise<unknown>} act */
  const run = async (act) => {
    try {
      await act();
      return true;
    } catch (error) {
      showError(error.message);
      return false;
    }
  };
  const interrupt = () => run(() => (isTerminal && canType ? type("\u0003", false) : signal("INT")));
  const kind = el("select", { "aria-label": "Signal" }, ...SIGNALS.map((name) => el("option", { value: name }, `SIG${name}`)));
  const send = async () => {
    const name = kind.value;
    const question = { title: `Send SIG${name} to ${what}?`, text: "This may end it and all processes that it started.", action: `Send SIG${name}` };
    if (ENDING.includes(name) && !(await confirm(question))) return;
    if (await run(() => signal(name))) showDone(`SIG${name} was sent to ${what}.`);
  };
  return el("div.talk", {},
    canType && line(type, run),
    el("div.row", {},
      shortcut("^C", " interrupts", interrupt),
      canType && shortcut("^D", " ends the input", () => run(() => type("", true))),
      kind, el("button.small", { type: "button", "data-asks": true, on: { click: send } }, "Send signal")));
}

/** @param {string} key @param {string} does @param {() => void} act */
function shortcut(key, does, act) {
  return el("button.small", { type: "button", "data-asks": true, on: { click: act } }, key, el("span.only-read", {}, does));
}

/**
 * @param {InputOptions["type"]} type
 * @param {(act: () => Promise<unknown>) => Promise<boolean>} run
 */
function line(type, run) {
  const input = el("input.mono", { type: "text", name: "stdin", "aria-label": "Line for its input", placeholder: "A line for its input", autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
  const form = el("form.row", {}, input, el("button.small", { type: "submit", "data-asks": true }, "Send line"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (await run(() => type(`${input.value}\n`, false))) input.value = "";
    input.focus();
  });
  return form;
}
