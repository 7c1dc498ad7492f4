/** What a person sees in the service panel. With ASTRA_URL the first test drives that one. */
import { eventually, found } from "./page.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { SupervisorClient } from "../src/api.js";
import { ServicePanel } from "../src/ServicePanel.js";
import { fakeSupervisor } from "./fakeSupervisor.js";
import { render } from "./rendered.js";

const clientOf = (url: string) => new SupervisorClient(`${url}/api/supervisor`);
const item = (name: string) => `[data-service=${name}]`;
const button = (name: string) => found(`${item(name)} button`);
const stateOf = (name: string) => document.querySelector(`${item(name)} .status`)?.textContent;

test("a restart reads Restarting... until the service is running again", async (context) => {
  const url = process.env["ASTRA_URL"] ?? (await fakeSupervisor(context)).url;
  const name = process.env["ASTRA_SERVICE"] ?? "tts";
  const client = clientOf(url);
  render(context, <ServicePanel client={client} />);

  const restart = (await button(name)) as HTMLButtonElement;
  await eventually("running", () => stateOf(name) === "running");
  assert.equal(restart.textContent, "Restart");
  const before = (await client.status()).services[name];
  restart.click();

  await eventually("Restarting...", () => restart.textContent === "Restarting...");
  assert.ok(restart.disabled);
  await eventually("Restart", () => restart.textContent === "Restart");
  await eventually("running", () => stateOf(name) === "running");
  assert.ok(!restart.disabled);
  const after = (await client.status()).services[name];
  assert.equal(after?.restart_count, (before?.restart_count ?? 0) + 1);
  assert.equal(document.querySelector("[role=alert]"), null);
});

test("a change that came from elsewhere is shown as an event", async (context) => {
  const supervisor = await fakeSupervisor(context);
  render(context, <ServicePanel client={clientOf(supervisor.url)} />);
  await eventually("Live", () => document.body.textContent?.includes("Live"));
  supervisor.change("brain", "backoff");
  await eventually("waiting", () => stateOf("brain") === "waiting to restart");
  supervisor.change("brain", "restarting");
  const restart = await button("brain");
  await eventually("Restarting...", () => restart.textContent === "Restarting...");
});

test("a service is stopped and started with the second button", async (context) => {
  const supervisor = await fakeSupervisor(context);
  render(context, <ServicePanel client={clientOf(supervisor.url)} />);
  (await found(`${item("tts")} button[aria-label="Stop tts"]`)).click();
  await eventually("stopped", () => stateOf("tts") === "stopped");
  (await found(`${item("tts")} button[aria-label="Start tts"]:enabled`)).click();
  await eventually("running", () => stateOf("tts") === "running");
});

test("without events the services are polled", async (context) => {
  const supervisor = await fakeSupervisor(context, { withEvents: false });
  const asked = context.mock.method(SupervisorClient.prototype, "status");
  const intervals = context.mock.method(globalThis, "setInterval", () => 0);
  render(context, <ServicePanel client={clientOf(supervisor.url)} />);
  // One question at the beginning, another when the stream of events was refused.
  await eventually("two answers", () => asked.mock.callCount() === 2);
  await eventually("running", () => stateOf("brain") === "running");

  supervisor.services["brain"]!.status = "fatal";
  const [poll, milliseconds] = intervals.mock.calls.at(-1)!.arguments as unknown[];
  assert.equal(milliseconds, 5000);
  (poll as () => void)();
  await eventually("gave up", () => stateOf("brain") === "gave up");
  assert.ok(document.body.textContent?.includes("Asking every 5 seconds"));
});

test("a refusal is shown with the supervisor's sentence", async (context) => {
  const supervisor = await fakeSupervisor(context);
  render(context, <ServicePanel client={clientOf(supervisor.url)} />);
  const restart = await button("brain");
  delete supervisor.services["brain"];
  restart.click();
  const alert = await found("[role=alert]");
  assert.match(alert.textContent ?? "", /brain was not restarted: There is no service brain/);
});

test("a supervisor that is away is said to be", async (context) => {
  render(context, <ServicePanel client={clientOf("http://127.0.0.1:9")} />);
  assert.match((await found("[role=alert]")).textContent ?? "", /cannot be reached/);
});
