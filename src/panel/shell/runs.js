// The runs that there were, the newest first, asked for again and again.

import { Away, Refusal, read } from "../common/api.js";
import { away, onBack } from "../common/connection.js";
import { tellFault } from "../common/notices.js";

const POLL_MS = 1000;
const RUNS_MAX = 50;

export class Runs {
  /** @type {Api.Run[]} */
  all = [];
  /** When `all` was told, by the page's own clock. */
  at = 0;
  #listeners = /** @type {Set<() => void>} */ (new Set());
  #timer = 0;
  #asking = /** @type {Promise<void>|null} */ (null);

  /** Calls back after each answer. @param {() => void} listener */
  onChange(listener) {
    this.#listeners.add(listener);
  }

  /** The last run, if there was one. @returns {Api.Run|null} */
  get newest() {
    return this.all[0] ?? null;
  }

  /** The run of this id. @param {string|null} id @returns {Api.Run|null} */
  find(id) {
    return this.all.find((run) => run.run_id === id) ?? null;
  }

  /** Begins to ask. */
  begin() {
    onBack(() => void this.refresh());
    document.addEventListener("visibilitychange", () => document.hidden || void this.refresh());
    void this.refresh();
  }

  /** Whether there are no others than those. */
  get areAll() {
    return this.all.length < RUNS_MAX;
  }

  /** Asks now. */
  refresh() {
    clearTimeout(this.#timer);
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null;
      if (!document.hidden && !away()) this.#timer = setTimeout(() => void this.refresh(), POLL_MS);
    });
    return this.#asking;
  }

  async #ask() {
    try {
      const { runs } = await read(`runs?limit=${RUNS_MAX}`);
      this.all = runs;
      this.at = performance.now();
      for (const listener of this.#listeners) listener();
    } catch (error) {
      if (error instanceof Refusal) tellFault(error.message);
      else if (!(error instanceof Away)) throw error;
    }
  }
}

/**
 * How a run is, in a word or two, and how that looks.
 * @param {Api.Run} run
 * @returns {[words: string, look: string]}
 */
export function outcome(run) {
  if (run.status === "running") return ["running", "good"];
  if (run.ended_by === "timeout") return ["timed out", "warn"];
  if (run.status === "killed") return [run.signal ? `killed, ${run.signal}` : "killed", "warn"];
  return [`exited ${run.exit_code}`, run.exit_code === 0 ? "idle" : "bad"];
}
