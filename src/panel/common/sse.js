// Reads an event stream with backpressure: unread data stays in the network buffers.

import { request } from "./api.js";

/** The most time per frame spent on events, in milliseconds. */
const FRAME_MS = 6;

/** A chunk of this size means that data arrives faster than it is read. */
const FULL_CHUNK_BYTES = 32 * 1024;

/**
 * @typedef {{id: string|null, name: string, data: string}} ServerEvent
 */

/**
 * Reads a stream to its end. Returns `ended` if it ended with `event: end`.
 * @param {string} path
 * @param {object} options
 * @param {AbortSignal} options.signal
 * @param {(events: ServerEvent[]) => void} options.onEvents
 * @param {() => void} [options.onOpen] called when the server has answered
 * @param {() => boolean} [options.onFlood] called while data arrives faster than it is read; returns true to give up
 * @param {string|undefined} [options.lastId] id of the event to resume after
 * @returns {Promise<"ended"|"broken"|"flooded">}
 */
export async function readEvents(path, options) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "text/event-stream" };
  if (options.lastId) headers["Last-Event-ID"] = options.lastId;
  const answer = await request(path, { headers, signal: options.signal });
  if (answer.status === 204 || answer.body === null) return "ended";
  options.onOpen?.();
  const reader = answer.body.getReader();
  const parser = new Parser();
  let began = performance.now();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return parser.hasEnded ? "ended" : "broken";
      const events = parser.take(value);
      if (events.length > 0) options.onEvents(events);
      if (performance.now() - began > FRAME_MS) {
        if (value.length >= FULL_CHUNK_BYTES && options.onFlood?.()) return "flooded";
        await nextFrame();
        began = performance.now();
      }
    }
  } catch (error) {
    if (options.signal.aborted) throw error;
    return "broken";
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Waits for the next frame; in a hidden tab, until it is shown. */
export function nextFrame() {
  return new Promise((resolve) => requestAnimationFrame(resolve));
}

/** A parser of event streams. */
export class Parser {
  #decoder = new TextDecoder();
  #rest = "";
  #endedWithReturn = false;
  #id = /** @type {string|null} */ (null);
  #name = "";
  #data = /** @type {string|null} */ (null);
  hasEnded = false;

  /**
   * Returns the events that these bytes complete.
   * @param {Uint8Array} bytes
   * @returns {ServerEvent[]}
   */
  take(bytes) {
    /** @type {ServerEvent[]} */
    const events = [];
    let text = this.#decoder.decode(bytes, { stream: true });
    if (text === "") return events;
    // Second half of CR LF.
    if (this.#endedWithReturn && text.startsWith("\n")) text = text.slice(1);
    this.#endedWithReturn = text.endsWith("\r");
    const lines = text.includes("\r") ? text.split(/\r\n|\r|\n/) : text.split("\n");
    lines[0] = this.#rest + lines[0];
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") this.#finish(events);
      else this.#field(line);
    }
    return events;
  }

  /** @param {string} line */
  #field(line) {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (name === "data") this.#data = this.#data === null ? value : `${this.#data}\n${value}`;
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    else if (name === "event") this.#name = value;
  }

  /** @param {ServerEvent[]} events */
  #finish(events) {
    if (this.#data !== null) {
      this.hasEnded ||= this.#name === "end";
      events.push({ id: this.#id, name: this.#name || "message", data: this.#data });
    }
    this.#id = null;
    this.#name = "";
    this.#data = null;
  }
}
