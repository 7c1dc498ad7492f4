// The last lines that match a search.

const MATCHES_MAX = 5000;

export class Matches {
  /** Number of matches, including ones no longer kept. */
  found = 0;
  prompt = "";
  marks = /** @type {Map<number, string>} */ (new Map());
  #lines = /** @type {import("./lines.js").Line[]} */ ([]);

  get size() {
    return this.#lines.length;
  }

  /** Number of matching lines. */
  get total() {
    return this.found;
  }

  /** @param {number} index @returns {import("./lines.js").Line|null} */
  at(index) {
    return this.#lines[index] ?? null;
  }

  /** Returns the row of a line, or -1. @param {number} n */
  rowOf(n) {
    return this.#lines.findIndex((line) => line.n === n);
  }

  /** @param {import("./lines.js").Line} line */
  put(line) {
    this.#lines.push(line);
    this.found += 1;
    if (this.#lines.length > MATCHES_MAX) this.#lines.splice(0, MATCHES_MAX / 5);
  }

  /** All rows are loaded. */
  need() {}

  /** Marks are not shown among matches. */
  mark() {}

  /** Missing lines cannot match. */
  miss() {}
}

/**
 * Finds all occurrences of a text in another, ignoring case: [begin, end] each.
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

/** Converts to lower case and keeps offsets: some characters would become two. @param {string} text */
function inLowerCase(text) {
  const lower = text.toLowerCase();
  if (lower.length === text.length) return lower;
  const one = (/** @type {string} */ character) => {
    const changed = character.toLowerCase();
    return changed.length === character.length ? changed : character;
  };
  return Array.from(text, one).join("");
}

/** Returns a regular expression that finds a text literally, ignoring case. @param {string} text */
export function pattern(text) {
  return `(?i)${text.replace(/[\\.+*?()|[\]{}^$#&~-]/g, "\\$&")}`;
}
