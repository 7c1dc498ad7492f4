// The form that starts a command.

import { post } from "../common/api.js";
import { byId, isBusy, setBusy, setText } from "../common/dom.js";
import { keep, load } from "../common/prefs.js";
import { ROWS } from "./run.js";

/**
 * Sets up the form.
 * @param {() => number} columns width of the terminal
 * @param {() => void} onStart called when a command was started
 * @returns {(run: {command: string, cwd: string, pty: boolean}) => void} fills the form
 */
export function makeStart(columns, onStart) {
  const form = /** @type {HTMLFormElement} */ (byId("start"));
  const { command, cwd, env, terminal, input, timeout } = fields(form);
  const button = byId("start-button");
  const error = byId("start-fault");
  terminal.checked = load("terminal", true);
  const follow = () => {
    input.disabled = terminal.checked;
  };
  terminal.addEventListener("change", () => {
    keep("terminal", terminal.checked);
    follow();
  });
  follow();
  command.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (isBusy(button)) return;
    setText(error, "");
    setBusy(button, true);
    setText(button, "Starting...");
    try {
      await post("start", request());
      onStart();
    } catch (failure) {
      setText(error, failure.message);
      command.focus();
    }
    setBusy(button, false);
    setText(button, "Start");
  });

  function request() {
    /** @type {Api.StartRequest} */
    const body = { command: command.value };
    if (cwd.value.trim()) body.cwd = cwd.value.trim();
    if (env.value.trim()) body.env = environment(env.value);
    if (terminal.checked) body.pty = { rows: ROWS, cols: columns() };
    else if (input.checked) body.stdin = true;
    if (timeout.value) body.timeout = Number(timeout.value);
    return body;
  }

  return (run) => {
    command.value = run.command;
    cwd.value = run.cwd;
    terminal.checked = run.pty;
    follow();
    command.focus();
  };
}

/**
 * Returns the fields of the form, by name.
 * @param {HTMLFormElement} form
 * @returns {{command: HTMLTextAreaElement, cwd: HTMLInputElement, env: HTMLTextAreaElement,
 *   terminal: HTMLInputElement, input: HTMLInputElement, timeout: HTMLInputElement}}
 */
function fields(form) {
  return /** @type {any} */ (form.elements);
}

/** Parses lines of `NAME=value` and `unset NAME`. @param {string} text */
function environment(text) {
  /** @type {Record<string, string|null>} */
  const variables = {};
  for (const line of text.split("\n").filter((it) => it.trim() !== "")) {
    const removed = line.match(/^\s*unset\s+(\S+)\s*$/);
    const at = line.indexOf("=");
    if (removed?.[1]) variables[removed[1]] = null;
    else if (at > 0) variables[line.slice(0, at).trim()] = line.slice(at + 1);
    else throw new Error(`invalid line in the environment: "${line.trim()}"; write NAME=value or unset NAME`);
  }
  return variables;
}
