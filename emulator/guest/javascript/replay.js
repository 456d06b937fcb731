// A guarded run: tells the host what it has asked for when it rests, without any new step.
//
// Which promise waits for which cannot be seen. So what the run was given is counted: timers,
// requests and calls of bindings. It is at rest when a step was asked for, nothing that was counted
// is pending, and the loop has gone round twice without a new call. PROTOCOL.md, annex B.

import { clearTimeout, setTimeout } from "./primitives.js";

const REST_TIMEOUT_MS = 5_000;
const PATIENCE_MS = 20; // after all history, the host most often knows enough without waiting
const NEVER = new Promise(() => {});

export class Replay {
  #run;
  #positions;
  #asked = [];
  #pending = 0;
  #quiet = 0; // looks in a row that have seen no change
  #seen = -1;
  #until = Date.now() + REST_TIMEOUT_MS;
  #patience = 0;
  #timer;
  #over = false;

  constructor(run, isProbe, positions) {
    this.#run = run;
    this.isProbe = isProbe;
    this.#positions = positions;
    this.#lookAgain(0);
  }

  ask(kind, name, count, line, call) {
    this.#asked.push([kind, name, count, line, call]);
  }

  // Everything in history has been asked for.
  through() {
    if (this.#over) return;
    this.#patience = PATIENCE_MS;
    this.#run.send({ type: "replayed", state: "through", asked: [], declared: [] });
  }

  // `run()` is over; `error` is what it threw, or "".
  ended(error) {
    this.tell("ended", error);
  }

  // Something begins that the run may wait for.
  begin() {
    this.#pending += 1;
  }

  end() {
    this.#pending -= 1;
    this.#seen = -1;
  }

  counted(promise) {
    this.begin();
    const end = () => this.end();
    promise.then(end, end);
    return promise;
  }

  // Makes a call that cannot be undone, unless this is a probe.
  io(what, call) {
    return this.isProbe ? this.refuse(what) : this.counted(call());
  }

  refuse(what) {
    const line = this.#positions.line(new Error().stack);
    this.tell("restless", `${what} at ${line || "an unknown place"}`);
    return NEVER;
  }

  stop() {
    this.#over = true;
    clearTimeout(this.#timer);
  }

  tell(state, where = "") {
    if (this.#over) return;
    this.stop();
    const message = { type: "replayed", state, asked: this.#asked, declared: [] };
    this.#run.send(where ? { ...message, where } : message);
  }

  #lookAgain(delay) {
    this.#timer = setTimeout(() => this.#look(), delay);
  }

  #look() {
    if (this.#over) return;
    const isQuiet = this.#pending === 0 && this.#run.waits && this.#asked.length === this.#seen;
    this.#seen = this.#asked.length;
    this.#quiet = isQuiet && !this.#run.downloads.busy ? this.#quiet + 1 : 0;
    if (this.#quiet >= 2) {
      if (this.#patience === 0) return this.tell("rested");
      const delay = this.#patience;
      this.#patience = 0;
      return this.#lookAgain(delay);
    }
    if (Date.now() >= this.#until) {
      return this.tell("restless", "waiting for something other than a step");
    }
    this.#lookAgain(this.#pending === 0 ? 0 : 5);
  }
}
