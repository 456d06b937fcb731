// Calls of steps: who makes them, and what each waits for.

import { NonRetryableError } from "cloudflare:workflows";
import { errorOf } from "./values.js";

const EMPTY = new Uint8Array(0);

// Who calls steps: `run()` itself, as call 0, or one execution of a callback. Below 0: a rollback
// handler. Each counts its own calls, from `after` on.
export class Caller {
  #counts = new Map();

  constructor(run, call = 0, attempt = 0, after = 0) {
    Object.assign(this, { run, call, attempt, after });
  }

  get label() {
    return this.run.label;
  }

  count(kind, name) {
    const key = `${kind} ${name}`;
    const count = (this.#counts.get(key) ?? this.after) + 1;
    this.#counts.set(key, count);
    return count;
  }
}

export class Call {
  attempt = 0;
  payload = EMPTY; // of the attempt in flight, once it has returned
  upload = null; // of the attempt in flight, if it returned a stream

  constructor(number, name, count, callback, delay) {
    Object.assign(this, { number, name, count, callback, delay });
    this.answer = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  get label() {
    return `${this.name}-${this.count}`;
  }
}

// Returns what callbacks, delays and rollback handlers get of their step.
export function contextOf(name, count, attempt, config) {
  return { step: { name, count }, attempt, config };
}

// Returns what a failed step throws into `run()`.
export function stepError(name, message) {
  if (name === "NonRetryableError") return new NonRetryableError(message);
  return errorOf(name, message);
}
