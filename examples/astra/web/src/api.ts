/** The supervisor's API as types, and a client of the routes that the panel needs. */

export type ServiceState =
  | "stopped"
  | "starting"
  | "running"
  | "restarting"
  | "stopping"
  | "exited"
  | "crashed"
  | "backoff"
  | "fatal";

export interface ServiceStatus {
  status: ServiceState;
  pid: number | null;
  uptime: number;
  port: number | null;
  cpu_percent: number;
  memory_mb: number;
  last_restart: string | null;
  restart_count: number;
  exit_code: number | null;
  signal: string | null;
  health: "healthy" | "unhealthy" | "unknown";
  optional: boolean;
  /** Why it is in this state, in one sentence. */
  message: string | null;
}

export type Services = Record<string, ServiceStatus>;

export interface StatusResponse {
  services: Services;
  system: {
    total_services: number;
    running_services: number;
    total_memory_mb: number;
    total_cpu_percent: number;
  };
}

export type Verb = "start" | "stop" | "restart";

export interface ActionResponse {
  /** The state on the way, or the one it settled in when the request waited. */
  status: string;
  service: string;
  message: string;
}

/** A refusal; its message is the sentence that the supervisor gave. */
export class SupervisorError extends Error {
  constructor(
    readonly status: number,
    detail: string,
  ) {
    super(detail);
  }
}

export class SupervisorClient {
  /** `base` is where the routes are: by default those of the page's own server. */
  constructor(private readonly base = "/api/supervisor") {}

  status(): Promise<StatusResponse> {
    return this.ask<StatusResponse>("/status");
  }

  /** Answers when the service has settled, or after so many seconds. */
  act(verb: Verb, name: string, waitSeconds: number): Promise<ActionResponse> {
    return this.ask<ActionResponse>(`/${verb}?wait=${waitSeconds}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ name }),
    });
  }

  /** The stream of state and health changes, as Server-Sent Events. */
  events(): EventSource {
    return new EventSource(`${this.base}/events`);
  }

  private async ask<T>(path: string, init?: RequestInit): Promise<T> {
    const response = await fetch(this.base + path, init).catch(() => {
      throw new SupervisorError(0, "The supervisor cannot be reached: is it running?");
    });
    if (!response.ok) {
      const problem: { detail?: string } = await response.json().catch(() => ({}));
      throw new SupervisorError(response.status, problem.detail ?? `HTTP ${response.status}`);
    }
    return (await response.json()) as T;
  }
}
