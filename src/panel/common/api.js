// Asks the server, and turns what it refuses into a sentence.

import { lost } from "./connection.js";
import { keepSession, sessionToken } from "./session.js";

/** What the server refused, with its own sentence about it. */
export class Refusal extends Error {
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
export class Away extends Error {
  constructor() {
    super("The server is away: this was not done. Try again when it is back.");
  }
}

/** How far the server's clock is ahead of ours, in milliseconds, as far as it matters. */
export let clockAhead = 0;

/**
 * Sends a request and gives the answer, once it is a good one. Where credentials are needed it
 * waits until they were given.
 * @param {string} path relative to the page
 * @param {RequestInit} [options]
 * @returns {Promise<Response>}
 */
export async function request(path, options = {}) {
  const token = sessionToken();
  const shown = token === null ? {} : { Authorization: `Bearer ${token}` };
  let answer;
  try {
    answer = await fetch(path, { ...options, headers: { ...options.headers, ...shown } });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    lost();
    throw new Away();
  }
  noteClock(answer);
  if (answer.status === 401) {
    // Another request may have begun a new session meanwhile.
    if (token !== null && token === sessionToken()) keepSession(null);
    const { logIn } = await import("./login.js");
    await logIn();
    return request(path, options);
  }
  if (!answer.ok) throw new Refusal(answer.status, await detail(answer));
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

/** The sentence of an answer that refuses. @param {Response} answer */
export async function detail(answer) {
  try {
    /** @type {Partial<Api.Problem>} */
    const problem = await answer.json();
    if (typeof problem.detail === "string") return problem.detail;
  } catch {
    // What is between us and the server answers otherwise.
  }
  return `The server answered ${answer.status} ${answer.statusText}: look into its log.`;
}

/** @param {Response} answer */
function noteClock(answer) {
  const told = Date.parse(answer.headers.get("date") ?? "");
  if (Number.isNaN(told)) return;
  const ahead = told - Date.now();
  // The header tells whole seconds.
  clockAhead = Math.abs(ahead) > 2000 ? ahead : 0;
}
