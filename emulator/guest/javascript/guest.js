// The guest: takes the host's messages and passes each to what it is about. PROTOCOL.md.

import { DurableObject, WorkerEntrypoint, WorkflowEntrypoint } from "cloudflare:workers";
import { Connection } from "./connection.js";

const PROTOCOL_VERSION = 2;

export class Guest {
  #connection;
  #user;
  #loaded = false;

  constructor(socket, user, env, ctx) {
    this.#user = user;
    this.#connection = new Connection(
      socket,
      ([message, payload]) => this.#receive(message, payload),
      () => {},
    );
  }

  #receive(message, payload) {
    switch (message.type) {
      case "load":
        return this.#load(message);
      case "ping":
        return this.#connection.send({ type: "pong", number: message.number });
      case "fetch":
      case "invoke": {
        const text = "Calls from the host do not reach TypeScript workers yet.";
        const { id } = message;
        this.#connection.send({ type: "invoke_failed", id, name: "Error", message: text, traceback: "" });
        return this.#connection.send({ type: "invoke_done", id });
      }
      case "shutdown":
        return this.#connection.close();
    }
  }

  #load(message) {
    if (message.protocol !== PROTOCOL_VERSION) {
      const text =
        `The host speaks version ${message.protocol} of the runner protocol, the guest version` +
        ` ${PROTOCOL_VERSION}. Use host and guest of the same version of Groundfog.`;
      this.#connection.send({
        type: "load_failed",
        name: "ProtocolVersionError",
        message: text,
        traceback: "",
      });
      return;
    }
    this.#loaded = true;
    this.#connection.send({
      type: "loaded",
      protocol: PROTOCOL_VERSION,
      free_steps: true,
      ...exportsOf(this.#user, message.main),
    });
  }
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
