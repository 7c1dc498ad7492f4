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

/** @typedef {{status: string, pid: number|null, uptime: number, port: number|null,
 *   cpu_percent: number, memory_mb: number, restart_count: number, health: string,
 *   optional: boolean, next_restart_at: string|null, depends_on: string[], message: string,
 *   started_at: string|null, stopped_at: string|null}} Service */

export class Services {
  /** @type {Map<string, Service>} */
  all = new Map();
  system = { total_services: 0, running_services: 0, total_memory_mb: 0, total_cpu_percent: 0 };
  /** The last five minutes of all together. */
  cpu = new Series();
  memory = new Series();
  /** When `all` was told, by the page's own clock. */
  at = 0;
  #histories = new Map();
  #pending = new Map();
  #listeners = new Set();
  #timer = 0;
  #asking = null;
  /** What was told while the answer was on its way, and may be newer than that. */
  #heard = new Map();
  #isStale = false;
  #lastId = undefined;
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

  /** The verb that lasts at a service, if one does. @param {string} name */
  lasting(name) {
    const pending = this.#pending.get(name);
    if (pending) return pending.verb;
    const state = this.all.get(name)?.status;
    return { starting: "start", stopping: "stop", restarting: "restart" }[state] ?? null;
  }

  /** Notes that a verb lasts from now on. @param {string} name @param {string} verb */
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

  /** Forgets the verbs that have come to their end. */
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

  #hear(events) {
    for (const { id, name, data } of events) {
      if (id) this.#lastId = id;
      const { service, status, health, message } = JSON.parse(data);
      if (name !== "state" && name !== "health") continue;
      this.#heard.set(service, { status, health, message });
      this.#change(service, { status, health, message });
    }
    this.#isStale = true;
    this.#tell();
    if (!this.#asking) this.#later(SOON_MS);
  }

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

/** What differs once something was done to a service. */
function fingerprint(service) {
  if (!service) return "";
  const { status, pid, restart_count, started_at, stopped_at } = service;
  return JSON.stringify([status, pid, restart_count, started_at, stopped_at]);
}

/** Waits until the tab is shown. */
function shown() {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => {
    document.addEventListener("visibilitychange", () => resolve(), { once: true });
  });
}
