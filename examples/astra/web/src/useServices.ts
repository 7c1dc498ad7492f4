/** The services as they are now: live over the supervisor's events, by polling where those fail. */
import { useCallback, useEffect, useRef, useState } from "react";
import type { Services, SupervisorClient } from "./api.js";

const POLL_MILLISECONDS = 5000;
const EVENT_NAMES = ["state", "health", "removed", "missed"];

export interface ServicesView {
  services: Services;
  /** Why the services could not be read, until they can be again. */
  error: string | null;
  /** Whether changes come as events; else they are polled. */
  live: boolean;
  refresh: () => Promise<void>;
}

export function useServices(client: SupervisorClient): ServicesView {
  const [services, setServices] = useState<Services>({});
  const [error, setError] = useState<string | null>(null);
  const [live, setLive] = useState(false);

  const asked = useRef(0);

  const refresh = useCallback(async () => {
    // Answers can overtake each other: only the one that was asked for last is shown.
    const turn = ++asked.current;
    const [found, problem] = await client.status().then(
      (answer) => [answer.services, null] as const,
      (caught: Error) => [null, caught.message] as const,
    );
    if (turn === asked.current) {
      setServices((before) => found ?? before);
      setError(problem);
    }
  }, [client]);

  useEffect(() => {
    void refresh();
    if (typeof EventSource === "undefined") {
      return;
    }
    const events = client.events();
    events.onopen = () => {
      setLive(true);
      void refresh();
    };
    events.onerror = () => {
      setLive(false);
      void refresh();
    };
    for (const name of EVENT_NAMES) {
      events.addEventListener(name, () => void refresh());
    }
    return () => events.close();
  }, [client, refresh]);

  useEffect(() => {
    if (live) {
      return;
    }
    const interval = setInterval(() => void refresh(), POLL_MILLISECONDS);
    return () => clearInterval(interval);
  }, [live, refresh]);

  return { services, error, live, refresh };
}
