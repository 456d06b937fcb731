// The guest: takes the host's messages and passes each to the exchange or run it is about.
// PROTOCOL.md.

import { WorkerEntrypoint, WorkflowEntrypoint, withEnv } from "cloudflare:workers";
import { Connection } from "./connection.js";
import { Exchanges } from "./exchanges.js";
import { sourceMap, watchedContext } from "./failures.js";
import { Positions } from "./positions.js";
import { Run } from "./run.js";
import { useAddress } from "./stubs.js";

const PROTOCOL_VERSION = 2;
const EMPTY = new Uint8Array(0);

export class Guest {
  positions;
  #connection;
  #exchanges;
  #user;
  #env;
  #ctx;
  #runs = new Map();
  #loaded;
  #held = null; // messages that wait for the source map

  constructor(socket, user, env, ctx) {
    this.#user = user;
    this.#env = env;
    this.#ctx = watchedContext(ctx);
    const receive = ([message, payload]) => this.#receive(message, payload);
    this.#connection = new Connection(socket, receive);
    this.#exchanges = new Exchanges(user, env, this.#ctx, this);
  }

  send(message, payload = EMPTY) {
    this.#connection.send(message, payload);
  }

  // Calls `code` once everything that was sent up to now has left.
  afterFlush(code) {
    this.#connection.afterFlush(code);
  }

  // Returns a class of the main module.
  workflow(name) {
    return Object.hasOwn(this.#user, name) ? this.#user[name] : undefined;
  }

  // Calls `code` with the context and bindings of a run.
  inEnvOf(run, code) {
    if (run.replay === null) return code(this.#ctx, this.#env);
    const env = run.watchedEnv(this.#env);
    return withEnv(env, () => code(this.#ctx, env));
  }

  // Returns a stack with the user's places.
  async mapped(stack) {
    if (!stack) return "";
    this.positions ??= await this.#readPositions();
    return this.positions.mapped(stack);
  }

  #receive(message, payload) {
    if (this.#held !== null) {
      this.#held.push([message, payload.slice()]);
      return;
    }
    try {
      this.#handle(message, payload);
    } catch (error) {
      this.#fail(message, error);
    }
  }

  #handle(message, payload) {
    const run = this.#runs.get(message.run);
    switch (message.type) {
      case "load":
        return this.#load(message);
      case "ping":
        return this.send({ type: "pong", number: message.number });
      case "shutdown":
        return this.#connection.close();
      case "history":
        return this.#run(message.run).remember(payload);
      case "run_start":
        if (this.positions === undefined) return this.#hold(message, payload);
        return this.#run(message.run).start(message, payload, () => this.#runs.delete(message.run));
      case "run_abort":
        this.#runs.delete(message.run);
        return run?.drop();
      case "run_ask_first":
        return run?.askFirst();
      case "run_release":
        return run?.release();
      case "step_run":
        return run?.stepRun(message);
      case "step_done":
        return run?.stepDone(message, payload);
      case "step_failed":
        return run?.stepFailed(message);
      case "step_taken":
        return run?.stepTaken(message);
      case "step_delay":
        return run?.stepDelay(message);
      case "rollback_run":
        return run?.rollBack(message, payload);
      case "stream_piece":
        return run?.downloads.piece(message, payload);
      default:
        return this.#exchanges.receive(message, payload);
    }
  }

  // Fails only the run or exchange of a message that could not be handled.
  #fail(message, error) {
    const text = `${message.type} could not be handled: ${error}`;
    const run = this.#runs.get(message.run);
    if (run !== undefined) {
      this.#runs.delete(message.run);
      run.fail(text);
    } else if (message.type === "fetch" || message.type === "invoke") {
      this.#exchanges.refuse(message.id, text);
    } else {
      console.error(text);
      this.#connection.close();
    }
  }

  #run(number) {
    let run = this.#runs.get(number);
    if (run === undefined) {
      run = new Run(number, this);
      this.#runs.set(number, run);
    }
    return run;
  }

  // Runs need the source map, which is asked for when the first one comes.
  async #hold(message, payload) {
    this.#held = [[message, payload.slice()]];
    this.positions = await this.#readPositions();
    const held = this.#held;
    this.#held = null;
    for (const each of held) this.#receive(...each);
  }

  async #readPositions() {
    const { main, project_dir: project } = this.#loaded;
    return new Positions(main, project, await sourceMap().catch(() => ""));
  }

  #load(message) {
    if (message.protocol !== PROTOCOL_VERSION) {
      const text =
        `The host speaks version ${message.protocol} of the runner protocol, the guest version` +
        ` ${PROTOCOL_VERSION}. Use host and guest of the same version of Groundfog.`;
      return this.send({ type: "load_failed", name: "ProtocolVersionError", message: text, traceback: "" });
    }
    useAddress(message.address);
    this.#loaded = { ...message, main: shown(message.main, message.project_dir) };
    this.send({
      type: "loaded",
      protocol: PROTOCOL_VERSION,
      free_steps: true,
      ...exportsOf(this.#user, this.#loaded.main),
    });
  }
}

function shown(file, folder) {
  return file.startsWith(`${folder}/`) ? file.slice(folder.length + 1) : file;
}

// Sorts what the module exports, as `loaded` tells it.
function exportsOf(user, main) {
  const found = { entrypoints: {}, workflows: {}, classes: {} };
  for (const [name, value] of Object.entries(user)) {
    const kind = kindOf(name, value);
    if (kind) found[kind][name] = main;
  }
  return found;
}

function kindOf(name, value) {
  if (typeof value === "function") {
    if (value.prototype instanceof WorkflowEntrypoint) return "workflows";
    if (value.prototype instanceof WorkerEntrypoint) return "entrypoints";
    return typeof value.prototype === "object" ? "classes" : undefined;
  }
  return name === "default" && typeof value === "object" && value ? "entrypoints" : undefined;
}
