// A row that shows a line of a log.

import { el, setText } from "./dom.js";
import { parseAnsi } from "./ansi.js";
import { count, timeOfDay } from "./format.js";
import { places } from "./matches.js";

/** The most of a line that is shown, in characters. */
const SHOWN_MAX = 4000;

/** A reusable row that shows a line. */
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
   * Shows a line; null means that it is being loaded.
   * @param {import("./lines.js").Line|null} line
   * @param {string} sought text to mark in it, in lower case
   * @param {string|undefined} mark text to show before it
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

  /** Number of the line shown. */
  get lineNumber() {
    return this.#line?.n ?? 0;
  }
}

/** @param {string} line @param {string} sought */
function content(line, sought) {
  const pieces = parseAnsi(line);
  const text = pieces.map((piece) => piece.text).join("");
  const hits = places(text, sought);
  const end = cutAt(text, SHOWN_MAX);
  /** @type {(Node|string)[]} */
  const nodes = [];
  let at = 0;
  for (const piece of pieces) {
    if (at >= end) break;
    nodes.push(...styled({ ...piece, text: piece.text.slice(0, end - at) }, at, hits));
    at += piece.text.length;
  }
  if (end < text.length) {
    nodes.push(el("span.log-cut", {}, ` … ${count(text.length - end)} more characters: download the log`));
  }
  return nodes;
}

/**
 * Returns where to cut a text to at most `max` code units, without splitting a surrogate pair.
 * @param {string} text
 * @param {number} max
 */
function cutAt(text, max) {
  const isHalf = /[\ud800-\udbff]/.test(text.charAt(max - 1));
  return Math.min(text.length, isHalf ? max - 1 : max);
}

/**
 * Returns a piece as nodes, with matches in `mark` elements.
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
