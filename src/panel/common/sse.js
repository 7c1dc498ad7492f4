// Reads an event stream at the pace of the page: what it has no time for waits in the network.

import { request } from "./api.js";

/** How long one frame may be spent on events, in milliseconds. */
const FRAME_MS = 6;

/** A chunk of this size means that there was more than the page had time for. */
const FULL_CHUNK_BYTES = 32 * 1024;

/**
 * @typedef {{id: string|null, name: string, data: string}} ServerEvent
 */

/**
 * Reads a stream to its end. Gives whether it came to one by itself, with `event: end`.
 * @param {string} path
 * @param {object} options
 * @param {AbortSignal} options.signal
 * @param {(events: ServerEvent[]) => void} options.onEvents
 * @param {() => void} [options.onOpen] called when the server has answered
 * @param {() => boolean} [options.onFlood] called while more comes than is read; true: give it up
 * @param {string|undefined} [options.lastId] the event to go on behind
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

/** Waits for the next frame; in a tab that is hidden, until it is shown. */
export function nextFrame() {
  return new Promise((resolve) => requestAnimationFrame(resolve));
}

/** Turns bytes into events. */
export class Parser {
  #decoder = new TextDecoder();
  #rest = "";
  #id = /** @type {string|null} */ (null);
  #name = "";
  #data = /** @type {string|null} */ (null);
  hasEnded = false;

  /**
   * The events that are complete with these bytes.
   * @param {Uint8Array} bytes
   * @returns {ServerEvent[]}
   */
  take(bytes) {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split("\n");
    this.#rest = lines.pop() ?? "";
    /** @type {ServerEvent[]} */
    const events = [];
    for (const line of lines) {
      if (line === "") this.#finish(events);
      else this.#field(line);
    }
    return events;
  }

  /** @param {string} line */
  #field(line) {
    if (line.startsWith("data: ")) {
      const data = line.slice(6);
      this.#data = this.#data === null ? data : `${this.#data}\n${data}`;
    } else if (line.startsWith("id: ")) {
      this.#id = line.slice(4);
    } else if (line.startsWith("event: ")) {
      this.#name = line.slice(7);
    }
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
