// What the states and the healths of services look like, and what they mean.

/** The look of each state. */
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

/** The look of each health. */
export const HEALTHS = { healthy: "good", unhealthy: "bad", unknown: "idle" };

/** Whether nothing is under way. @param {string} state */
export const isSettled = (state) => LOOKS[state] !== "busy";

/** Whether it does not run, and is not about to. @param {string} state */
export const isDown = (state) => ["stopped", "exited", "crashed", "fatal"].includes(state);

/** Whether somebody should look at it. @param {{status: string, health: string}} service */
export const isTroubled = (service) =>
  ["crashed", "fatal", "backoff"].includes(service.status) || service.health === "unhealthy";

/** What a button reads while its verb lasts. */
export const LASTING = {
  start: "Starting...",
  stop: "Stopping...",
  restart: "Restarting...",
  reload: "Reloading...",
};

/** What a button reads otherwise. */
export const LABELS = { start: "Start", stop: "Stop", restart: "Restart", reload: "Reload" };
