// The session of this page: a token that the server gave for its credentials. It is kept in the
// storage of this origin, so that no other port of the host gets it, as it would get a cookie.

const KEY = "llm-shell.session";

/** Where the browser keeps nothing, the session lasts as long as the page. */
let kept = /** @type {string|null} */ (null);

/** @type {Set<() => void>} */
const listeners = new Set();

/** The token, or null where there is no session. */
export function sessionToken() {
  try {
    return localStorage.getItem(KEY) ?? kept;
  } catch {
    return kept;
  }
}

/**
 * Remembers a session, or forgets it.
 * @param {string|null} token
 */
export function keepSession(token) {
  kept = token;
  try {
    if (token === null) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, token);
  } catch {
    // Then `kept` is all there is.
  }
  for (const listener of listeners) listener();
}

/**
 * Calls back each time that a session begins or ends.
 * @param {() => void} listener
 */
export function onSession(listener) {
  listeners.add(listener);
}
