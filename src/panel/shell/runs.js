// The runs, newest first, polled from the server.

import { ApiError, Unreachable, read } from "../common/api.js";
import { offline, onBack } from "../common/connection.js";
import { showError } from "../common/notices.js";

const POLL_MS = 1000;
const RUNS_MAX = 50;

export class Runs {
  /** @type {Api.Run[]} */
  all = [];
  /** When `all` was read, by the page's own clock. */
  at = 0;
  #listeners = /** @type {Set<() => void>} */ (new Set());
  #timer = 0;
  #refreshing = /** @type {Promise<void>|null} */ (null);

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

  /** Starts polling. */
  start() {
    onBack(() => void this.refresh());
    document.addEventListener("visibilitychange", () => document.hidden || void this.refresh());
    void this.refresh();
  }

  /** Whether `all` has all runs of the server. */
  get areAll() {
    return this.all.length < RUNS_MAX;
  }

  /** Reads the runs now. */
  refresh() {
    clearTimeout(this.#timer);
    this.#refreshing ??= this.#fetch().finally(() => {
      this.#refreshing = null;
      if (!document.hidden && !offline()) this.#timer = setTimeout(() => void this.refresh(), POLL_MS);
    });
    return this.#refreshing;
  }

  async #fetch() {
    try {
      const { runs } = await read(`runs?limit=${RUNS_MAX}`);
      this.all = runs;
      this.at = performance.now();
      for (const listener of this.#listeners) listener();
    } catch (error) {
      if (error instanceof ApiError) showError(error.message);
      else if (!(error instanceof Unreachable)) throw error;
    }
  }
}

/**
 * Returns a label for the state of a run, and its style.
 * @param {Api.Run} run
 * @returns {[label: string, style: string]}
 */
export function outcome(run) {
  if (run.status === "running") return ["running", "good"];
  if (run.ended_by === "timeout") return ["timed out", "warn"];
  if (run.status === "killed") return [run.signal ? `killed, ${run.signal}` : "killed", "warn"];
  return [`exited ${run.exit_code}`, run.exit_code === 0 ? "idle" : "bad"];
}
