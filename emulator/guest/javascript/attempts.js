// Executes the callbacks and delay functions of steps, and tells the host how they ended.

import { Caller, contextOf, stepError } from "./calls.js";
import { told } from "./failures.js";
import { InvalidOutput, Upload } from "./outputs.js";
import { clearTimeout, runAs, setTimeout } from "./primitives.js";
import { encode } from "./values.js";

const CALLS_MAX = 1_000_000; // of one name by one caller: more than the steps a run may have
const DELAY_TIMEOUT_MS = 5_000;
const DELAY_DEFAULT_MS = 10_000; // where the code no longer has a function
const EMPTY = new Uint8Array(0);

// Executes one attempt of a step. What is no longer wanted when it ends is not told.
export async function attempt(run, call, number, config) {
  if (!run.waitsFor(call)) return;
  call.upload?.stop();
  call.upload = null;
  call.attempt = number;
  let end = { type: "step_end", call: call.number, attempt: number };
  let payload = EMPTY;
  try {
    const ctx = contextOf(call.name, call.count, number, config);
    const { callback } = call;
    const result = await runAs(new Caller(run, call.number, number), () => callback(ctx));
    if (result instanceof ReadableStream) {
      if (!(await upload(run, call, number, result))) return;
      end.stream = true;
    } else {
      payload = encode(result);
    }
  } catch (error) {
    if (run.dropped) return;
    end = { ...end, ...run.outcome(error), ...fatal(error) };
  }
  if (!run.waitsFor(call)) return;
  if (call.attempt === number) call.payload = payload;
  try {
    run.send(end, payload);
  } catch (error) {
    const text = `Step ${call.label} output is too large. Maximum allowed size is 1MiB.`;
    run.send({ ...end, name: "WorkflowInternalError", message: text });
  }
}

// Of a step without a configuration.
export function defaultConfig() {
  return { retries: { limit: 5, delay: 10_000, backoff: "exponential" }, timeout: "10 minutes" };
}

// Sends the stream that an attempt returned; returns whether it is still wanted.
async function upload(run, call, number, stream) {
  if (!run.waitsFor(call) || call.attempt !== number) {
    stream.cancel().catch(() => {});
    return false;
  }
  call.upload = new Upload(run, call.number, number);
  const { upload } = call;
  await upload.sendAll(stream);
  return !upload.over;
}

function fatal(error) {
  if (error instanceof InvalidOutput) return { name: error.kind, message: error.message, fatal: true, stream: true };
  return error instanceof DOMException && error.name === "DataCloneError" ? { fatal: true } : {};
}

// Asks the delay function of a step how long to wait before its next attempt.
export async function delay(run, call, message) {
  const caller = new Caller(run, call.number, 0, CALLS_MAX * message.attempt);
  const error = stepError(message.name, message.message);
  const ctx = contextOf(call.name, call.count, message.attempt, message.config);
  const { payload, problem } = await runAs(caller, () => delayOf(call.delay, { ctx, error }));
  if (run.dropped) return;
  const answer = { type: "step_delayed", call: call.number, attempt: message.attempt };
  run.send(problem === undefined ? answer : { ...answer, problem }, payload);
}

async function delayOf(wanted, given) {
  if (typeof wanted !== "function") return { payload: encode(wanted ?? DELAY_DEFAULT_MS) };
  let timer;
  const limit = new Promise((resolve) => {
    const problem = `did not return within ${DELAY_TIMEOUT_MS / 1000} seconds`;
    timer = setTimeout(() => resolve({ problem }), DELAY_TIMEOUT_MS);
  });
  const answer = (async () => {
    try {
      return { value: await wanted(given) };
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
