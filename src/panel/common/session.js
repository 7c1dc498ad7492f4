// The session of this page: a token from POST /login. It is kept in the local storage of this
// origin: unlike a cookie, it is not sent to other ports of the host.

const KEY = "llm-shell.session";

/** Without storage, the session lasts as long as the page. */
let kept = /** @type {string|null} */ (null);

/** @type {Set<() => void>} */
const listeners = new Set();

/** Returns the token, or null if there is no session. */
export function sessionToken() {
  try {
    return localStorage.getItem(KEY) ?? kept;
  } catch {
    return kept;
  }
}

/**
 * Stores a session, or removes it.
 * @param {string|null} token
 */
export function keepSession(token) {
  kept = token;
  try {
    if (token === null) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, token);
  } catch {
    // Without storage, only `kept` holds it.
  }
  for (const listener of listeners) listener();
}

/**
 * Calls back each time a session starts or ends.
 * @param {() => void} listener
 */
export function onSession(listener) {
  listeners.add(listener);
}
