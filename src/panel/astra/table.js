// The table of services: sorted, filtered, selected.

import { afterPaint, byId, el, setAttribute, setText } from "../common/dom.js";
import { plural } from "../common/format.js";
import { keep, load } from "../common/prefs.js";
import { ServiceRow } from "./row.js";
import { isDown, hasFailed } from "./states.js";

/** The most rows created at once; the others follow after the next paint. */
const NEW_ROWS_MAX = 30;

/** @typedef {(a: Api.Service, b: Api.Service) => number} Order */

/** @param {(it: Api.Service) => number} get @returns {Order} */
const number = (get) => (a, b) => get(b) - get(a);
const HEALTHS = ["unhealthy", "unknown", "healthy"];
const STATES = ["fatal", "crashed", "backoff", "restarting", "stopping", "starting", "running", "exited", "stopped"];

/**
 * Sort order of each column; a second click reverses it.
 * @type {Record<string, [label: string, order: Order|null]>}
 */
const COLUMNS = {
  service: ["Service", null],
  state: ["State", (a, b) => STATES.indexOf(a.status) - STATES.indexOf(b.status)],
  health: ["Health", (a, b) => HEALTHS.indexOf(a.health) - HEALTHS.indexOf(b.health)],
  uptime: ["Uptime", number((it) => it.uptime)],
  cpu: ["CPU", number((it) => it.cpu_percent)],
  memory: ["Memory", number((it) => it.memory_mb)],
  restarts: ["Restarts", number((it) => it.restart_count)],
  port: ["Port", (a, b) => (a.port ?? 1e6) - (b.port ?? 1e6)],
  next: ["Next restart", (a, b) => nextRestart(a) - nextRestart(b)],
};

/** @type {Record<string, (it: Api.Service) => boolean>} */
const SHOWN = {
  all: () => true,
  running: (it) => it.status === "running",
  down: (it) => isDown(it.status),
  troubled: hasFailed,
};

export class Table {
  selected = /** @type {Set<string>} */ (new Set());
  #services;
  #actions;
  #rows = /** @type {Map<string, ServiceRow>} */ (new Map());
  #heads = /** @type {Map<string, HTMLElement>} */ (new Map());
  #sort = load("sort", { column: "service", turned: false });
  #open = /** @type {string|null} */ (null);
  #filter = /** @type {HTMLInputElement} */ (byId("filter"));
  #shown = /** @type {HTMLSelectElement} */ (byId("shown"));
  #found = byId("found");
  #body = el("tbody", { role: "rowgroup" });
  #all = el("input", { type: "checkbox", "aria-label": "Select all that are shown" });
  #onSelect;
  #watch = new IntersectionObserver((seen) => this.#see(seen));

