/** A supervisor of two services that do not exist: status, restart, stop, start and events. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import type { ServiceState, ServiceStatus } from "../src/api.js";

const WORK_MILLISECONDS = 100;

export interface FakeSupervisor {
  url: string;
  services: Record<string, ServiceStatus>;
  /** Changes a service behind the page's back, and tells those who listen. */
  change: (name: string, status: ServiceState) => void;
}

/** Runs until the test ends. */
export async function fakeSupervisor(
  context: TestContext,
  { withEvents = true } = {},
): Promise<FakeSupervisor> {
  const services: FakeSupervisor["services"] = { brain: running(7030), tts: running(7040) };
  const listeners = new Set<ServerResponse>();

  const change = (name: string, status: ServiceState) => {
    Object.assign(services[name] ?? {}, { status });
    for (const listener of listeners) {
      listener.write(`event: state\ndata: ${JSON.stringify({ service: name, status })}\n\n`);
    }
  };

  const act = async (verb: string, name: string) => {
    const service = services[name];
    if (!service) {
      const detail = `There is no service ${name}: the names are brain, tts.`;
      return [404, { status: 404, detail }] as const;
    }
    change(name, verb === "restart" ? "restarting" : verb === "stop" ? "stopping" : "starting");
    await new Promise((resolve) => setTimeout(resolve, WORK_MILLISECONDS));
    service.restart_count += verb === "restart" ? 1 : 0;
    change(name, verb === "stop" ? "stopped" : "running");
    return [200, { status: service.status, service: name, message: "done" }] as const;
  };

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const path = (request.url ?? "").split("?")[0]?.replace("/api/supervisor", "");
    if (path === "/events" && withEvents) {
      response.writeHead(200, { "Content-Type": "text/event-stream" }).write(": hello\n\n");
      listeners.add(response);
      return;
    }
    const [status, body] =
      path === "/status"
        ? [200, { services, system: {} }]
        : request.method === "POST"
          ? await act((path ?? "").slice(1), (await bodyOf(request)).name)
          : [404, { detail: "There is no such path." }];
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
  };

  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, services, change };
}

function running(port: number): ServiceStatus {
  return {
    status: "running",
    pid: 1000 + port,
    uptime: 1,
    port,
    cpu_percent: 0,
    memory_mb: 10,
    last_restart: null,
    restart_count: 0,
    exit_code: null,
    signal: null,
    health: "healthy",
    optional: false,
    message: null,
  };
}

async function bodyOf(request: IncomingMessage): Promise<{ name: string }> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) {
    chunks.push(chunk as Buffer);
  }
  return JSON.parse(Buffer.concat(chunks).toString());
}
