// What the states and the healths of services look like, and what they mean.

/** The look of each state. @type {Record<Api.ServiceState, string>} */
export const LOOKS = {
  running: "good",
  starting: "busy",
  restarting: "busy",
  stopping: "busy",
  backoff: "warn",
  crashed: "bad",
  fatal: "bad",
  exited: "idle",
  stopped: "idle",
};

/** The look of each health. @type {Record<Api.Health, string>} */
export const HEALTHS = { healthy: "good", unhealthy: "bad", unknown: "idle" };

/** Whether nothing is under way. @param {Api.ServiceState} state */
export const isSettled = (state) => LOOKS[state] !== "busy";

/** Whether it does not run, and is not about to. @param {Api.ServiceState} state */
export const isDown = (state) => ["stopped", "exited", "crashed", "fatal"].includes(state);

/** Whether somebody should look at it. @param {Api.Service} service */
export const isTroubled = (service) =>
  ["crashed", "fatal", "backoff"].includes(service.status) || service.health === "unhealthy";

/** What can be done to a service. @type {Api.Verb[]} */
export const VERBS = ["start", "stop", "restart", "reload"];

/** What a button reads while its verb lasts. @type {Record<Api.Verb, string>} */
export const LASTING = {
  start: "Starting...",
  stop: "Stopping...",
  restart: "Restarting...",
  reload: "Reloading...",
};

/** What a button reads otherwise. @type {Record<Api.Verb, string>} */
export const LABELS = { start: "Start", stop: "Stop", restart: "Restart", reload: "Reload" };
