// A summary of the system in one line: health, running services, resource usage.

import { byId, el, setText } from "../common/dom.js";
import { memory, percent } from "../common/format.js";
import { Spark } from "../common/spark.js";
import { LEAST, show } from "./row.js";
import { hasFailed } from "./states.js";

const NAMED_MAX = 3;

/**
 * Shows the summary and keeps it up to date.
 * @param {import("./services.js").Services} services
 */
export function showSummary(services) {
  const health = el("span.pill");
  const running = el("strong");
  const [cpu, cpuSpark] = [el("strong"), new Spark()];
  const [used, usedSpark] = [el("strong"), new Spark()];
  byId("summary").replaceChildren(
    el("div.fact", {}, health),
    el("div.fact", {}, el("span.muted", {}, "Running"), running),
    el("div.fact", {}, el("span.muted", {}, "CPU"), cpu, cpuSpark.element),
    el("div.fact", {}, el("span.muted", {}, "Memory"), used, usedSpark.element));
  services.onChange(() => {
    const { system } = services;
    const failed = [...services.all].filter(([, it]) => !it.optional && hasFailed(it));
    const names = failed.map(([name]) => name);
    const more = names.length > NAMED_MAX ? ` and ${names.length - NAMED_MAX} more` : "";
    if (names.length === 0) show(health, "healthy", "good");
    else show(health, `degraded: ${names.slice(0, NAMED_MAX).join(", ")}${more}`, "bad");
    setText(running, `${system.running_services} of ${system.total_services}`);
    setText(cpu, percent(system.total_cpu_percent));
    setText(used, memory(system.total_memory_mb));
    cpuSpark.draw(services.cpu, LEAST.cpu);
    usedSpark.draw(services.memory, LEAST.memory);
  });
}
