// The details of a service: its configuration and its last exits.

import { post, read } from "../common/api.js";
import { el } from "../common/dom.js";
import { ending, lasted, when } from "../common/format.js";
import { makeInput } from "../common/input.js";
import { showError } from "../common/notices.js";
import { HEALTH_STYLES, STATE_STYLES } from "./states.js";
import { show } from "./row.js";

/**
 * Reads the details of a service and shows them.
 * @param {string} name
 * @param {import("./services.js").Services} services
 * @returns {Promise<HTMLElement>}
 */
export async function readFacts(name, services) {
  const { config, source, exits } = await read(`supervisor/services/${encodeURIComponent(name)}`);
  const service = services.all.get(name);
  const path = encodeURIComponent(name);
  return el("div.facts", {},
    section("State", facts([
      ["Message", service?.message],
      ["Process", service?.pid ? String(service.pid) : "none"],
      ["Started", service?.started_at ? when(service.started_at) : "never"],
      ["Optional", config.optional ? "yes" : "no: the system is degraded if it fails"],
      ["Added by", source === "api" ? "the API; it is not kept when the supervisor ends" : "the services file"],
    ])),
    section("Command", el("pre.command", { tabindex: "0", "aria-label": "Command" }, shown(config.cmd)),
      facts([["Directory", config.cwd], ["Port", config.port === null ? null : String(config.port)],
        ["Terminal", config.pty ? "yes" : "no"]])),
    section("Environment", environment(config)),
    section("Dependencies", dependencies(name, config, services)),
    section("Health checks", checks(path, config)),
    section("Last exits", exitTable(exits)),
    section("Restart policy", facts(policy(config))),
    section("Signals and input", makeInput({
      canType: config.pty,
      isTerminal: config.pty,
      signal: (type) => post(`supervisor/signal/${path}?type=${type}`),
      type: (data, eof) => post(`supervisor/stdin/${path}`, { data, eof }),
      what: name,
    })));
}

/** @param {string} title @param {...import("../common/dom.js").Child} children */
function section(title, ...children) {
  return el("section", {}, el("h3", {}, title), ...children);
}

/**
 * Creates a list of terms and values; null values are left out.
 * @param {[term: string, value: string|null|undefined][]} pairs
 */
function facts(pairs) {
  const known = pairs.filter(([, value]) => value);
  return el("dl", {}, ...known.flatMap(([term, value]) => [el("dt", {}, term), el("dd", {}, value)]));
}

/** Formats a command as it would be typed. @param {string|string[]} command */
function shown(command) {
  if (typeof command === "string") return command;
  /** @param {string} part */
  const quoted = (part) => (/^[\w./:=@%+,*-]+$/.test(part) ? part : `'${part.replaceAll("'", "'\\''")}'`);
  return command.map(quoted).join(" ");
}

/** @param {Api.Config} config */
function environment({ env, env_file }) {
  const variables = Object.entries(env);
  const file = env_file ? el("p", {}, "Also the variables in ", el("code", {}, env_file), ".") : null;
  if (variables.length === 0) return el("div", {}, file ?? el("p.muted", {}, "The environment of the supervisor, unchanged."));
  const rows = variables.map(([name, value]) => {
    const what = value === null ? el("em.muted", {}, "removed") : el("code", {}, value);
    return el("tr", {}, el("th", { scope: "row" }, el("code", {}, name)), el("td", {}, what));
  });
  return el("div", {}, file, el("table.plain-table", { "aria-label": "Environment" }, el("tbody", {}, ...rows)));
}

/**
 * @param {string} name
 * @param {Api.Config} config
 * @param {import("./services.js").Services} services
 */
function dependencies(name, config, services) {
  /** @param {string} other @param {string} condition */
  const link = (other, condition) => {
    const state = el("span.pill");
    const status = services.all.get(other)?.status;
    show(state, status ?? "unknown", status && STATE_STYLES[status]);
    return el("li", {}, el("a", { href: `#${encodeURIComponent(other)}` }, other), condition ? ` ${condition} ` : " ", state);
  };
  const needs = Object.entries(config.depends_on).map(([other, condition]) => link(other, `must be ${condition}:`));
  const needed = services.dependents(name).map((other) => link(other, ""));
  if (needs.length + needed.length === 0) return el("p.muted", {}, "No dependencies and no dependents.");
  return el("div", {},
    needs.length > 0 && el("p.muted", {}, "Needs"), needs.length > 0 && el("ul", {}, ...needs),
    needed.length > 0 && el("p.muted", {}, "Needed by"), needed.length > 0 && el("ul", {}, ...needed));
}

/** @param {string} path of the service @param {Api.Config} config */
function checks(path, config) {
  const named = Object.entries(config.health_checks);
  if (named.length === 0) return el("p.muted", {}, "None: it counts as up once it has run for a while.");
  /** @type {Map<string, HTMLElement>} */
  const results = new Map();
  const rows = named.map(([name, check]) => {
    const result = el("td", {}, "–");
    results.set(name, result);
    const target = check.url ?? check.tcp ?? shown(check.cmd ?? "");
    const often = `every ${lasted(check.interval)}, ${check.retries} failures in a row${check.restart_on_failure ? " restart it" : ""}`;
    return el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, el("code", {}, target), el("div.muted", {}, often)), result);
  });
  const summary = el("span.pill", { hidden: true });
  const button = el("button.small", { type: "button", "data-asks": true }, "Check now");
  button.addEventListener("click", async () => {
    try {
      const report = await read(`supervisor/health/${path}`);
      for (const [name, result] of results) result.textContent = report.checks[name] ?? "not run";
      const took = report.response_time === null ? "" : ` in ${report.response_time} ms`;
      show(summary, `${report.status}${took}`, HEALTH_STYLES[report.status]);
      summary.hidden = false;
    } catch (error) {
      showError(error.message);
    }
  });
  return el("div", {},
    el("table.plain-table", { "aria-label": "Health checks" }, el("tbody", {}, ...rows)),
    el("p.row", { role: "status" }, button, summary));
}

/** @param {Api.Exit[]} exits */
function exitTable(exits) {
  if (exits.length === 0) return el("p.muted", {}, "It has not ended yet.");
  const rows = exits.map((exit) => el("tr", {},
    el("td", {}, when(exit.stopped_at)), el("td", {}, ending(exit)), el("td", {}, `after ${lasted(exit.uptime)}`)));
  return el("table.plain-table.exits", { "aria-label": "Last exits" }, el("tbody", {}, ...rows));
}

/**
 * @param {Api.Config} config
 * @returns {[term: string, value: string|null][]}
 */
function policy({ restart_policy: policy, stop_signal, stop_timeout, start_timeout }) {
  const often = `at most ${policy.max_restarts} times in a row`;
  const waits = `after ${lasted(policy.backoff_seconds)}, each ${policy.backoff_multiplier} times as long as the one before, at most ${lasted(policy.max_backoff_seconds)}`;
  return [
    ["Restart", policy.mode === "never" ? "never" : `${policy.mode === "always" ? "always" : "on failure"}, ${often}`],
    ["Backoff", policy.mode === "never" ? null : waits],
    ["Stop", `${stop_signal}, ${lasted(stop_timeout)} until SIGKILL`],
    ["Start timeout", `${lasted(start_timeout)} to be healthy`],
  ];
}
