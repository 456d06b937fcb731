// Calls of this worker to itself and to its Durable Objects, which workerd makes in the same isolate
// without us: they are counted, so that a circle ends before this process has no memory left. What
// they print gets a label.

import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
import { Requested } from "./labels.js";
import { callerNow, runAs } from "./primitives.js";
import { targetOf } from "./targets.js";

const OPEN_MAX = 1_000; // each takes about 50 kB
// What nobody calls by these names, or only workerd itself.
const NOT_CALLED = new Set(
  "alarm connect constructor dup email queue scheduled tail test trace webSocketClose webSocketError webSocketMessage".split(" "),
);
const BASES = new Set([DurableObject.prototype, WorkerEntrypoint.prototype, Object.prototype, null]);
let open = 0;

// Lets the methods be counted of every class among the exports that can be called.
export function countOwnCalls(exports) {
  for (const [name, exported] of Object.entries(exports)) {
    const prototype = typeof exported === "function" ? exported.prototype : undefined;
    if (prototype instanceof WorkerEntrypoint || prototype instanceof DurableObject) replaceAll(prototype, name);
  }
}

function replaceAll(prototype, name) {
  for (let each = prototype; !BASES.has(each); each = Object.getPrototypeOf(each)) {
    for (const [method, described] of Object.entries(Object.getOwnPropertyDescriptors(each))) {
      const callable = typeof described.value === "function" && !NOT_CALLED.has(method);
      if (callable && described.configurable) replace(each, name, method, described);
    }
    BASES.add(each);
  }
}

function replace(prototype, name, method, described) {
  const native = described.value;
  const label = { label: `${name}.${method}()` };
  const value = function (...args) {
    if (callerNow() !== undefined) return Reflect.apply(native, this, args); // called by code of this worker
    const scope = method === "fetch" ? requested(args[0]) : label;
    return counted(scope, () => Reflect.apply(native, this, args));
  };
  Object.defineProperty(value, "name", { value: native.name });
  Object.defineProperty(value, "length", { value: native.length });
  Object.defineProperty(prototype, method, { ...described, value });
}

// For whom a handler of requests runs.
export function requested({ method, url }) {
  return new Requested(method, targetOf(url));
}

// Runs what workerd calls for the worker itself.
export async function counted(scope, call) {
  if (open >= OPEN_MAX) {
    throw new Error(`More than ${OPEN_MAX} calls of this worker to itself at a time. Does it call itself in a circle?`);
  }
  open += 1;
  try {
    return await runAs(scope, call);
  } finally {
    open -= 1;
  }
}
