// The table of services: sorted, filtered, selected.

import { afterPaint, byId, el, setAttribute, setText } from "../common/dom.js";
import { plural } from "../common/format.js";
import { keep, load } from "../common/prefs.js";
import { ServiceRow } from "./row.js";
import { isDown, isTroubled } from "./states.js";

/** How many rows are made at once; the others follow behind the next paint. */
const NEW_ROWS_MAX = 30;

const text = (get) => (a, b) => get(a).localeCompare(get(b));
const number = (get) => (a, b) => get(b) - get(a);
const STATES = ["fatal", "crashed", "backoff", "restarting", "stopping", "starting", "running", "exited", "stopped"];

/** How each column is sorted; a second click turns it around. */
const COLUMNS = {
  service: ["Service", null],
  state: ["State", (a, b) => STATES.indexOf(a.status) - STATES.indexOf(b.status)],
  health: ["Health", text((it) => ({ unhealthy: "0", unknown: "1" }[it.health] ?? "2"))],
  uptime: ["Uptime", number((it) => it.uptime)],
  cpu: ["CPU", number((it) => it.cpu_percent)],
  memory: ["Memory", number((it) => it.memory_mb)],
  restarts: ["Restarts", number((it) => it.restart_count)],
  port: ["Port", (a, b) => (a.port ?? 1e6) - (b.port ?? 1e6)],
  next: ["Next restart", (a, b) => (Date.parse(a.next_restart_at) || 9e15) - (Date.parse(b.next_restart_at) || 9e15)],
};

const SHOWN = {
  all: () => true,
  running: (it) => it.status === "running",
  down: (it) => isDown(it.status),
  troubled: isTroubled,
};

export class Table {
  selected = new Set();
  #services;
  #actions;
  #rows = new Map();
  #heads = {};
  #sort = load("sort", { column: "service", turned: false });
  #open = null;
  #filter = byId("filter");
  #shown = byId("shown");
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

  /** Shows what is known now. */
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
    this.#tellFound(shown.size);
    this.#all.checked = shown.size > 0 && [...shown].every((name) => this.selected.has(name));
    this.#onSelect();
  }

  /** Marks the service whose detail is open. @param {string|null} name */
  setOpen(name) {
    this.#rows.get(this.#open)?.setOpen(false);
    this.#open = name;
    this.#rows.get(name)?.setOpen(true);
  }

  /** Puts the focus on a service. @param {string} name */
  focus(name) {
    this.#rows.get(name)?.link.focus();
  }

  #head() {
    const heads = Object.entries(COLUMNS).map(([column, [label]]) => {
      const button = el("button.plain", { type: "button" }, label);
      button.addEventListener("click", () => this.#sortBy(column));
      this.#heads[column] = el(`th.${column}`, { role: "columnheader", scope: "col" }, button);
      return this.#heads[column];
    });
    const actions = el("th.actions", { role: "columnheader", scope: "col" }, el("span", {}, "Actions"));
    const pick = el("th.pick", { role: "columnheader", scope: "col" }, this.#all);
    this.#showSort();
    return el("tr", { role: "row" }, pick, ...heads, actions);
  }

  #sortBy(column) {
    this.#sort = { column, turned: this.#sort.column === column && !this.#sort.turned };
    keep("sort", this.#sort);
    this.#showSort();
    this.update();
  }

  #showSort() {
    const { column, turned } = this.#sort;
    for (const [name, head] of Object.entries(this.#heads)) {
      setAttribute(head, "aria-sort", name !== column ? null : turned ? "descending" : "ascending");
    }
  }

  #sorted() {
    const { column, turned } = this.#sort;
    const by = COLUMNS[column]?.[1];
    const { all } = this.#services;
    const names = [...all.keys()].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
    if (by) names.sort((a, b) => by(all.get(a), all.get(b)));
    return turned ? names.reverse() : names;
  }

  /** Puts the rows into this order, making those that are new. */
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
      if (element === before) before = before.nextElementSibling;
      else this.#body.insertBefore(element, before);
    }
  }

  #make(name) {
    const row = new ServiceRow(name, this.#services, this.#actions);
    this.#rows.set(name, row);
    this.#watch.observe(row.element);
    row.setOpen(name === this.#open);
    return row;
  }

  #see(seen) {
    for (const { target, isIntersecting } of seen) {
      const row = this.#rows.get(target.dataset.service);
      if (!row) continue;
      row.isSeen = isIntersecting;
      if (isIntersecting) row.drawSparks();
    }
  }

  #shownNames() {
    const sought = this.#filter.value.trim().toLowerCase();
    const may = SHOWN[this.#shown.value] ?? SHOWN.all;
    const names = [...this.#services.all].filter(([name, it]) => may(it) && (sought === "" ||
      [name, it.status, it.health, String(it.port ?? ""), it.message].some((part) => part.toLowerCase().includes(sought))));
    return new Set(names.map(([name]) => name));
  }

  #tellFound(shown) {
    const { size } = this.#services.all;
    const empty = size === 0 ? "There are no services: add some to the services file, and reload it." : "No service is like that.";
    setText(this.#found, shown === 0 ? empty : shown === size ? plural(size, "service") : `${shown} of ${plural(size, "service")}`);
  }

  #selectShown(isOn) {
    for (const name of this.#shownNames()) {
      if (isOn) this.selected.add(name);
      else this.selected.delete(name);
    }
    this.update();
  }

  #picked(event) {
    const name = event.target.closest("tr")?.dataset.service;
    if (!name) return;
    if (event.target.checked) this.selected.add(name);
    else this.selected.delete(name);
    this.update();
  }

  #tick() {
    if (document.hidden) return;
    for (const row of this.#rows.values()) if (row.isSeen) row.tick();
  }
}
