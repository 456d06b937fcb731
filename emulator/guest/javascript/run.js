// One run: a pass through the user's `run()`, whose steps are asked of the host by number.
// PROTOCOL.md, section 8, has the rules.

import { attempt, defaultConfig, delay } from "./attempts.js";
import { Call, Caller, stepError } from "./calls.js";
import { failuresOfSteps, told } from "./failures.js";
import { Downloads } from "./outputs.js";
import { callerNow, runAs, watchedBinding } from "./primitives.js";
import { Replay } from "./replay.js";
import { Rollbacks } from "./rollbacks.js";
import { makeStep } from "./step.js";
import { decode, encode } from "./values.js";

const NAME_MAX_CHARS = 256; // longer ones the host refuses
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/u;
const FRAMES = 4; // of the stack above a step, among which the user's is looked for, after the first
const { captureStackTrace } = Error;
const NEVER = new Promise(() => {});

export class Run {
  replay = null; // while it is guarded: no new step may begin
  over = false; // `run()` has ended
  dropped = false;
  asked = 0; // how many calls were made
  label = ""; // of the lines that it prints
  downloads;
  #number;
  #guest;
  #past = new Map(); // "kind name count" -> [outcome, value]
  #damage = "";
  #calls = new Map(); // number -> call
  #free = 0;
  #begun = new Set();
  #rollingBack = false;
  #itself = new Caller(this);
  #rollbacks = new Rollbacks(this);

  constructor(number, guest) {
    this.#number = number;
    this.#guest = guest;
    this.downloads = new Downloads(this);
  }

  get waits() {
    return this.#calls.size > 0;
  }

  // Whether a call is still to be answered.
  waitsFor(call) {
    return !this.dropped && this.#calls.get(call.number) === call;
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
    this.label = `${message.workflow}\t${message.instance}`;
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
    this.dropped = true;
    this.release();
    for (const call of this.#calls.values()) call.upload?.stop();
    this.#calls.clear();
    this.#rollbacks.clear();
    this.downloads.clear();
  }

  stepRun(message) {
    const call = this.#calls.get(message.call);
    if (call?.callback) {
      call.count = message.count || call.count;
      attempt(this, call, message.attempt, message.config);
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

  stepDelay(message) {
    const call = this.#calls.get(message.call);
    if (!call?.callback) return;
    call.count = message.count || call.count;
    delay(this, call, message);
  }

  rollBack(message, payload) {
    this.#rollbacks.order(message, payload);
  }

  // It cannot go on: a message about it could not be handled.
  fail(problem) {
    this.#end({ name: "WorkflowInternalError", message: problem });
    this.drop();
  }

  // --- what user code calls

  // Calls a step; returns a promise of its result. called: the function that user code has called.
  step(called, kind, name, options, { callback, delay, handler } = {}) {
    if (this.dropped) return NEVER;
    const now = callerNow();
    const caller = now?.run === this ? now : this.#itself;
    if (caller.call < 0 || (this.over && !this.#rollingBack)) {
      throw stepError("WorkflowFatalError", "Cannot execute steps during rollback phase");
    }
    const line = this.#lineAbove(called);
    const count = caller.count(kind, name);
    if (handler) this.#rollbacks.keep(caller.call ? this.asked + 1 : `${count} ${name}`, handler);
    const key = `${kind} ${count} ${name}`;
    const known = caller.call ? undefined : this.#past.get(key);
    if (known !== undefined) this.#past.delete(key);
    this.replay?.ask(kind, name, count, line, known === undefined ? this.asked + 1 : 0);
    if (known !== undefined) {
      if (this.#past.size === 0) this.replay?.through();
      return this.#remembered(known, name, count);
    }
    return this.#ask(kind, name, count, options, caller, line, callback, delay);
  }

  // Returns the user's place above a function of ours: as a rule, the next frame is the user's.
  #lineAbove(called) {
    const { positions } = this.#guest;
    return positions.line(stackAbove(called, 1)) || positions.line(stackAbove(called, FRAMES));
  }

  #ask(kind, name, count, options, caller, line, callback, delay) {
    const number = ++this.asked;
    const call = new Call(number, name, count, callback, delay);
    this.#calls.set(number, call);
    if (this.#rollingBack) return call.answer; // it had not ended, and never will
    const started = callback !== undefined && this.#mayBegin(name, count, options, caller, callback);
    const message = { type: "step_begin", call: number, kind, name, count, options };
    if (line) message.line = line;
    if (caller.call) message.parent = caller.call;
    if (started) message.started = true;
    this.send(message);
    if (started) this.#guest.afterFlush(() => attempt(this, call, 1, defaultConfig()));
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
    failuresOfSteps.add(error);
    return error;
  }

  // --- `run()` itself

  async #main(message, payload, ended) {
    let kept = this.#rollingBack;
    try {
      const result = await this.#enter(message, payload);
      if (this.dropped) return;
      if (!this.#rollingBack) this.#end({}, encode(result));
    } catch (error) {
      if (this.dropped) return;
      if (!this.#rollingBack) {
        kept = !this.#rollbacks.isEmpty;
        const end = this.outcome(error, failuresOfSteps.has(error) || (this.replay?.isProbe ?? false));
        if (kept) end.kept = true;
        if (this.#damage) end.damaged = true;
        this.#end(end);
      }
    }
    this.#calls.clear();
    this.over = true;
    if (kept) {
      this.#rollbacks.noMore();
      return;
    }
    this.dropped = true; // what goes on after `run()` is no longer part of the run
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
  outcome(error, shown = false) {
    const { name, message, stack } = told(error);
    const traceback = stack ? this.#guest.positions.mapped(stack) : "";
    if (!shown) runAs(this.#itself, () => console.error(traceback || `${name}: ${message}`));
    return { name, message, traceback };
  }

  // Returns the bindings that a guarded run gets.
  watchedEnv(env) {
    const watched = Object.create(Object.getPrototypeOf(env));
    for (const name of Object.keys(env)) watched[name] = watchedBinding(this, name, env[name]);
    return watched;
  }
}

// Returns the stack of who called a function of ours: the number of frames decides what it costs.
function stackAbove(called, frames) {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = frames;
  const holder = {};
  captureStackTrace(holder, called);
  Error.stackTraceLimit = before;
  return holder.stack;
}
