// All that the page knows of the services, asked for again and again and told as it changes.

import { Away, Refusal, read } from "../common/api.js";
import { away, onBack, whenBack } from "../common/connection.js";
import { tellFault } from "../common/notices.js";
import { Series } from "../common/spark.js";
import { readEvents } from "../common/sse.js";
import { isDown, isSettled } from "./states.js";

const POLL_MS = 2000;
/** How soon after an event everything is asked for again. */
const SOON_MS = 60;
/** How long a tab may be hidden until its event stream is given back to others. */
const HIDDEN_MS = 20_000;
/** How long a button reads that its verb lasts where nothing shows that it did anything. */
const PENDING_MS = 90_000;

/**
 * @typedef {Pick<Api.Service, "status"|"health"|"message">} News what an event tells
 * @typedef {{verb: Api.Verb, before: string, isAsked: boolean, until: number}} Pending
 */

/** The verb that a state shows to last. @type {Partial<Record<Api.ServiceState, Api.Verb>>} */
const UNDER_WAY = { starting: "start", stopping: "stop", restarting: "restart" };

export class Services {
  all = /** @type {Map<string, Api.Service>} */ (new Map());
  system = { total_services: 0, running_services: 0, total_memory_mb: 0, total_cpu_percent: 0 };
  /** The last five minutes of all together. */
  cpu = new Series();
  memory = new Series();
  /** When `all` was told, by the page's own clock. */
  at = 0;
  #histories = /** @type {Map<string, {cpu: Series, memory: Series}>} */ (new Map());
  #pending = /** @type {Map<string, Pending>} */ (new Map());
  #listeners = /** @type {Set<() => void>} */ (new Set());
  #timer = 0;
  #asking = /** @type {Promise<void>|null} */ (null);
  /** What was told while the answer was on its way, and may be newer than that. */
  #heard = /** @type {Map<string, News>} */ (new Map());
  #isStale = false;
  #lastId = /** @type {string|undefined} */ (undefined);
  #abort = new AbortController();

  /** Calls back after each change. @param {() => void} listener */
  onChange(listener) {
    this.#listeners.add(listener);
  }

  /** Begins to ask and to listen. */
  begin() {
    onBack(() => void this.refresh());
    document.addEventListener("visibilitychange", () => this.#shownOrHidden());
    void this.refresh();
    void this.#listen();
  }

  /** The last five minutes of one. @param {string} name */
  history(name) {
    let history = this.#histories.get(name);
    if (!history) {
      history = { cpu: new Series(), memory: new Series() };
      this.#histories.set(name, history);
    }
    return history;
  }

  /** The verb that lasts at a service, if one does. @param {string} name @returns {Api.Verb|null} */
  lasting(name) {
    const pending = this.#pending.get(name);
    if (pending) return pending.verb;
    const state = this.all.get(name)?.status;
    return (state && UNDER_WAY[state]) ?? null;
  }

  /** Notes that a verb lasts from now on. @param {string} name @param {Api.Verb} verb */
  expect(name, verb) {
    const before = fingerprint(this.all.get(name));
    this.#pending.set(name, { verb, before, isAsked: false, until: Date.now() + PENDING_MS });
    this.#tell();
  }

  /** Notes that the server has taken it. @param {string} name */
  asked(name) {
    const pending = this.#pending.get(name);
    if (pending) pending.isAsked = true;
  }

  /** Notes that it was refused. @param {string} name */
  forget(name) {
    this.#pending.delete(name);
    this.#tell();
  }

  /** Those that depend on a service. @param {string} name */
  dependents(name) {
    return [...this.all].filter(([, it]) => it.depends_on.includes(name)).map(([other]) => other);
  }

  /** Asks for everything now. */
  refresh() {
    clearTimeout(this.#timer);
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null;
      this.#later(this.#isStale ? SOON_MS : POLL_MS);
    });
    return this.#asking;
  }

  /** @param {number} milliseconds */
  #later(milliseconds) {
    clearTimeout(this.#timer);
    if (!document.hidden && !away()) this.#timer = setTimeout(() => void this.refresh(), milliseconds);
  }

  async #ask() {
    this.#heard.clear();
    this.#isStale = false;
    try {
      this.#take(await read("supervisor/status"));
    } catch (error) {
      if (error instanceof Refusal) tellFault(error.message);
      else if (!(error instanceof Away)) throw error;
    }
  }

  /** @param {Api.SystemStatus} status */
  #take({ services, system }) {
    const now = Date.now();
    this.all = new Map(Object.entries(services));
    for (const [name, news] of this.#heard) this.#change(name, news);
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
    this.#tell();
  }

  /** Forgets the verbs that have come to their end. @param {number} now */
  #settle(now) {
    for (const [name, { verb, before, isAsked, until }] of this.#pending) {
      const service = this.all.get(name);
      const isOver = !service || now > until || (isAsked && isSettled(service.status) && (
        verb === "reload" || (verb === "stop" && isDown(service.status)) ||
        fingerprint(service) !== before));
      if (isOver) this.#pending.delete(name);
    }
  }

  #tell() {
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
          onEvents: (events) => this.#hear(events),
        });
      } catch (error) {
        if (error instanceof Refusal) tellFault(error.message);
      }
      await whenBack();
      await shown();
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  /** @param {import("../common/sse.js").ServerEvent[]} events */
  #hear(events) {
    for (const { id, name, data } of events) {
      if (id) this.#lastId = id;
      if (name !== "state" && name !== "health") continue;
      /** @type {Api.ServiceEvent} */
      const { service, status, health, message } = JSON.parse(data);
      this.#heard.set(service, { status, health, message });
      this.#change(service, { status, health, message });
    }
    this.#isStale = true;
    this.#tell();
    if (!this.#asking) this.#later(SOON_MS);
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

/** What differs once something was done to a service. @param {Api.Service} [service] */
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
