// Actions on services: asks for confirmation before something is ended, and shows errors.

import { post } from "../common/api.js";
import { confirm } from "../common/confirm.js";
import { el } from "../common/dom.js";
import { plural } from "../common/format.js";
import { showDone, showError } from "../common/notices.js";
import { LABELS } from "./states.js";

const NAMED_MAX = 12;

export class Actions {
  #services;

  /** @param {import("./services.js").Services} services */
  constructor(services) {
    this.#services = services;
  }

  /** @param {Api.Verb} verb @param {string} name */
  async one(verb, name) {
    const kind = el("select", { "aria-label": "What to reload" },
      el("option", { value: "config" }, "Configuration: read the services file again"),
      el("option", { value: "code" }, "Code: restart it with its present configuration"));
    const more = verb === "reload" ? el("p.dialog-more", {}, kind) : undefined;
    if (verb !== "start" && !(await confirm(this.#question(verb, name, more)))) return;
    this.#services.expect(name, verb);
    try {
      const body = verb === "reload" ? { name, type: kind.value } : { name };
      const answer = await post(`supervisor/${verb}`, body);
      this.#services.accepted(name);
      if (verb === "reload") showDone(`${name}: ${answer.message}`);
    } catch (error) {
      this.#services.forget(name);
      showError(error.message);
    }
    await this.#services.refresh();
  }

  /** @param {Api.Verb} verb @param {string[]} names */
  async several(verb, names) {
    const [first, ...others] = names;
    if (first === undefined || others.length === 0) return first && this.one(verb, first);
    const title = `${LABELS[verb]} ${plural(names.length, "service")}?`;
    const text = `${list(names)}. Services start after their dependencies and stop before them.`;
    if (verb !== "start" && !(await confirm({ title, text, action: LABELS[verb] }))) return;
    for (const name of names) this.#services.expect(name, verb);
    try {
      const { operations } = await post("supervisor/bulk", { action: verb, services: names, parallel: true });
      const refused = operations.filter((it) => it.status === "error");
      for (const { service } of operations) this.#services.accepted(service);
      for (const { service } of refused) this.#services.forget(service);
      if (refused.length > 0) showError(refused.map((it) => it.detail).join(" "));
    } catch (error) {
      for (const name of names) this.#services.forget(name);
      showError(error.message);
    }
    await this.#services.refresh();
  }

  /** @param {Exclude<Api.Verb, "start">} verb @param {string} name @param {HTMLElement} [more] */
  #question(verb, name, more) {
    const service = this.#services.all.get(name);
    const what = service?.pid ? `Its process ${service.pid} and all processes that it started` : "Its processes";
    const dependents = this.#services.dependents(name);
    const others = dependents.length > 0 ? ` ${list(dependents)} ${dependents.length === 1 ? "depends" : "depend"} on it.` : "";
    const text = {
      stop: `${what} will be ended.${others}`,
      restart: `${what} will be ended, and the service started again.${others}`,
      reload: `It may be restarted if something has changed.${others}`,
    }[verb];
    return { title: `${LABELS[verb]} ${name}?`, text, action: LABELS[verb], more };
  }
}

/** @param {string[]} names */
function list(names) {
  const shown = names.slice(0, NAMED_MAX).join(", ");
  return names.length > NAMED_MAX ? `${shown} and ${names.length - NAMED_MAX} more` : shown;
}