  /**
   * @param {import("./services.js").Services} services
   * @param {import("./actions.js").Actions} actions
   * @param {() => void} onSelect called when the selection has changed
   */
  constructor(services, actions, onSelect) {
    this.#services = services;
    this.#actions = actions;
    this.#onSelect = onSelect;
    const table = el("table", { role: "table", "aria-label": "Services" },
      el("thead", { role: "rowgroup" }, this.#head()), this.#body);
    byId("table").replaceChildren(table);
    this.#filter.addEventListener("input", () => this.update());
    this.#shown.addEventListener("change", () => this.update());
    this.#all.addEventListener("change", () => this.#selectShown(this.#all.checked));
    this.#body.addEventListener("change", (event) => this.#picked(event));
    services.onChange(() => this.update());
    setInterval(() => this.#tick(), 1000);
  }

  /** Shows the current state. */
  update() {
    const names = this.#sorted();
    const rows = this.#rows.size + NEW_ROWS_MAX;
    this.#place(names.slice(0, rows));
    if (names.length > rows) afterPaint(() => this.update());
    const shown = this.#shownNames();
    for (const name of this.selected) if (!this.#services.all.has(name)) this.selected.delete(name);
    for (const [name, row] of this.#rows) {
      row.element.hidden = !shown.has(name);
      row.setSelected(this.selected.has(name));
      row.update();
    }
    this.#showFound(shown.size);
    this.#all.checked = shown.size > 0 && [...shown].every((name) => this.selected.has(name));
    this.#onSelect();
  }

  /** Marks the service whose detail is open. @param {string|null} name */
  setOpen(name) {
    if (this.#open !== null) this.#rows.get(this.#open)?.setOpen(false);
    this.#open = name;
    if (name !== null) this.#rows.get(name)?.setOpen(true);
  }

  /** Focuses a service. @param {string} name */
  focus(name) {
    this.#rows.get(name)?.link.focus();
  }

  #head() {
    const heads = Object.entries(COLUMNS).map(([column, [label]]) => {
      const button = el("button.plain", { type: "button" }, label);
      button.addEventListener("click", () => this.#sortBy(column));
      const head = el(`th.${column}`, { role: "columnheader", scope: "col" }, button);
      this.#heads.set(column, head);
      return head;
    });
    const actions = el("th.actions", { role: "columnheader", scope: "col", "data-needs": "operate" }, el("span", {}, "Actions"));
    const pick = el("th.pick", { role: "columnheader", scope: "col", "data-needs": "operate" }, this.#all);
    this.#showSort();
    return el("tr", { role: "row" }, pick, ...heads, actions);
  }

  /** @param {string} column */
  #sortBy(column) {
    this.#sort = { column, turned: this.#sort.column === column && !this.#sort.turned };
    keep("sort", this.#sort);
    this.#showSort();
    this.update();
  }

  #showSort() {
    const { column, turned } = this.#sort;
    for (const [name, head] of this.#heads) {
      setAttribute(head, "aria-sort", name !== column ? null : turned ? "descending" : "ascending");
    }
  }

  #sorted() {
    const { column, turned } = this.#sort;
    const by = COLUMNS[column]?.[1];
    const { all } = this.#services;
    const sorted = [...all].sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
    if (by) sorted.sort(([, a], [, b]) => by(a, b));
    const names = sorted.map(([name]) => name);
    return turned ? names.reverse() : names;
  }

  /** Puts the rows into this order, creating new ones. @param {string[]} names */
  #place(names) {
    for (const [name, row] of this.#rows) {
      if (this.#services.all.has(name)) continue;
      this.#watch.unobserve(row.element);
      row.element.remove();
      this.#rows.delete(name);
    }
    let before = this.#body.firstElementChild;
    for (const name of names) {
      const { element } = this.#rows.get(name) ?? this.#make(name);
      if (element === before) before = element.nextElementSibling;
      else this.#body.insertBefore(element, before);
    }
  }

  /** @param {string} name */
  #make(name) {
    const row = new ServiceRow(name, this.#services, this.#actions);
    this.#rows.set(name, row);
    this.#watch.observe(row.element);
    row.setOpen(name === this.#open);
    return row;
  }

  /** @param {IntersectionObserverEntry[]} seen */
  #see(seen) {
    for (const { target, isIntersecting } of seen) {
      const row = this.#rowOf(target);
      if (!row) continue;
      row.isSeen = isIntersecting;
      if (isIntersecting) row.drawSparks();
    }
  }

  /** Returns the row that contains an element. @param {EventTarget|null} target */
  #rowOf(target) {
    const row = target instanceof Element ? target.closest("tr") : null;
    return this.#rows.get(row?.dataset.service ?? "");
  }

  #shownNames() {
    const sought = this.#filter.value.trim().toLowerCase();
    const may = SHOWN[this.#shown.value] ?? (() => true);
    const names = [...this.#services.all].filter(([name, it]) => may(it) && (sought === "" ||
      [name, it.status, it.health, String(it.port ?? ""), it.message].some((part) => part.toLowerCase().includes(sought))));
    return new Set(names.map(([name]) => name));
  }

  /** @param {number} shown */
  #showFound(shown) {
    const { size } = this.#services.all;
    const empty = size === 0 ? "There are no services: add some to the services file and reload it." : "No service matches.";
    setText(this.#found, shown === 0 ? empty : shown === size ? plural(size, "service") : `${shown} of ${plural(size, "service")}`);
  }

  /** @param {boolean} isOn */
  #selectShown(isOn) {
    for (const name of this.#shownNames()) {
      if (isOn) this.selected.add(name);
      else this.selected.delete(name);
    }
    this.update();
  }

  /** @param {Event} event */
  #picked(event) {
    const row = this.#rowOf(event.target);
    if (!row) return;
    if (row.check.checked) this.selected.add(row.name);
    else this.selected.delete(row.name);
    this.update();
  }

  #tick() {
    if (document.hidden) return;
    for (const row of this.#rows.values()) if (row.isSeen) row.tick();
  }
}

/** @param {Api.Service} service */
function nextRestart({ next_restart_at: at }) {
  return at === null ? Number.MAX_SAFE_INTEGER : Date.parse(at);
}
