// One run: a pass through the user's `run()`, whose steps are asked of the host by number.
// PROTOCOL.md, section 8, has the rules.

import { NonRetryableError } from "cloudflare:workflows";
import { told } from "./failures.js";
import { Downloads, InvalidOutput, Upload } from "./outputs.js";
import { callerNow, clearTimeout, runAs, setTimeout, watchedBinding } from "./primitives.js";
import { Replay } from "./replay.js";
import { decode, encode, errorOf } from "./values.js";
import { makeStep } from "./step.js";

const CALLS_MAX = 1_000_000; // of one name by one caller: more than the steps a run may have
const NAME_MAX_CHARS = 256; // longer ones the host refuses
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/u;
const DELAY_TIMEOUT_MS = 5_000;
const DELAY_DEFAULT_MS = 10_000; // where the code no longer has a function
const ROLLBACK_PATIENCE_MS = 10_000; // for `run()`, in replay, to give a handler again
const LOOK_MS = 20;
const FRAMES = 4; // of the stack above a step, among which the user's is looked for
const { captureStackTrace } = Error;
const NEVER = new Promise(() => {});
const EMPTY = new Uint8Array(0);

// Who calls steps: `run()` itself, as call 0, or one execution of a callback. Below 0: a rollback
// handler. Each counts its own calls, from `after` on.
class Caller {
  #counts = new Map();

  constructor(run, call = 0, attempt = 0, after = 0) {
    Object.assign(this, { run, call, attempt, after });
  }

  count(kind, name) {
    const key = `${kind} ${name}`;
    const count = (this.#counts.get(key) ?? this.after) + 1;
    this.#counts.set(key, count);
    return count;
  }
}

export class Run {
  replay = null; // while it is guarded: no new step may begin
  downloads;
  #number;
  #guest;
  #past = new Map(); // "kind name count" -> [outcome, value]
  #damage = "";
  #dropped = false;
  #over = false; // `run()` has ended
  #calls = new Map(); // number -> call
  #last = 0;
  #free = 0;
  #begun = new Set();
  #rollingBack = false;
  #itself = new Caller(this);
  #handlers = new Map(); // call, or "name count" -> handler
  #order = null; // a rollback that waits for its handler
  #failures = new WeakSet(); // errors of steps, which have been shown

  constructor(number, guest) {
    this.#number = number;
    this.#guest = guest;
    this.downloads = new Downloads(this);
  }

  get dropped() {
    return this.#dropped;
  }

  get waits() {
    return this.#calls.size > 0;
  }

  send(message, payload) {
    this.#guest.send({ run: this.#number, ...message }, payload);
  }

  // --- the host's messages

  remember(payload) {
    try {
      for (const [kind, name, count, outcome, value] of decode(payload)) {
        this.#past.set(`${kind} ${count} ${name}`, [outcome, value]);
      }
    } catch (error) {
      this.#damage ||= `A recorded value of this instance is damaged: ${error.message}`;
    }
  }

