// Lines of a log by number; only recently used ones are kept.

import { request } from "./api.js";

const CHUNK_LINES = 500;
const CHUNKS_MAX = 24;

/**
 * A line of a log.
 * @typedef {{n: number, at: string|null, text: string}} Line
 */

/**
 * The model of a list of lines: `Lines`, or `Matches`.
 * @typedef {object} Model
 * @property {number} size number of rows
 * @property {number} total number of lines
 * @property {string} prompt
 * @property {Map<number, string>} marks
 * @property {(index: number) => Line|null} at
 * @property {(n: number) => number} rowOf
 * @property {(from: number, until: number) => void} need
 * @property {(line: Line) => void} put
 * @property {(text: string) => void} mark
 * @property {() => void} miss
 */

export class Lines {
  /** Number of lines. */
  total = 0;
  /** Number of the first line that is still kept. */
  oldest = 1;
  /** The unfinished last line: a prompt. */
  prompt = "";
  /** Texts to show before a line, by its number. */
  marks = /** @type {Map<number, string>} */ (new Map());
  #chunks = /** @type {Map<number, Line[]>} */ (new Map());
  #loading = /** @type {Set<number>} */ (new Set());
  #path;
  #changed;

  /**
   * @param {string} path of the log
   * @param {() => void} changed called when lines were loaded
   */
  constructor(path, changed) {
    this.#path = path;
    this.#changed = changed;
  }

  /** Number of rows: the lines, and one for a prompt or a mark after the last line. */
  get size() {
    return this.total + (this.prompt || this.marks.has(this.total + 1) ? 1 : 0);
  }

  /**
   * Returns the line of a row, from 0; null if it is not loaded.
   * @param {number} index
   * @returns {Line|null}
   */
  at(index) {
    const n = index + 1;
    if (n > this.total) return { n: 0, at: null, text: this.prompt };
    if (n < this.oldest) return { n, at: null, text: "(this line is no longer kept)" };
    return this.#chunks.get(chunkOf(n))?.[(n - 1) % CHUNK_LINES] ?? null;
  }

  /** Returns the row of a line. @param {number} n */
  rowOf(n) {
    return n - 1;
  }

  /** Adds a text before the next line. @param {string} text */
  mark(text) {
    const n = this.total + 1;
    const before = this.marks.get(n);
    this.marks.set(n, before && before !== text ? `${before}\n${text}` : text);
  }

  /** Notes that lines are missing before the next one. */
  miss() {
    this.oldest = Math.max(this.oldest, this.total + 1);
  }

  /** Adds a line from the stream. @param {Line} line */
  put(line) {
    this.#place(line);
    this.total = Math.max(this.total, line.n);
  }

  /**
   * Loads these rows, as far as they are missing.
   * @param {number} from
   * @param {number} until
   */
  need(from, until) {
    const last = Math.min(until, this.total);
    for (let chunk = chunkOf(from + 1); chunk * CHUNK_LINES < last; chunk += 1) {
      this.#touch(chunk);
      const end = Math.min(last, (chunk + 1) * CHUNK_LINES);
      const missing = this.#firstMissing(Math.max(from, chunk * CHUNK_LINES), end);
      if (missing < end) void this.#load(chunk);
    }
  }

  /** Returns the first row that is not loaded. @param {number} from @param {number} until */
  #firstMissing(from, until) {
    let index = Math.max(from, this.oldest - 1);
    while (index < until && this.at(index) !== null) index += 1;
    return index;
  }

  /** @param {number} chunk */
  async #load(chunk) {
    if (this.#loading.has(chunk)) return;
    this.#loading.add(chunk);
    let hasNew = false;
    try {
      hasNew = await this.#fetch(chunk);
    } catch {
      // The banner shows an unreachable server; dropped lines stay empty.
    }
    this.#loading.delete(chunk);
    // Redrawing without new lines would request the same ones again at once.
    if (hasNew) this.#changed();
  }

  /**
   * Fetches the lines of a chunk from the first missing one. Returns whether any arrived.
   * @param {number} chunk
   */
  async #fetch(chunk) {
    const end = Math.min((chunk + 1) * CHUNK_LINES, this.total);
    const after = this.#firstMissing(chunk * CHUNK_LINES, end);
    if (after >= end) return false;
    const separator = this.#path.includes("?") ? "&" : "?";
    const answer = await request(`${this.#path}${separator}after=${after}&limit=${end - after}&format=ndjson`);
    const entries = (await answer.text()).split("\n").filter((line) => line !== "");
    let hasNew = false;
    entries.forEach((entry, place) => {
      /** @type {Api.LogEntry} */
      const { n, timestamp, line } = JSON.parse(entry);
      // The answer skips lines that were dropped from the log since.
      if (place === 0 && n > after + 1) this.oldest = Math.max(this.oldest, n);
      hasNew ||= n > after;
      this.#place({ n, at: timestamp, text: line });
    });
    return hasNew;
  }

  /** @param {Line} line */
  #place(line) {
    const chunk = chunkOf(line.n);
    let lines = this.#chunks.get(chunk);
    if (!lines) {
      lines = [];
      this.#chunks.set(chunk, lines);
      this.#evict();
    }
    lines[(line.n - 1) % CHUNK_LINES] = line;
  }

  /** @param {number} chunk */
  #touch(chunk) {
    const lines = this.#chunks.get(chunk);
    if (!lines) return;
    this.#chunks.delete(chunk);
    this.#chunks.set(chunk, lines);
  }

  /** Evicts the least recently used chunks. */
  #evict() {
    for (const oldest of this.#chunks.keys()) {
      if (this.#chunks.size <= CHUNKS_MAX) return;
      this.#chunks.delete(oldest);
    }
  }
}

/** @param {number} n */
function chunkOf(n) {
  return Math.floor((n - 1) / CHUNK_LINES);
}
