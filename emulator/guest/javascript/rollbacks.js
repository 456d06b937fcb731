// Rollback handlers, as `run()` has given them, and the host's orders to call one.

import { Caller, contextOf, stepError } from "./calls.js";
import { runAs, setTimeout } from "./primitives.js";
import { decode } from "./values.js";

const PATIENCE_MS = 10_000; // for `run()`, in replay, to give a handler again
const LOOK_MS = 20;

export class Rollbacks {
  #run;
  #handlers = new Map(); // call, or "count name" -> handler
  #order = null; // what waits for its handler

  constructor(run) {
    this.#run = run;
  }

  get isEmpty() {
    return this.#handlers.size === 0;
  }

  keep(key, handler) {
    this.#handlers.set(key, handler);
    const order = this.#order;
    if (order !== null && keyOf(order.message) === key) this.order(order.message, order.payload);
  }

  // Calls the handler of a step; waits for it as long as `run()` may still give it.
  order(message, payload) {
    this.#order = null;
    const handler = this.#handlers.get(keyOf(message));
    if (handler !== undefined) {
      this.#call(message, payload, handler);
    } else if (this.#run.over || message.given) {
      this.#missing(message);
    } else {
      this.#order = { message, payload };
      this.#lookAgain(this.#order, Date.now() + PATIENCE_MS);
    }
  }

  // `run()` has ended: it gives no more handlers.
  noMore() {
    if (this.#order !== null) this.#missing(this.#order.message);
    this.#order = null;
  }

  clear() {
    this.#handlers.clear();
  }

  async #call(message, payload, handler) {
    const run = this.#run;
    const { call, attempt, name, count } = message;
    const end = { type: "step_end", call, attempt };
    try {
      const label = `${name}-${count}`;
      const output = payload.length ? run.downloads.received(decode(payload), label) : undefined;
      const ctx = contextOf(name, count, message.step_attempt, message.config);
      const error = stepError(message.error_name, message.error_message);
      const caller = new Caller(run, call, attempt);
      await runAs(caller, () => handler({ ctx, error, output, stepName: label }));
      if (!run.dropped) run.send(end);
    } catch (error) {
      if (!run.dropped) run.send({ ...end, ...run.outcome(error) });
    }
  }

  #lookAgain(order, until) {
    setTimeout(() => {
      if (this.#order !== order) return;
      const run = this.#run;
      if (run.over || Date.now() > until || (run.waits && run.asked === order.asked)) {
        this.noMore();
      } else {
        order.asked = run.asked;
        this.#lookAgain(order, until);
      }
    }, LOOK_MS);
  }

  #missing({ call, attempt }) {
    const message = "Rollback function not available in registry";
    this.#run.send({ type: "step_end", call, attempt, name: "RollbackMissing", message });
  }
}

function keyOf(order) {
  return order.given || `${order.nth || order.count} ${order.name}`;
}
