// What the client may do, by GET /whoami. Elements that need more than that are not shown: they
// have `data-needs`, and base.css hides them.

import { read } from "./api.js";
import { onSession } from "./session.js";

/** The scopes, each with those before it. @type {Api.Scope[]} */
const SCOPES = ["read", "operate", "run"];

/** @type {Set<() => void>} */
const listeners = new Set();

/** Until the server has answered, everything is shown: it refuses what may not be done. */
let granted = /** @type {Api.Scope} */ ("run");

/** Whether the client may do what needs a scope. @param {Api.Scope} needed */
export const may = (needed) => SCOPES.indexOf(granted) >= SCOPES.indexOf(needed);

/** Calls back each time the scope changes. @param {() => void} listener */
export function onScope(listener) {
  listeners.add(listener);
}

/** Asks for the scope, now and for each new session. */
export function followScope() {
  onSession(() => void ask());
  void ask();
}

async function ask() {
  try {
    const { scope } = await read("whoami");
    if (scope === granted) return;
    granted = scope;
  } catch {
    // The server is unreachable, or refuses: so it will what the page asks for.
    return;
  }
  document.documentElement.dataset.scope = granted;
  for (const listener of listeners) listener();
}
