// The `step` that `run(event, step)` gets. What it is given is plain JSON, or a TypeError.

const DEFAULT_EVENT_TIMEOUT = "24 hours";

export function makeStep(run) {
  const own = {
    do(name, ...rest) {
      const config = typeof rest[0] === "function" ? undefined : rest.shift();
      const [callback, rollback] = rest;
      nameOf(name);
      if (typeof callback !== "function") {
        throw new TypeError(`step.do("${name}") needs a function; it got ${shown(callback)}.`);
      }
      const options = doOptions(name, config, rollback);
      const delay = config?.retries?.delay;
      return run.step(own.do, "do", name, options, { callback, delay, handler: rollback?.rollback });
    },

    sleep(name, duration) {
      nameOf(name);
      const given = plain(duration, `step.sleep("${name}"): duration`);
      return run.step(own.sleep, "sleep", name, { duration: given }).then(nothing);
    },

    sleepUntil(name, timestamp) {
      nameOf(name);
      const ms = timestamp instanceof Date ? timestamp.getTime() : timestamp;
      const given = plain(ms, `step.sleepUntil("${name}"): timestamp`);
      return run.step(own.sleepUntil, "sleep", name, { timestamp: given }).then(nothing);
    },

    waitForEvent(name, options) {
      nameOf(name);
      const { type, timeout = DEFAULT_EVENT_TIMEOUT } = options ?? {};
      if (typeof type !== "string") {
        throw new TypeError(`step.waitForEvent("${name}") needs { type: string }; type is ${shown(type)}.`);
      }
      const given = plain(timeout, `step.waitForEvent("${name}"): timeout`);
      return run.step(own.waitForEvent, "waitForEvent", name, { type, timeout: given });
    },
  };
  return { ...own }; // user code may replace its methods
}

// What a sleep gives: what is recorded of it would be `null`.
function nothing() {}

function nameOf(name) {
  if (typeof name !== "string") throw new TypeError(`a step name must be a string, not ${shown(name)}`);
}

function doOptions(name, config, rollback) {
  const options = {};
  if (config !== undefined && config !== null) options.config = plain(config, `step.do("${name}"): config`);
  if (rollback !== undefined && rollback !== null) {
    if (typeof rollback.rollback !== "function") {
      throw new TypeError(`Rollback for "${name}" must be a function`);
    }
    options.rollback = plain(rollback.rollbackConfig ?? {}, `step.do("${name}"): rollbackConfig`);
  }
  return options;
}

// Returns `value` if it is plain JSON; a delay that is a function becomes a mark of it.
function plain(value, what) {
  switch (typeof value) {
    case "string":
    case "boolean":
    case "number":
      return value;
    case "function":
      if (what.endsWith(": config.retries.delay")) return { $function: 1 };
      break;
    case "object": {
      if (value === null) return null;
      if (Array.isArray(value)) return value.map((item) => plain(item, what));
      const found = {};
      for (const [key, item] of Object.entries(value)) {
        if (item !== undefined) found[key] = plain(item, `${what}.${key}`);
      }
      return found;
    }
  }
  throw new TypeError(`${what} is ${shown(value)}; expected plain JSON.`);
}

function shown(value) {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
