/** The services with their states in words, each with buttons to restart, stop and start it. */
import type { ServiceState, ServiceStatus, SupervisorClient, Verb } from "./api.js";
import { useActions } from "./useActions.js";
import { useServices } from "./useServices.js";

const UP: ReadonlySet<ServiceState> = new Set(["starting", "running", "restarting", "backoff"]);

const WORDS: Record<ServiceState, string> = {
  stopped: "stopped",
  starting: "starting",
  running: "running",
  restarting: "restarting",
  stopping: "stopping",
  exited: "exited",
  crashed: "crashed",
  backoff: "waiting to restart",
  fatal: "gave up",
};

export function ServicePanel({ client }: { client: SupervisorClient }) {
  const { services, error, live, refresh } = useServices(client);
  const { pending, error: refusal, act } = useActions(client, refresh);
  return (
    <div className="service-panel">
      <h3>Service Status</h3>
      <p className="connection">{live ? "Live" : "Asking every 5 seconds"}</p>
      {(error ?? refusal) && <p role="alert">{error ?? refusal}</p>}
      {Object.entries(services).map(([name, service]) => (
        <ServiceItem
          key={name}
          name={name}
          service={service}
          pending={pending[name]}
          onAct={(verb) => void act(verb, name)}
        />
      ))}
    </div>
  );
}

interface ServiceItemProps {
  name: string;
  service: ServiceStatus;
  pending: Verb | undefined;
  onAct: (verb: Verb) => void;
}

function ServiceItem({ name, service, pending, onAct }: ServiceItemProps) {
  const restarting = pending === "restart" || service.status === "restarting";
  const busy = pending !== undefined || restarting || service.status === "stopping";
  const restart = restarting ? "Restarting..." : "Restart";
  const [other, label]: [Verb, string] = UP.has(service.status)
    ? ["stop", "Stop"]
    : ["start", "Start"];
  return (
    <div className="service-item" data-service={name}>
      <span className={`status ${service.status}`}>{wordsOf(service)}</span>
      <span className="service-name">{name}</span>
      <span className="service-message">{service.message}</span>
      <button
        onClick={() => onAct("restart")}
        disabled={busy}
        aria-label={`${restart} ${name}`}
      >
        {restart}
      </button>
      <button onClick={() => onAct(other)} disabled={busy} aria-label={`${label} ${name}`}>
        {label}
      </button>
    </div>
  );
}

/** The state, and the health where it is bad: in words, since colours say nothing to some. */
function wordsOf(service: ServiceStatus): string {
  const state = WORDS[service.status];
  return service.status === "running" && service.health === "unhealthy"
    ? `${state}, unhealthy`
    : state;
}
