// Sends requests to the server, and turns its errors into exceptions with a message.

import { connectionLost } from "./connection.js";
import { keepSession, sessionToken } from "./session.js";

/** An error that the server answered, with its own message. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} detail
   */
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** The server could not be reached. */
export class Unreachable extends Error {
  constructor() {
    super("The server is unreachable and the action was not performed. Try again when it is back.");
  }
}

/** How far the server's clock is ahead of ours, in milliseconds; 0 if it is only little. */
export let clockAhead = 0;

/**
 * Sends a request and returns the answer if it is a success. If credentials are needed, waits until
 * the user has logged in.
 * @param {string} path relative to the page
 * @param {RequestInit} [options]
 * @returns {Promise<Response>}
 */
export async function request(path, options = {}) {
  const token = sessionToken();
  const credentials = token === null ? {} : { Authorization: `Bearer ${token}` };
  let answer;
  try {
    answer = await fetch(path, { ...options, headers: { ...options.headers, ...credentials } });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    connectionLost();
    throw new Unreachable();
  }
  noteClock(answer);
  if (answer.status === 401) {
    // Another request may have started a new session meanwhile.
    if (token !== null && token === sessionToken()) keepSession(null);
    const { logIn } = await import("./login.js");
    await logIn();
    return request(path, options);
  }
  if (!answer.ok) throw new ApiError(answer.status, await detail(answer));
  return answer;
}

/**
 * Reads JSON.
 * @template {string} Path
 * @param {Path} path
 * @param {RequestInit} [options]
 * @returns {Promise<Api.AnswerOf<Path>>}
 */
export async function read(path, options) {
  return (await request(path, options)).json();
}

/**
 * Posts JSON, or nothing, and reads the answer's JSON.
 * @template {string} Path
 * @param {Path} path
 * @param {unknown} [body]
 * @returns {Promise<Api.AnswerToPost<Path>>}
 */
export async function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  const answer = await request(path, body === undefined
    ? { method: "POST" }
    : { method: "POST", headers, body: JSON.stringify(body) });
  return answer.json();
}

/** Returns the message of an error. @param {Response} answer */
export async function detail(answer) {
  try {
    /** @type {Partial<Api.Problem>} */
    const problem = await answer.json();
    if (typeof problem.detail === "string") return problem.detail;
  } catch {
    // A proxy may answer in another format.
  }
  return `The server answered ${answer.status} ${answer.statusText}: see its log.`;
}

/** @param {Response} answer */
function noteClock(answer) {
  const sent = Date.parse(answer.headers.get("date") ?? "");
  if (Number.isNaN(sent)) return;
  const ahead = sent - Date.now();
  // The header has whole seconds.
  clockAhead = Math.abs(ahead) > 2000 ? ahead : 0;
}