  start(message, payload, ended) {
    this.#rollingBack = message.rolling_back ?? false;
    if (message.guarded) this.replay = new Replay(this, message.probe ?? false, this.#guest.positions);
    this.#free = message.free_steps ?? 0;
    for (const [name, count] of message.begun ?? []) this.#begun.add(`${count} ${name}`);
    runAs(this.#itself, () => this.#main(message, payload, ended));
  }

  askFirst() {
    this.#free = 0;
    this.send({ type: "run_asking" });
  }

  release() {
    this.replay?.stop();
    this.replay = null;
  }

  // Forgets everything without settling anything.
  drop() {
    this.#dropped = true;
    this.release();
    for (const call of this.#calls.values()) call.upload?.stop();
    this.#calls.clear();
    this.#handlers.clear();
    this.downloads.clear();
  }

  stepRun(message) {
    const call = this.#calls.get(message.call);
    if (call?.callback) {
      call.count = message.count || call.count;
      this.#attempt(call, message.attempt, message.config);
    }
  }

  stepDone(message, payload) {
    const call = this.#take(message.call);
    if (call === undefined) return;
    try {
      const value = decode(payload.length ? payload : call.payload);
      call.resolve(this.downloads.received(value, call.label));
    } catch (error) {
      call.reject(this.#failure("WorkflowInternalError", `The value of step ${call.label} is damaged: ${error.message}`));
    }
  }

  stepFailed(message) {
    const call = this.#take(message.call);
    call?.reject(this.#failure(message.name, message.message));
  }

  stepTaken(message) {
    this.#calls.get(message.call)?.upload?.taken(message.attempt, message.over ?? false);
  }

  async stepDelay(message) {
    const call = this.#calls.get(message.call);
    if (!call?.callback) return;
    call.count = message.count || call.count;
    const caller = new Caller(this, message.call, 0, CALLS_MAX * message.attempt);
    const error = stepError(message.name, message.message);
    const ctx = contextOf(call.name, call.count, message.attempt, message.config);
    const answer = await runAs(caller, () => delayOf(call.delay, { ctx, error }));
    if (this.#dropped) return;
    const { payload, ...rest } = answer;
    this.send({ type: "step_delayed", call: message.call, attempt: message.attempt, ...rest }, payload);
  }

  rollBack(message, payload) {
    this.#order = null;
    const handler = this.#handlers.get(handlerKey(message));
    if (handler !== undefined) {
      this.#rollBackWith(message, payload, handler);
    } else if (this.#over || message.given) {
      this.#missing(message);
    } else {
      this.#order = { message, payload };
      this.#lookForHandler(this.#order, Date.now() + ROLLBACK_PATIENCE_MS);
    }
  }

  // It cannot go on: a message about it could not be handled.
  fail(problem) {
    this.#end({ name: "WorkflowInternalError", message: problem });
    this.drop();
  }

  // --- what user code calls

  // Calls a step; returns a promise of its result. called: the function that user code has called.
  step(called, kind, name, options, { callback, delay, handler } = {}) {
    if (this.#dropped) return NEVER;
    const now = callerNow();
    const caller = now?.run === this ? now : this.#itself;
    if (caller.call < 0 || (this.#over && !this.#rollingBack)) {
      throw stepError("WorkflowFatalError", "Cannot execute steps during rollback phase");
    }
    const line = this.#guest.positions.line(stackAbove(called));
    const count = caller.count(kind, name);
    if (handler) this.#keepHandler(caller.call ? this.#last + 1 : `${count} ${name}`, handler);
    const key = `${kind} ${count} ${name}`;
    const known = caller.call ? undefined : this.#past.get(key);
    if (known !== undefined) this.#past.delete(key);
    this.replay?.ask(kind, name, count, line, known === undefined ? this.#last + 1 : 0);
    if (known !== undefined) {
      if (this.#past.size === 0) this.replay?.through();
      return this.#remembered(known, name, count);
    }
    return this.#ask(kind, name, count, options, caller, line, callback, delay);
  }

  #ask(kind, name, count, options, caller, line, callback, delay) {
    const number = ++this.#last;
    const call = new Call(number, name, count, callback, delay);
    this.#calls.set(number, call);
    if (this.#rollingBack) return call.answer; // it had not ended, and never will
    const started = callback !== undefined && this.#mayBegin(name, count, options, caller, callback);
    const message = { type: "step_begin", call: number, kind, name, count, options };
    if (line) message.line = line;
    if (caller.call) message.parent = caller.call;
    if (started) message.started = true;
    this.send(message);
    if (started) this.#guest.afterFlush(() => this.#attempt(call, 1, defaultConfig()));
    return call.answer;
  }

  // Whether a step may begin without asking the host, who would certainly allow it.
  #mayBegin(name, count, options, caller, callback) {
    if (this.#free <= 0) return false;
    this.#free -= 1;
    const isFirst = caller.call === 0 || this.#isFirstAttempt(caller);
    return (
      isFirst &&
      callback.length === 0 && // it does not want the configuration
      Object.keys(options).length === 0 &&
      name.length <= NAME_MAX_CHARS &&
      !UNPRINTABLE.test(name) &&
      this.replay === null &&
      !this.#begun.has(`${count} ${name}`)
    );
  }

  #isFirstAttempt(caller) {
    const call = this.#calls.get(caller.call);
    return caller.attempt === 1 && call !== undefined && call.attempt === 1;
  }

  #remembered([outcome, value], name, count) {
    if (outcome === "ok") return Promise.resolve(this.downloads.received(value, `${name}-${count}`));
    const failed = Promise.reject(this.#failure(value.name, value.message));
    failed.catch(() => {}); // whether it is handled is seen by who awaits it
    return failed;
  }

  #take(number) {
    const call = this.#calls.get(number);
    this.#calls.delete(number);
    call?.upload?.stop();
    return call;
  }

  #failure(name, message) {
    const error = stepError(name, message);
    this.#failures.add(error);
    return error;
  }

  // --- what the host orders

  async #attempt(call, attempt, config) {
    if (this.#dropped || this.#calls.get(call.number) !== call) return;
    call.upload?.stop();
    call.upload = null;
    call.attempt = attempt;
    const caller = new Caller(this, call.number, attempt);
    let end = { type: "step_end", call: call.number, attempt };
    let payload = EMPTY;
    try {
      const ctx = contextOf(call.name, call.count, attempt, config);
      const { callback } = call;
      const result = await runAs(caller, () => callback(ctx));
      if (result instanceof ReadableStream) {
        if (!(await this.#upload(result, call, attempt))) return;
        end.stream = true;
      } else {
        payload = encode(result);
      }
    } catch (error) {
      if (this.#dropped) return;
      end = { ...end, ...this.#outcome(error), ...fatal(error) };
    }
    if (this.#calls.get(call.number) !== call || this.#dropped) return;
    if (call.attempt === attempt) call.payload = payload;
    try {
      this.send(end, payload);
    } catch (error) {
      const text = `Step ${call.label} output is too large. Maximum allowed size is 1MiB.`;
      this.send({ ...end, name: "WorkflowInternalError", message: text });
    }
  }

  async #upload(stream, call, attempt) {
    if (this.#calls.get(call.number) !== call || call.attempt !== attempt) {
      stream.cancel().catch(() => {});
      return false;
    }
    const upload = (call.upload = new Upload(this, call.number, attempt));
    await upload.sendAll(stream);
    return !upload.over;
  }

  #keepHandler(key, handler) {
    this.#handlers.set(key, handler);
    const order = this.#order;
    if (order !== null && handlerKey(order.message) === key) this.rollBack(order.message, order.payload);
  }

  async #rollBackWith(message, payload, handler) {
    const { call, attempt, name, count } = message;
    const end = { type: "step_end", call, attempt };
    try {
      const label = `${name}-${count}`;
      const output = payload.length ? this.downloads.received(decode(payload), label) : undefined;
      const ctx = contextOf(name, count, message.step_attempt, message.config);
      const error = stepError(message.error_name, message.error_message);
      const caller = new Caller(this, call, attempt);
      await runAs(caller, () => handler({ ctx, error, output, stepName: label }));
      if (!this.#dropped) this.send(end);
    } catch (error) {
      if (!this.#dropped) this.send({ ...end, ...this.#outcome(error) });
    }
  }

  #lookForHandler(order, until) {
    setTimeout(() => {
      if (this.#order !== order) return;
      if (this.#over || Date.now() > until || (this.waits && this.#last === order.last)) {
        this.#order = null;
        this.#missing(order.message);
      } else {
        order.last = this.#last;
        this.#lookForHandler(order, until);
      }
    }, LOOK_MS);
  }

  #missing({ call, attempt }) {
    const message = "Rollback function not available in registry";
    this.send({ type: "step_end", call, attempt, name: "RollbackMissing", message });
  }

  // --- `run()` itself

  async #main(message, payload, ended) {
    let kept = this.#rollingBack;
    try {
      const result = await this.#enter(message, payload);
      if (this.#dropped) return;
      if (!this.#rollingBack) this.#end({}, encode(result));
    } catch (error) {
      if (this.#dropped) return;
      if (!this.#rollingBack) {
        kept = this.#handlers.size > 0;
        const end = this.#outcome(error, this.#failures.has(error) || (this.replay?.isProbe ?? false));
        if (kept) end.kept = true;
        if (this.#damage) end.damaged = true;
        this.#end(end);
      }
    }
    this.#calls.clear();
    this.#over = true;
    if (kept) {
      if (this.#order !== null) this.#missing(this.#order.message);
      this.#order = null;
      return;
    }
    this.#dropped = true; // what goes on after `run()` is no longer part of the run
    ended();
  }

  #end(end, payload) {
    this.#free = 0;
    this.replay?.ended(end.name ? `${end.name}: ${end.message}` : "");
    try {
      this.send({ type: "run_end", ...end }, payload);
    } catch (error) {
      const text = `the value returned from run() does not fit: ${error.message}`;
      this.send({ type: "run_end", name: "RangeError", message: text });
    }
  }

  async #enter(message, payload) {
    const Workflow = this.#guest.workflow(message.class_name);
    if (typeof Workflow !== "function") {
      throw new TypeError(`There is no class "${message.class_name}" among the exports of the main module.`);
    }
    let event;
    try {
      event = decode(payload);
    } catch (error) {
      this.#damage ||= `The event of this instance is damaged: ${error.message}`;
    }
    if (this.#damage) {
      if (this.replay?.isProbe) this.replay.tell("restless", this.#damage);
      this.release(); // it has asked for nothing, which tells nothing about the code
      throw stepError("WorkflowInternalError", this.#damage);
    }
    event.instanceId ??= message.instance;
    event.workflowName ??= message.workflow;
    const step = makeStep(this);
    return this.#guest.inEnvOf(this, (ctx, env) => new Workflow(ctx, env).run(event, step));
  }

  // Returns name, message and stack of what user code threw, and shows it, unless it was `shown`.
  #outcome(error, shown = false) {
    const { name, message, stack } = told(error);
    const traceback = stack ? this.#guest.positions.mapped(stack) : "";
    if (!shown) console.error(traceback || `${name}: ${message}`);
    return { name, message, traceback };
  }

  // Returns the bindings that a guarded run gets.
  watchedEnv(env) {
    const watched = Object.create(Object.getPrototypeOf(env));
    for (const name of Object.keys(env)) watched[name] = watchedBinding(this, name, env[name]);
    return watched;
  }
}

class Call {
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

function handlerKey(order) {
  return order.given || `${order.nth || order.count} ${order.name}`;
}

function contextOf(name, count, attempt, config) {
  return { step: { name, count }, attempt, config };
}

// Of a step without a configuration.
function defaultConfig() {
  return { retries: { limit: 5, delay: 10_000, backoff: "exponential" }, timeout: "10 minutes" };
}

// Returns what a failed step throws into `run()`.
export function stepError(name, message) {
  if (name === "NonRetryableError") return new NonRetryableError(message);
  return errorOf(name, message);
}

function fatal(error) {
  if (error instanceof InvalidOutput) return { name: error.kind, message: error.message, fatal: true, stream: true };
  return error instanceof DOMException && error.name === "DataCloneError" ? { fatal: true } : {};
}

async function delayOf(delay, given) {
  if (typeof delay !== "function") return { payload: encode(delay ?? DELAY_DEFAULT_MS) };
  let timer;
  const limit = new Promise((resolve) => {
    const problem = `did not return within ${DELAY_TIMEOUT_MS / 1000} seconds`;
    timer = setTimeout(() => resolve({ problem }), DELAY_TIMEOUT_MS);
  });
  const answer = (async () => {
    try {
      return { value: await delay(given) };
    } catch (error) {
      return { problem: `threw an error: ${told(error).message}` };
    }
  })();
  const found = await Promise.race([answer, limit]);
  clearTimeout(timer);
  if (found.problem !== undefined) return { problem: found.problem };
  try {
    return { payload: encode(found.value) };
  } catch {
    return { payload: encode(null) }; // it is not a duration
  }
}

// Returns the stack of who called a function of ours: `stackTraceLimit` bounds what it costs.
function stackAbove(called) {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = FRAMES;
  const holder = {};
  captureStackTrace(holder, called);
  Error.stackTraceLimit = before;
  return holder.stack;
}
