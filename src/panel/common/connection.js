// Connection state: shows a banner while the server is unreachable, and retries until it is back.

import { byId, el, setBusy, setText } from "./dom.js";

/** Buttons that send a request. */
const REQUESTING = "[data-asks]";

const WAITS_SECONDS = [1, 2, 3, 5, 5];
const WAIT_MAX_SECONDS = 10;
const ANSWER_MS = 5000;

/** @type {Set<() => void>} */
const listeners = new Set();
let isOffline = false;
let retryNow = () => {};

/** Whether the last request failed to reach the server. */
export const offline = () => isOffline;

/**
 * Calls back each time the server becomes reachable again.
 * @param {() => void} listener
 * @returns {() => unknown} removes the listener
 */
export function onBack(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Waits until the server is reachable. @returns {Promise<void>} */
export function whenBack() {
  if (!isOffline) return Promise.resolve();
  return new Promise((resolve) => {
    const end = onBack(() => {
      end();
      resolve();
    });
  });
}

/** Reports that the server could not be reached, and starts to retry. */
export function connectionLost() {
  if (isOffline) return;
  show(true);
  void reconnect();
}

/**
 * Marks the page as stale while the server is unreachable.
 * @param {boolean} offline
 */
function show(offline) {
  isOffline = offline;
  document.documentElement.classList.toggle("is-away", offline);
  for (const button of document.querySelectorAll(REQUESTING)) setBusy(button, offline);
}

// Also blocks buttons that were created meanwhile.
document.addEventListener("click", (event) => {
  if (!isOffline || !(event.target instanceof Element) || !event.target.closest(REQUESTING)) return;
  event.preventDefault();
  event.stopPropagation();
}, true);

/** Retries until the server answers, with any status. */
async function reconnect() {
  const banner = byId("banner");
  const seconds = el("span", { "aria-live": "off" });
  const button = el("button", { type: "button", on: { click: () => retryNow() } }, "Try now");
  banner.replaceChildren(el("p", {}, "The server is unreachable, trying again ", seconds), button);
  banner.hidden = false;
  for (let attempt = 0; ; attempt += 1) {
    await countDown(WAITS_SECONDS[attempt] ?? WAIT_MAX_SECONDS, seconds);
    setText(seconds, "now");
    if (await answers()) break;
  }
  show(false);
  banner.hidden = true;
  banner.replaceChildren();
  for (const listener of [...listeners]) listener();
}

async function answers() {
  try {
    await fetch("health", { signal: AbortSignal.timeout(ANSWER_MS) });
    return true;
  } catch {
    return false;
  }
}

/**
 * Waits `from` seconds, or until the user clicks "Try now".
 * @param {number} from
 * @param {HTMLElement} shown
 * @returns {Promise<void>}
 */
function countDown(from, shown) {
  return new Promise((resolve) => {
    let left = from;
    setText(shown, `in ${left} s`);
    const timer = setInterval(() => {
      left -= 1;
      if (left > 0) setText(shown, `in ${left} s`);
      else retryNow();
    }, 1000);
    retryNow = () => {
      clearInterval(timer);
      resolve();
    };
  });
}
