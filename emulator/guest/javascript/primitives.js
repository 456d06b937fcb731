// What the guest itself uses of the platform, taken before user code can replace it, and what user
// code gets in its place: the same, but seen by a run that must know whether it waits for it.

import { AsyncLocalStorage } from "node:async_hooks";
import { uncaught } from "./failures.js";

const platform = globalThis;

export const setTimeout = platform.setTimeout.bind(platform);
export const clearTimeout = platform.clearTimeout.bind(platform);

// Which run calls, and from which callback: a Caller.
const callers = new AsyncLocalStorage();

export function runAs(caller, code) {
  return callers.run(caller, code);
}

export function callerNow() {
  return callers.getStore();
}

// Returns the run whose first replay on new code goes on, if it is the one that calls.
export function guarded() {
  const run = callers.getStore()?.run;
  return run !== undefined && run.replay !== null ? run : undefined;
}

const timers = new Map(); // id -> the run that waits for it

function replace(owner, name, make) {
  const native = owner[name];
  if (typeof native !== "function") return;
  const replacement = make(native.bind(owner));
  Object.defineProperty(replacement, "name", { value: name });
  Object.defineProperty(replacement, "length", { value: native.length });
  owner[name] = replacement;
}

replace(platform, "fetch", (original) => (...args) => {
  const run = guarded();
  if (run === undefined) return original(...args);
  return run.replay.io("fetch()", () => original(...args));
});

// Returns a callback of a timer that says what it throws.
function reporting(callback) {
  if (typeof callback !== "function") return callback;
  return (...args) => {
    try {
      callback(...args);
    } catch (error) {
      uncaught("", error);
      throw error;
    }
  };
}

replace(platform, "setTimeout", (original) => (callback, delay, ...args) => {
  const run = guarded();
  if (run === undefined) return original(reporting(callback), delay, ...args);
  run.replay.begin();
  const id = original(
    (...given) => {
      settleTimer(id);
      reporting(callback)(...given);
    },
    delay,
    ...args,
  );
  timers.set(id, run);
  return id;
});

replace(platform, "setInterval", (original) => (callback, ...args) => {
  const id = original(reporting(callback), ...args);
  const run = guarded();
  if (run !== undefined) {
    run.replay.begin();
    timers.set(id, run);
  }
  return id;
});

for (const name of ["clearTimeout", "clearInterval"]) {
  replace(platform, name, (original) => (id) => {
    settleTimer(id);
    return original(id);
  });
}

function settleTimer(id) {
  const run = timers.get(id);
  if (run !== undefined) {
    timers.delete(id);
    run.replay?.end();
  }
}

if (platform.scheduler !== undefined) {
  replace(platform.scheduler, "wait", (original) => (...args) => {
    const run = guarded();
    const wait = () => original(...args);
    return run === undefined ? wait() : run.replay.counted(wait());
  });
}

// Returns a binding that tells the replay of a run about the calls that are made of it.
export function watchedBinding(run, name, target) {
  const originals = new WeakMap(); // what user code holds -> what it stands for
  const given = (value) => {
    if (Array.isArray(value)) return value.map(given);
    return (typeof value === "object" && value !== null && originals.get(value)) || value;
  };
  const wrap = (value, path) => {
    const kind = typeof value;
    if (value === null || (kind !== "object" && kind !== "function")) return value;
    if (kind === "object" && typeof value.then === "function") return value;
    const proxy = new Proxy(value, {
      get(of, key) {
        const member = Reflect.get(of, key, of);
        if (typeof key === "symbol" || typeof member !== "function") return member;
        return (...args) => {
          const call = () => Reflect.apply(member, of, args.map(given));
          if (run.replay === null) return call();
          return call_(run, `${path}.${key}()`, call, wrap);
        };
      },
    });
    originals.set(proxy, value);
    return proxy;
  };
  return wrap(target, `env.${name}`);
}

function call_(run, what, call, wrap) {
  if (run.replay.isProbe && !SYNCHRONOUS.test(what)) return run.replay.refuse(what);
  const result = call();
  if (typeof result?.then === "function") return run.replay.counted(result);
  return wrap(result, what.slice(0, -2));
}

// These make a statement or a session and send nothing.
const SYNCHRONOUS = /\.(prepare|bind|withSession|gateway|idFromName|idFromString|newUniqueId)\(\)$/;
