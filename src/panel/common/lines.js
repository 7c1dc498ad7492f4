// The lines of a log by their numbers, of which only those are kept that were looked at lately.

import { request } from "./api.js";

const CHUNK_LINES = 500;
const CHUNKS_MAX = 24;

/**
 * A line.
 * @typedef {{n: number, at: string|null, text: string}} Line
 */

/**
 * What a list of lines is drawn from: `Lines`, or `Matches`.
 * @typedef {object} Model
 * @property {number} size how many rows there are
 * @property {number} total how many lines there are
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
  /** How many lines there are. */
  total = 0;
  /** The first that there still is; older ones may have been dropped. */
  oldest = 1;
  /** The last line where it has not ended: a prompt. */
  prompt = "";
  /** What is to be said before a line, by its number. */
  marks = /** @type {Map<number, string>} */ (new Map());
  #chunks = /** @type {Map<number, Line[]>} */ (new Map());
  #loading = /** @type {Set<number>} */ (new Set());
  #path;
  #changed;

  /**
   * @param {string} path of the log
   * @param {() => void} changed called when lines have come
   */
  constructor(path, changed) {
    this.#path = path;
    this.#changed = changed;
  }

  /** How many rows there are to show: the lines, and one for what is behind the last of them. */
  get size() {
    return this.total + (this.prompt || this.marks.has(this.total + 1) ? 1 : 0);
  }

  /**
   * The line of a row, from 0; null while it is not here.
   * @param {number} index
   * @returns {Line|null}
   */
  at(index) {
    const n = index + 1;
    if (n > this.total) return { n: 0, at: null, text: this.prompt };
    if (n < this.oldest) return { n, at: null, text: "(this line is no longer kept)" };
    return this.#chunks.get(chunkOf(n))?.[(n - 1) % CHUNK_LINES] ?? null;
  }

  /** The row of a line. @param {number} n */
  rowOf(n) {
    return n - 1;
  }

  /** Says something before the next line. @param {string} text */
  mark(text) {
    const n = this.total + 1;
    const before = this.marks.get(n);
    this.marks.set(n, before && before !== text ? `${before}\n${text}` : text);
  }

  /** Notes that lines are missing before the next one. */
  miss() {
    this.oldest = Math.max(this.oldest, this.total + 1);
  }

  /** Takes a line that the stream brought. @param {Line} line */
  put(line) {
    this.#place(line);
    this.total = Math.max(this.total, line.n);
  }

  /**
   * Has these rows be fetched, as far as they are missing.
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

  /** The first row that is not here. @param {number} from @param {number} until */
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
      // Who is away is said elsewhere; what is gone stays empty.
    }
    this.#loading.delete(chunk);
    // To draw again without it would ask for the same again, without a pause.
    if (hasNew) this.#changed();
  }

  /**
   * Fetches the lines of a chunk from the first that is missing. Gives whether any came.
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
      // What was dropped from the log since is passed over by the answer.
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
      this.#forget();
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

  /** Forgets what was looked at the longest ago. */
  #forget() {
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
