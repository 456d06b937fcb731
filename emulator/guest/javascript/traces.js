// What one event did, for the workers in `tail_consumers`: what it printed and raised, how it ended.
// Collected only where the worker has such consumers.

import { told } from "./failures.js";
import { host, traced } from "./host.js";
import { runAs } from "./primitives.js";

const now = Date.now;

// By name of the handler: says of its arguments which event it is.
const ABOUT = {
  email: ([, mailFrom, rcptTo, , raw]) => ({ mailFrom, rcptTo, rawSize: raw.byteLength }),
  queue: ([queue, messages]) => ({ queue, batchSize: messages.length }),
  scheduled: ([cron, scheduledTime]) => ({ cron, scheduledTime }),
};

export class Trace {
  #event;
  #entrypoint;
  #began = now();
  #logs = [];
  #exceptions = [];
  #outcome = "ok";

  constructor(event, entrypoint) {
    this.#event = event;
    this.#entrypoint = entrypoint;
  }

  called(method, args, isRpc) {
    this.#event = (!isRpc && ABOUT[method]?.(args)) || { rpcMethod: method };
  }

  answered(status) {
    this.#event.response = { status };
  }

  log(level, args) {
    this.#logs.push({ timestamp: now(), level, message: args.map(plain) });
  }

  raised(error) {
    const { name, message, stack } = told(error);
    this.#outcome = "exception";
    this.#exceptions.push({ timestamp: now(), name, message, stack });
  }

  async send() {
    const item = {
      event: this.#event,
      eventTimestamp: this.#began,
      logs: this.#logs,
      exceptions: this.#exceptions,
      executionModel: "stateless",
      outcome: this.#outcome,
      wallTime: now() - this.#began,
    };
    if (this.#entrypoint) item.entrypoint = this.#entrypoint;
    await host.fetch("http://groundfog/tail", { method: "POST", body: JSON.stringify(item) }).catch(() => {});
  }
}

// Returns what collects a call that comes from the host; undefined: nobody wants to know, or it is
// itself about events.
export function traceOf({ type, method, url, headers, entrypoint }) {
  if (!traced || (type === "invoke" && method === "tail")) return undefined;
  return new Trace(type === "fetch" ? requested(method, url, headers) : {}, entrypoint);
}

// Lets user code answer a request of a client, and tells of it.
export function collected(caller, request, ctx, handle) {
  const trace = new Trace(requested(request.method, request.url, request.headers));
  caller.trace = trace;
  const promises = [];
  const waitUntil = ctx.waitUntil.bind(ctx);
  const value = (promise) => {
    promises.push(promise);
    waitUntil(promise);
  };
  Object.defineProperty(ctx, "waitUntil", { configurable: true, writable: true, value });
  const answered = runAs(caller, async () => {
    const response = await handle();
    trace.answered(response?.status);
    return response;
  });
  const over = answered.catch((error) => trace.raised(error)).then(() => Promise.allSettled(promises));
  waitUntil(over.then(() => trace.send()));
  return answered;
}

function requested(method, url, headers) {
  return { request: { method, url, headers: Object.fromEntries(headers) } };
}

function plain(value) {
  try {
    return JSON.parse(JSON.stringify(value));
  } catch {
    return String(value); // undefined, a circle, a BigInt
  }
}
