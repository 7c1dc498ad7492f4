// The types of the API's answers, and of what the panel shares beyond one file. Nothing of this is
// served: it is read by `make panel` only.

/** What the API answers, as the document at `openapi.json` describes it. */
declare namespace Api {
  type EndedBy =
    | "itself" | "kill" | "restart" | "reload" | "timeout" | "health" | "limit" | "shutdown"
    | "signal" | "lost";

  type Scope = "read" | "operate" | "run";

  interface Whoami {
    name: string | null;
    scope: Scope;
  }

  /** How a run ended. */
  interface End {
    exit_code: number | null;
    signal: string | null;
    ended_by: EndedBy | null;
  }

  interface Run extends End {
    run_id: string;
    process_pid: number;
    command: string;
    status: "running" | "exited" | "killed";
    created_at: string;
    stopped_at: string | null;
    log_file: string;
    uptime: number;
    cpu_percent: number;
    memory_mb: number;
    pty: boolean;
    stdin_open: boolean;
    cwd: string;
    leftover_pids: number[];
  }

  interface Runs {
    runs: Run[];
  }

  interface Killed {
    left?: { pid: number; why: string }[];
  }

  interface StartRequest {
    command: string;
    cwd?: string;
    env?: Record<string, string | null>;
    pty?: { rows: number; cols: number };
    stdin?: boolean;
    timeout?: number;
  }

  type ServiceState =
    | "stopped" | "starting" | "running" | "restarting" | "stopping" | "exited" | "crashed"
    | "backoff" | "fatal";
  type Health = "healthy" | "unhealthy" | "unknown";
  type Verb = "start" | "stop" | "restart" | "reload";

  interface Service {
    status: ServiceState;
    health: Health;
    message: string;
    pid: number | null;
    port: number | null;
    uptime: number;
    cpu_percent: number;
    memory_mb: number;
    restart_count: number;
    optional: boolean;
    depends_on: string[];
    started_at: string | null;
    stopped_at: string | null;
    next_restart_at: string | null;
  }

  interface SystemTotals {
    total_services: number;
    running_services: number;
    total_memory_mb: number;
    total_cpu_percent: number;
  }

  interface SystemStatus {
    services: Record<string, Service>;
    system: SystemTotals;
  }

  /** The data of an event of `supervisor/events`. */
  interface ServiceEvent {
    service: string;
    status: ServiceState;
    health: Health;
    message: string;
    at: string;
  }

  interface Check {
    cmd?: string | string[];
    url?: string | null;
    tcp?: string | null;
    interval: number;
    retries: number;
    restart_on_failure: boolean;
  }

  interface Config {
    cmd: string | string[];
    cwd: string;
    env: Record<string, string | null>;
    env_file: string | null;
    optional: boolean;
    port: number | null;
    pty: boolean;
    depends_on: Record<string, string>;
    health_checks: Record<string, Check>;
    restart_policy: {
      mode: "always" | "on-failure" | "never";
      max_restarts: number;
      backoff_seconds: number;
      backoff_multiplier: number;
      max_backoff_seconds: number;
    };
    start_timeout: number;
    stop_signal: string;
    stop_timeout: number;
  }

  interface Exit extends End {
    stopped_at: string;
    uptime: number;
  }

  interface ServiceDetail {
    config: Config;
    source: "file" | "api";
    exits: Exit[];
  }

  interface ServiceHealth {
    status: Health;
    checks: Record<string, string>;
    response_time: number | null;
  }

  interface VerbAnswer {
    message: string;
  }

  interface BulkAnswer {
    operations: { service: string; status: string; detail?: string }[];
  }

  /** A line of a log in an event. */
  interface LoggedLine {
    timestamp: string | null;
    line: string;
  }

  /** A line of a log in `format=ndjson`. */
  interface LogEntry extends LoggedLine {
    n: number;
  }

  /** The data of the event `run` in a followed log. */
  interface RunMark extends End {
    event: "started" | "ended";
    at: string;
    pid: number;
  }

  /** What a refusal says (RFC 9457). */
  interface Problem {
    detail: string;
  }

  /** The answer of a GET of this path. */
  type AnswerOf<Path extends string> =
    Path extends `runs?${string}` ? Runs
    : Path extends "whoami" ? Whoami
    : Path extends "supervisor/status" ? SystemStatus
    : Path extends `supervisor/services/${string}` ? ServiceDetail
    : Path extends `supervisor/health/${string}` ? ServiceHealth
    : never;

  /** The answer of a POST to this path. */
  type AnswerToPost<Path extends string> =
    Path extends "kill" ? Killed
    : Path extends "supervisor/bulk" ? BulkAnswer
    : Path extends `supervisor/${Verb}` ? VerbAnswer
    : unknown;
}

type ElementNamed<Name extends string> =
  Name extends keyof HTMLElementTagNameMap ? HTMLElementTagNameMap[Name] : HTMLElement;

/** The element that a tag with classes makes: `input.mono` makes an input. */
type ElementOf<Tag extends string> =
  Tag extends `${infer Name}.${string}` ? ElementNamed<Name> : ElementNamed<Tag>;
