// The lines of a log that a search has found: the last of them.

const MATCHES_MAX = 5000;

export class Matches {
  /** How many were found, those that were forgotten included. */
  found = 0;
  prompt = "";
  marks = /** @type {Map<number, string>} */ (new Map());
  #lines = /** @type {import("./lines.js").Line[]} */ ([]);

  get size() {
    return this.#lines.length;
  }

  /** How many lines were found. */
  get total() {
    return this.found;
  }

  /** @param {number} index @returns {import("./lines.js").Line|null} */
  at(index) {
    return this.#lines[index] ?? null;
  }

  /** The row of a line, or -1. @param {number} n */
  rowOf(n) {
    return this.#lines.findIndex((line) => line.n === n);
  }

  /** @param {import("./lines.js").Line} line */
  put(line) {
    this.#lines.push(line);
    this.found += 1;
    if (this.#lines.length > MATCHES_MAX) this.#lines.splice(0, MATCHES_MAX / 5);
  }

  /** All of them are here. */
  need() {}

  /** What is between lines is not shown. */
  mark() {}

  /** What is missing was not found either. */
  miss() {}
}

/**
 * Where a text has another one in it, in any case: [begin, end] each.
 * @param {string} text
 * @param {string} sought in lower case
 */
export function places(text, sought) {
  /** @type {[number, number][]} */
  const found = [];
  if (sought === "") return found;
  const lower = inLowerCase(text);
  for (let at = lower.indexOf(sought); at >= 0; at = lower.indexOf(sought, at + sought.length)) {
    found.push([at, at + sought.length]);
  }
  return found;
}

/** A text in lower case, each character where it was: some become two. @param {string} text */
function inLowerCase(text) {
  const lower = text.toLowerCase();
  if (lower.length === text.length) return lower;
  const one = (/** @type {string} */ character) => {
    const changed = character.toLowerCase();
    return changed.length === character.length ? changed : character;
  };
  return Array.from(text, one).join("");
}

/** The regular expression that finds a text as it stands, in any case. @param {string} text */
export function pattern(text) {
  return `(?i)${text.replace(/[\\.+*?()|[\]{}^$#&~-]/g, "\\$&")}`;
}
