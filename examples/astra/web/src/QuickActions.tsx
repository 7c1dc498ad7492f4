/** Buttons for the top bar that restart the services which need it most often. */
import type { SupervisorClient } from "./api.js";
import { useActions } from "./useActions.js";

const QUICK = [
  { service: "brain", label: "🔄 Brain" },
  { service: "tts", label: "🔊 TTS" },
  { service: "memory", label: "🧮 Memory" },
];

const nothing = async () => {};

export function QuickActions({ client }: { client: SupervisorClient }) {
  const { pending, error, act } = useActions(client, nothing);
  return (
    <div className="quick-actions">
      {QUICK.map(({ service, label }) => (
        <button
          key={service}
          onClick={() => void act("restart", service)}
          disabled={service in pending}
          title={`Restart ${service}`}
        >
          {service in pending ? "Restarting..." : label}
        </button>
      ))}
      {error && <p role="alert">{error}</p>}
    </div>
  );
}
