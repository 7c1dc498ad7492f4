// The detail of one service beside the table: its log and its configuration.

import { byId, el, setAttribute } from "../common/dom.js";
import { LogPanel } from "../common/logpanel.js";
import { showError } from "../common/notices.js";
import { VerbButtons } from "./buttons.js";
import { readFacts } from "./facts.js";
import { show } from "./row.js";
import { STATE_STYLES } from "./states.js";

/** Widths at which the detail covers the rest of the page. */
const NARROW = matchMedia("(max-width: 1080px)");

/** @typedef {"log"|"facts"} Tab */

/** @type {[tab: Tab, label: string][]} */
const TABS = [["log", "Log"], ["facts", "Details"]];

export class Detail {
  #services;
  #actions;
  #place = byId("detail");
  #onClose;
  #name = /** @type {string|null} */ (null);
  #log = /** @type {LogPanel|null} */ (null);
  #update = () => {};

  /**
   * @param {import("./services.js").Services} services
   * @param {import("./actions.js").Actions} actions
   * @param {() => void} onClose called when the user closes it
   */
  constructor(services, actions, onClose) {
    this.#services = services;
    this.#actions = actions;
    this.#onClose = onClose;
    services.onChange(() => this.#update());
    this.#place.addEventListener("keydown", (event) => {
      // In a field with text, Escape clears the field.
      const { target } = event;
      const holds = target instanceof HTMLInputElement && target.value !== "";
      if (event.key === "Escape" && !holds) onClose();
    });
    NARROW.addEventListener("change", () => this.#cover());
  }

  /** Shows a service; null closes it. @param {string|null} name */
  open(name) {
    if (name === this.#name) return;
    this.#name = name;
    this.#log?.close();
    this.#log = null;
    this.#update = () => {};
    this.#place.hidden = name === null;
    this.#cover();
    this.#place.replaceChildren();
    if (name !== null) this.#fill(name);
  }

  /** Keeps the keyboard focus out of covered elements. */
  #cover() {
    const isCovered = this.#name !== null && NARROW.matches;
    /** @type {NodeListOf<HTMLElement>} */
    const covered = document.querySelectorAll("main, .top");
    for (const element of covered) element.inert = isCovered;
  }

  /** @param {string} name */
  #fill(name) {
    const state = el("span.pill");
    const buttons = new VerbButtons(name, this.#services, this.#actions);
    const panel = el("div.tab-panel", { role: "tabpanel", id: "tab-panel" });
    const close = el("button.plain.small", { type: "button", "aria-label": `Close ${name}`, on: { click: this.#onClose } }, "✕");
    const title = el("h2", { tabindex: "-1" }, name);
    this.#place.setAttribute("aria-label", `Service ${name}`);
    this.#place.append(
      el("header.detail-head", {}, title, state, el("span.grow"), el("div.verbs", {}, ...buttons.elements), close),
      this.#tabs(name, panel), panel);
    let shown = /** @type {Api.ServiceState|undefined} */ (undefined);
    this.#update = () => {
      const status = this.#services.all.get(name)?.status;
      show(state, status ?? "removed", status && STATE_STYLES[status]);
      buttons.update();
      if (status !== shown && panel.dataset.tab === "facts") void this.#showFacts(name, panel);
      shown = status;
    };
    this.#update();
    title.focus();
  }

  /** @param {string} name @param {HTMLElement} panel */
  #tabs(name, panel) {
    const buttons = TABS.map(([tab, label]) => {
      const button = el("button.tab", { type: "button", role: "tab", id: `tab-${tab}`, "aria-controls": "tab-panel" }, label);
      button.addEventListener("click", () => choose(tab));
      return { tab, button };
    });
    /** @param {Tab} chosen */
    const choose = (chosen) => {
      for (const { tab, button } of buttons) {
        setAttribute(button, "aria-selected", String(tab === chosen));
        setAttribute(button, "tabindex", tab === chosen ? "0" : "-1");
      }
      panel.setAttribute("aria-labelledby", `tab-${chosen}`);
      this.#show(chosen, name, panel);
    };
    const list = el("div.tabs", { role: "tablist", "aria-label": `Views of ${name}` }, ...buttons.map(({ button }) => button));
    list.addEventListener("keydown", (event) => {
      if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
      const other = buttons.find(({ button }) => button !== document.activeElement);
      if (!other) return;
      choose(other.tab);
      other.button.focus();
    });
    choose("log");
    return list;
  }

  /** @param {Tab} tab @param {string} name @param {HTMLElement} panel */
  #show(tab, name, panel) {
    panel.dataset.tab = tab;
    this.#log?.close();
    this.#log = null;
    panel.replaceChildren();
    if (tab === "facts") {
      void this.#showFacts(name, panel);
      return;
    }
    const path = `supervisor/logs/${encodeURIComponent(name)}`;
    this.#log = new LogPanel({ path, name, file: `${name}.log` });
    panel.append(this.#log.element);
  }

  /** @param {string} name @param {HTMLElement} panel */
  async #showFacts(name, panel) {
    try {
      const facts = await readFacts(name, this.#services);
      if (this.#name !== name || panel.dataset.tab !== "facts") return;
      const top = panel.firstElementChild?.scrollTop ?? 0;
      panel.replaceChildren(facts);
      facts.scrollTop = top;
    } catch (error) {
      showError(error.message);
    }
  }
}
