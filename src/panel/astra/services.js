// The state of all services: polled, and updated by events.

import { ApiError, Unreachable, read } from "../common/api.js";
import { offline, onBack, whenBack } from "../common/connection.js";
import { showError } from "../common/notices.js";
import { Series } from "../common/spark.js";
import { readEvents } from "../common/sse.js";
import { isDown, isSettled } from "./states.js";

const POLL_MS = 2000;
/** Delay between an event and the next poll. */
const SOON_MS = 60;
/** How long a tab may be hidden before its event stream is closed. */
const HIDDEN_MS = 20_000;
/** How long a button shows a verb in progress if the service does not change. */
const PENDING_MS = 90_000;

/**
 * @typedef {Pick<Api.Service, "status"|"health"|"message">} News the data of an event
 * @typedef {{verb: Api.Verb, before: string, isAccepted: boolean, until: number}} Pending
 */

/** The verb in progress in a state. @type {Partial<Record<Api.ServiceState, Api.Verb>>} */
const VERB_OF_STATE = { starting: "start", stopping: "stop", restarting: "restart" };

export class Services {
  all = /** @type {Map<string, Api.Service>} */ (new Map());
  system = { total_services: 0, running_services: 0, total_memory_mb: 0, total_cpu_percent: 0 };
  /** The last five minutes of all services together. */
  cpu = new Series();
  memory = new Series();
  /** When `all` was read, by the page's own clock. */
  at = 0;
  #histories = /** @type {Map<string, {cpu: Series, memory: Series}>} */ (new Map());
  #pending = /** @type {Map<string, Pending>} */ (new Map());
  #listeners = /** @type {Set<() => void>} */ (new Set());
  #timer = 0;
  #refreshing = /** @type {Promise<void>|null} */ (null);
  /** Events received during a poll, which may be newer than its answer. */
  #newer = /** @type {Map<string, News>} */ (new Map());
  #isStale = false;
  #lastId = /** @type {string|undefined} */ (undefined);
  #abort = new AbortController();

  /** Calls back after each change. @param {() => void} listener */
  onChange(listener) {
    this.#listeners.add(listener);
  }

  /** Starts polling and listening. */
  start() {
    onBack(() => void this.refresh());
    document.addEventListener("visibilitychange", () => this.#shownOrHidden());
    void this.refresh();
    void this.#listen();
  }

  /** Returns the last five minutes of a service. @param {string} name */
  history(name) {
    let history = this.#histories.get(name);
    if (!history) {
      history = { cpu: new Series(), memory: new Series() };
      this.#histories.set(name, history);
    }
    return history;
  }

  /** Returns the verb in progress at a service. @param {string} name @returns {Api.Verb|null} */
  verbInProgress(name) {
    const pending = this.#pending.get(name);
    if (pending) return pending.verb;
    const state = this.all.get(name)?.status;
    return (state && VERB_OF_STATE[state]) ?? null;
  }

  /** Records that a verb was requested. @param {string} name @param {Api.Verb} verb */
  expect(name, verb) {
    const before = fingerprint(this.all.get(name));
    this.#pending.set(name, { verb, before, isAccepted: false, until: Date.now() + PENDING_MS });
    this.#notify();
  }

  /** Records that the server has accepted it. @param {string} name */
  accepted(name) {
    const pending = this.#pending.get(name);
    if (pending) pending.isAccepted = true;
  }

  /** Records that it failed. @param {string} name */
  forget(name) {
    this.#pending.delete(name);
    this.#notify();
  }

  /** Returns the services that depend on a service. @param {string} name */
  dependents(name) {
    return [...this.all].filter(([, it]) => it.depends_on.includes(name)).map(([other]) => other);
  }

  /** Reads the status of all services now. */
  refresh() {
    clearTimeout(this.#timer);
    this.#refreshing ??= this.#fetch().finally(() => {
      this.#refreshing = null;
      this.#later(this.#isStale ? SOON_MS : POLL_MS);
    });
    return this.#refreshing;
  }

  /** @param {number} milliseconds */
  #later(milliseconds) {
    clearTimeout(this.#timer);
    if (!document.hidden && !offline()) this.#timer = setTimeout(() => void this.refresh(), milliseconds);
  }

  async #fetch() {
    this.#newer.clear();
    this.#isStale = false;
    try {
      this.#take(await read("supervisor/status"));
    } catch (error) {
      if (error instanceof ApiError) showError(error.message);
      else if (!(error instanceof Unreachable)) throw error;
    }
  }

  /** @param {Api.SystemStatus} status */
  #take({ services, system }) {
    const now = Date.now();
    this.all = new Map(Object.entries(services));
    for (const [name, news] of this.#newer) this.#change(name, news);
    this.system = system;
    this.at = performance.now();
    this.cpu.add(now, system.total_cpu_percent);
    this.memory.add(now, system.total_memory_mb);
    for (const [name, service] of this.all) {
      const history = this.history(name);
      history.cpu.add(now, service.cpu_percent);
      history.memory.add(now, service.memory_mb);
    }
    for (const name of this.#histories.keys()) {
      if (!this.all.has(name)) this.#histories.delete(name);
    }
    this.#settle(now);
    this.#notify();
  }

  /** Forgets verbs that have completed. @param {number} now */
  #settle(now) {
    for (const [name, { verb, before, isAccepted, until }] of this.#pending) {
      const service = this.all.get(name);
      const isOver = !service || now > until || (isAccepted && isSettled(service.status) && (
        verb === "reload" || (verb === "stop" && isDown(service.status)) ||
        fingerprint(service) !== before));
      if (isOver) this.#pending.delete(name);
    }
  }

  #notify() {
    for (const listener of this.#listeners) listener();
  }

  async #listen() {
    for (;;) {
      this.#abort = new AbortController();
      try {
        await readEvents("supervisor/events", {
          signal: this.#abort.signal,
          lastId: this.#lastId,
          onOpen: () => this.#later(SOON_MS),
          onEvents: (events) => this.#handle(events),
        });
      } catch (error) {
        if (error instanceof ApiError) showError(error.message);
      }
      await whenBack();
      await shown();
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  /** @param {import("../common/sse.js").ServerEvent[]} events */
  #handle(events) {
    for (const { id, name, data } of events) {
      if (id) this.#lastId = id;
      if (name !== "state" && name !== "health") continue;
      /** @type {Api.ServiceEvent} */
      const { service, status, health, message } = JSON.parse(data);
      this.#newer.set(service, { status, health, message });
      this.#change(service, { status, health, message });
    }
    this.#isStale = true;
    this.#notify();
    if (!this.#refreshing) this.#later(SOON_MS);
  }

  /** @param {string} name @param {News} news */
  #change(name, news) {
    const known = this.all.get(name);
    if (known) this.all.set(name, { ...known, ...news });
  }

  #hideTimer = 0;

  #shownOrHidden() {
    clearTimeout(this.#hideTimer);
    if (document.hidden) this.#hideTimer = setTimeout(() => this.#abort.abort(), HIDDEN_MS);
    else void this.refresh();
  }
}

/** Returns a value that changes once a verb has taken effect. @param {Api.Service} [service] */
function fingerprint(service) {
  if (!service) return "";
  const { status, pid, restart_count, started_at, stopped_at } = service;
  return JSON.stringify([status, pid, restart_count, started_at, stopped_at]);
}

/** Waits until the tab is shown. @returns {Promise<void>} */
function shown() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    document.addEventListener("visibilitychange", () => resolve(), { once: true });
  });
}
