// One line of a log as a row of the page.

import { el, setText } from "./dom.js";
import { parseAnsi } from "./ansi.js";
import { count, timeOfDay } from "./format.js";

/** How much of a line is shown, in characters. */
const SHOWN_MAX = 4000;

/** A row that shows one line after another. */
export class Row {
  #number = el("span.log-number");
  #time = el("span.log-time");
  #text = el("span.log-text");
  #line = /** @type {import("./lines.js").Line|null|undefined} */ (undefined);
  #sought = "";
  #mark = /** @type {string|undefined} */ (undefined);

  constructor() {
    this.element = el("div.log-row", {}, this.#number, this.#time, this.#text);
  }

  /**
   * Shows a line; null shows that it is on its way.
   * @param {import("./lines.js").Line|null} line
   * @param {string} sought what is to be marked in it, in lower case
   * @param {string|undefined} mark what is said before it
   */
  show(line, sought, mark) {
    if (line === this.#line && sought === this.#sought && mark === this.#mark && line !== null) return;
    [this.#line, this.#sought, this.#mark] = [line, sought, mark];
    setText(this.#number, line?.n ? String(line.n) : "");
    setText(this.#time, line?.at ? timeOfDay(line.at) : "");
    if (mark === undefined) delete this.element.dataset.mark;
    else this.element.dataset.mark = mark;
    this.element.classList.toggle("is-prompt", line?.n === 0 && line.text !== "");
    this.#text.replaceChildren(...(line === null ? ["…"] : content(line.text, sought)));
  }

  /** The number of the line that is shown. */
  get lineNumber() {
    return this.#line?.n ?? 0;
  }
}

/** @param {string} text @param {string} sought */
function content(text, sought) {
  const shown = text.length > SHOWN_MAX ? text.slice(0, SHOWN_MAX) : text;
  const pieces = parseAnsi(shown);
  const plain = pieces.map((piece) => piece.text).join("");
  /** @type {(Node|string)[]} */
  const nodes = [];
  const hits = sought ? places(plain.toLowerCase(), sought) : [];
  let at = 0;
  for (const piece of pieces) {
    nodes.push(...styled(piece, at, hits));
    at += piece.text.length;
  }
  if (text.length > SHOWN_MAX) {
    nodes.push(el("span.log-cut", {}, ` … ${count(text.length - SHOWN_MAX)} more characters: download the log`));
  }
  return nodes;
}

/**
 * Where a text has another one in it: [begin, end] each.
 * @param {string} text
 * @param {string} sought
 */
function places(text, sought) {
  /** @type {[number, number][]} */
  const found = [];
  for (let at = text.indexOf(sought); at >= 0; at = text.indexOf(sought, at + sought.length)) {
    found.push([at, at + sought.length]);
  }
  return found;
}

/**
 * A piece as nodes; what was sought is in marks.
 * @param {import("./ansi.js").Piece} piece
 * @param {number} offset where it begins in the line
 * @param {[number, number][]} hits
 */
function styled(piece, offset, hits) {
  /** @type {(Node|string)[]} */
  const nodes = [];
  let from = 0;
  for (const [begin, end] of hits) {
    const [first, last] = [Math.max(begin - offset, from), Math.min(end - offset, piece.text.length)];
    if (first >= last) continue;
    if (first > from) nodes.push(piece.text.slice(from, first));
    nodes.push(el("mark", {}, piece.text.slice(first, last)));
    from = last;
  }
  if (from < piece.text.length) nodes.push(piece.text.slice(from));
  if (!piece.classes && !piece.fg && !piece.bg) return nodes;
  const span = el("span", { class: piece.classes || null }, ...nodes);
  if (piece.fg) span.style.setProperty("color", piece.fg);
  if (piece.bg) span.style.setProperty("background-color", piece.bg);
  return [span];
}
