// Styles and meanings of the states and the health of services.

/** The style of each state. @type {Record<Api.ServiceState, string>} */
export const STATE_STYLES = {
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

/** The style of each health. @type {Record<Api.Health, string>} */
export const HEALTH_STYLES = { healthy: "good", unhealthy: "bad", unknown: "idle" };

/** Whether no verb is in progress. @param {Api.ServiceState} state */
export const isSettled = (state) => STATE_STYLES[state] !== "busy";

/** Whether it is down and no restart is pending. @param {Api.ServiceState} state */
export const isDown = (state) => ["stopped", "exited", "crashed", "fatal"].includes(state);

/** Whether it failed or is unhealthy. @param {Api.Service} service */
export const hasFailed = (service) =>
  ["crashed", "fatal", "backoff"].includes(service.status) || service.health === "unhealthy";

/** Verbs in the order of the bulk bar. @type {Api.Verb[]} */
export const VERBS = ["start", "stop", "restart", "reload"];

/** Labels of buttons while their verb is in progress. @type {Record<Api.Verb, string>} */
export const IN_PROGRESS = {
  start: "Starting...",
  stop: "Stopping...",
  restart: "Restarting...",
  reload: "Reloading...",
};

/** Labels of buttons. @type {Record<Api.Verb, string>} */
export const LABELS = { start: "Start", stop: "Stop", restart: "Restart", reload: "Reload" };
