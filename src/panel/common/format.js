// Formats numbers, durations and times.

const number = new Intl.NumberFormat("en");

/** Formats a count with separators: 12,345. @param {number} value */
export const count = (value) => number.format(value);

/** `1 line`, `2 lines`. @param {number} value @param {string} one */
export const plural = (value, one) => `${count(value)} ${one}${value === 1 ? "" : "s"}`;

/**
 * Formats a duration in its two largest units.
 * @param {number} seconds
 */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [days, hours] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24];
  const [minutes, rest] = [Math.floor(whole / 60) % 60, whole % 60];
  if (days > 0) return hours > 0 ? `${days} d ${hours} h` : `${days} d`;
  if (hours > 0) return minutes > 0 ? `${hours} h ${minutes} min` : `${hours} h`;
  if (minutes > 0) return rest > 0 && minutes < 10 ? `${minutes} min ${rest} s` : `${minutes} min`;
  return `${rest} s`;
}

/** Formats the length of a run, short ones to the millisecond. @param {number} seconds */
export function lasted(seconds) {
  return seconds < 10 ? `${Number(seconds.toFixed(seconds < 1 ? 3 : 1))} s` : duration(seconds);
}

/** Formats a number, below ten with one decimal digit. @param {number} value */
const short = (value) => (value < 9.95 ? value.toFixed(1) : String(Math.round(value)));

/** Formats CPU usage, 100 per busy core. @param {number} value */
export const percent = (value) => `${short(value)} %`;

/** Formats memory. @param {number} mebibytes */
export function memory(mebibytes) {
  if (mebibytes >= 1023.5) return `${(mebibytes / 1024).toFixed(1)} GiB`;
  return `${short(mebibytes)} MiB`;
}

const clock = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit", minute: "2-digit", second: "2-digit",
});
const dated = new Intl.DateTimeFormat("en-GB", {
  day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit",
});

/** Formats the local time of day. @param {string} instant in RFC 3339 */
export const timeOfDay = (instant) => clock.format(new Date(instant));

/** Formats a local time, with its day unless that is today. @param {string} instant in RFC 3339 */
export function when(instant) {
  const date = new Date(instant);
  const isToday = date.toDateString() === new Date().toDateString();
  return (isToday ? clock : dated).format(date);
}

/**
 * Describes how a run ended.
 * @param {Api.End} end
 */
export function ending(end) {
  const how = end.signal
    ? `by ${end.signal}`
    : end.exit_code === null ? "with unknown exit status" : `with exit code ${end.exit_code}`;
  return `${how}${end.ended_by ? REASONS[end.ended_by] : ""}`;
}

/** @type {Record<Api.EndedBy, string>} */
const REASONS = {
  itself: ", by itself",
  kill: ", stopped by hand",
  restart: ", for a restart",
  reload: ", for a reload",
  timeout: ", timed out",
  health: ", its health check failed",
  limit: ", over its memory limit",
  shutdown: ", with the server",
  signal: ", a signal from outside",
  lost: ", while the server was down",
};
