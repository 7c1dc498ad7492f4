// A row of the table: one service.

import { clockAhead } from "../common/api.js";
import { offline } from "../common/connection.js";
import { el, setAttribute, setText } from "../common/dom.js";
import { count, duration, memory, percent } from "../common/format.js";
import { Spark } from "../common/spark.js";
import { VerbButtons } from "./buttons.js";
import { HEALTH_STYLES, STATE_STYLES } from "./states.js";

/** The smallest top of a scale of CPU and of memory. */
export const LEAST = { cpu: 10, memory: 16 };

export class ServiceRow {
  isSeen = false;
  #services;
  #buttons;
  #cpu = new Spark();
  #memory = new Spark();
  #cells = {
    message: el("span.message"), state: el("span.pill"), health: el("span.pill"), uptime: value(),
    cpu: value(), memory: value(), restarts: value(), port: value(), next: value(),
  };

  /**
   * @param {string} name
   * @param {import("./services.js").Services} services
   * @param {import("./actions.js").Actions} actions
   */
  constructor(name, services, actions) {
    this.name = name;
    this.#services = services;
    this.#buttons = new VerbButtons(name, services, actions);
    this.check = el("input", { type: "checkbox", "aria-label": `Select ${name}` });
    const cells = this.#cells;
    this.link = el("a.name", { href: `#${encodeURIComponent(name)}` }, name);
    this.element = el("tr", { role: "row" },
      el("td.pick", { role: "cell", "data-needs": "operate" }, this.check),
      el("th.service", { role: "rowheader", scope: "row" }, this.link, cells.message),
      cell("state", "State", cells.state),
      cell("health", "Health", cells.health),
      cell("uptime", "Uptime", cells.uptime),
      cell("cpu", "CPU", cells.cpu, this.#cpu.element),
      cell("memory", "Memory", cells.memory, this.#memory.element),
      cell("restarts", "Restarts", cells.restarts),
      cell("port", "Port", cells.port),
      cell("next", "Next restart", cells.next),
      el("td.actions", { role: "cell", "data-needs": "operate" }, ...this.#buttons.elements));
    this.element.dataset.service = name;
    this.update();
  }

  /** Shows the current state. */
  update() {
    const service = this.#services.all.get(this.name);
    if (!service) return;
    const cells = this.#cells;
    show(cells.state, service.status, STATE_STYLES[service.status]);
    show(cells.health, service.health, HEALTH_STYLES[service.health]);
    const message = service.message === "Running." ? "" : service.message;
    setText(cells.message, message);
    setAttribute(cells.message, "title", message || null);
    setText(cells.cpu, service.pid ? percent(service.cpu_percent) : "–");
    setText(cells.memory, service.pid ? memory(service.memory_mb) : "–");
    setText(cells.restarts, count(service.restart_count));
    setText(cells.port, service.port === null ? "–" : String(service.port));
    this.tick();
    this.#buttons.update();
    if (this.isSeen) this.drawSparks();
  }

  /** Updates the times that count. */
  tick() {
    const service = this.#services.all.get(this.name);
    if (!service || offline()) return;
    setText(this.#cells.uptime, service.pid ? duration(uptime(service, this.#services.at)) : "–");
    setText(this.#cells.next, nextRestart(service) ?? "–");
  }

  drawSparks() {
    const history = this.#services.history(this.name);
    this.#cpu.draw(history.cpu, LEAST.cpu);
    this.#memory.draw(history.memory, LEAST.memory);
  }

  /** Marks it as selected or not. @param {boolean} isSelected */
  setSelected(isSelected) {
    this.check.checked = isSelected;
    this.element.classList.toggle("is-selected", isSelected);
  }

  /** Marks whether its detail is open. @param {boolean} isOpen */
  setOpen(isOpen) {
    setAttribute(this.link, "aria-current", isOpen ? "true" : null);
    this.element.classList.toggle("is-open", isOpen);
  }
}

/**
 * Returns the uptime of a service, in seconds.
 * @param {Api.Service} service
 * @param {number} at when the status was read, by the page's own clock
 */
export function uptime(service, at) {
  return service.uptime + (performance.now() - at) / 1000;
}

/**
 * Describes when a service will be restarted; null if it will not.
 * @param {Api.Service} service
 */
export function nextRestart(service) {
  if (!service.next_restart_at) return null;
  const left = (Date.parse(service.next_restart_at) - Date.now() - clockAhead) / 1000;
  return left > 0 ? `in ${Math.ceil(left)} s` : "now";
}

/**
 * Shows a label in a style.
 * @param {HTMLElement} pill
 * @param {string} label
 * @param {string} [style]
 */
export function show(pill, label, style = "idle") {
  setText(pill, label);
  setAttribute(pill, "class", `pill ${style}`);
}

function value() {
  return el("span.value");
}

/** @param {string} name @param {string} label @param {...Element} children */
function cell(name, label, ...children) {
  const made = el(`td.${name}`, { role: "cell" }, el("div.in", {}, ...children));
  made.dataset.label = label;
  return made;
}
