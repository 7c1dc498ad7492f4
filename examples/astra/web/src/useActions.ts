/** Starts, stops and restarts of services that a person asked for, and what is under way. */
import { useState } from "react";
import type { SupervisorClient, Verb } from "./api.js";

const WAIT_SECONDS = 60;

export interface Actions {
  /** What was asked for and has not settled yet, by service. */
  pending: Readonly<Record<string, Verb>>;
  error: string | null;
  act: (verb: Verb, name: string) => Promise<void>;
}

/** `onSettled` is called after each action, whether it went well or not. */
export function useActions(client: SupervisorClient, onSettled: () => Promise<void>): Actions {
  const [pending, setPending] = useState<Readonly<Record<string, Verb>>>({});
  const [error, setError] = useState<string | null>(null);

  const act = async (verb: Verb, name: string) => {
    setError(null);
    setPending((before) => ({ ...before, [name]: verb }));
    try {
      await client.act(verb, name, WAIT_SECONDS);
    } catch (caught) {
      setError(`${name} was not ${PAST[verb]}: ${(caught as Error).message}`);
    }
    await onSettled();
    setPending(({ [name]: _, ...others }) => others);
  };

  return { pending, error, act };
}

const PAST: Record<Verb, string> = { start: "started", stop: "stopped", restart: "restarted" };
