// Whether the server is there: says so while it is away, and finds out when it is back.

import { byId, el, setBusy, setText } from "./dom.js";

/** The buttons that ask the server for something. */
const ASKING = "[data-asks]";

const WAITS_SECONDS = [1, 2, 3, 5, 5];
const WAIT_MAX_SECONDS = 10;
const ANSWER_MS = 5000;

/** @type {Set<() => void>} */
const listeners = new Set();
let isAway = false;
let hurry = () => {};

/** Whether the server was away when it was asked last. */
export const away = () => isAway;

/**
 * Calls back each time that the server is there again.
 * @param {() => void} listener
 * @returns {() => unknown} what ends that
 */
export function onBack(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Waits until the server is there. @returns {Promise<void>} */
export function whenBack() {
  if (!isAway) return Promise.resolve();
  return new Promise((resolve) => {
    const end = onBack(() => {
      end();
      resolve();
    });
  });
}

/** Says that the server could not be reached, and begins to look for it. */
export function lost() {
  if (isAway) return;
  show(true);
  void look();
}

/**
 * Has the page look as what it shows is: as it was, where the server is away.
 * @param {boolean} away
 */
function show(away) {
  isAway = away;
  document.documentElement.classList.toggle("is-away", away);
  for (const button of document.querySelectorAll(ASKING)) setBusy(button, away);
}

// Also of those that were made meanwhile.
document.addEventListener("click", (event) => {
  if (!isAway || !(event.target instanceof Element) || !event.target.closest(ASKING)) return;
  event.preventDefault();
  event.stopPropagation();
}, true);

/** Looks until the server answers, whatever it answers. */
async function look() {
  const banner = byId("banner");
  const seconds = el("span", { "aria-live": "off" });
  const button = el("button", { type: "button", on: { click: () => hurry() } }, "Try now");
  banner.replaceChildren(el("p", {}, "The server is away, trying again ", seconds), button);
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
 * Waits so many seconds, or until somebody is in a hurry.
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
      else hurry();
    }, 1000);
    hurry = () => {
      clearInterval(timer);
      resolve();
    };
  });
}
