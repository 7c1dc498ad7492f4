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

/** The regular expression that finds a text as it stands, in any case. @param {string} text */
export function pattern(text) {
  return `(?i)${text.replace(/[\\.+*?()|[\]{}^$#&~-]/g, "\\$&")}`;
}
