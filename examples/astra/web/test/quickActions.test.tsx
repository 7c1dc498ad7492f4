/** What a person sees of the quick actions. */
import { eventually, found } from "./page.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { SupervisorClient } from "../src/api.js";
import { QuickActions } from "../src/QuickActions.js";
import { fakeSupervisor } from "./fakeSupervisor.js";
import { render } from "./rendered.js";

test("a quick action restarts its service", async (context) => {
  const supervisor = await fakeSupervisor(context);
  const client = new SupervisorClient(`${supervisor.url}/api/supervisor`);
  render(context, <QuickActions client={client} />);
  const brain = await found("[title='Restart brain']");
  assert.equal(brain.textContent, "🔄 Brain");
  brain.click();
  await eventually("Restarting...", () => brain.textContent === "Restarting...");
  await eventually("Brain", () => brain.textContent === "🔄 Brain");
  assert.equal(supervisor.services["brain"]?.restart_count, 1);
});

test("a quick action that fails says why", async (context) => {
  const supervisor = await fakeSupervisor(context);
  const client = new SupervisorClient(`${supervisor.url}/api/supervisor`);
  render(context, <QuickActions client={client} />);
  (await found("[title='Restart memory']")).click();
  const alert = await found("[role=alert]");
  assert.match(alert.textContent ?? "", /memory was not restarted: There is no service memory/);
});
