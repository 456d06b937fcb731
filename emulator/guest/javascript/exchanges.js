// Calls of the worker that come from the host: requests, handlers, methods. PROTOCOL.md, section 6.

import { WorkerEntrypoint } from "cloudflare:workers";
import { Incoming, Outgoing } from "./bodies.js";
import { EVENTS } from "./events.js";
import { told } from "./failures.js";
import { Requested } from "./labels.js";
import { objects } from "./host.js";
import { runAs, setTimeout } from "./primitives.js";
import { closeOf, messageOf } from "./sockets.js";
import { atDepth, decodeCalled, encodeCalled, methodOf, notImplemented, ownFunction } from "./stubs.js";
import { targetOf } from "./targets.js";
import { traceOf } from "./traces.js";
import { decode, encode } from "./values.js";

const CHUNK_BYTES = 65_536;
const NULL_BODY = new Set([101, 204, 205, 304]);
const EMPTY = new Uint8Array(0);

export class Exchanges {
  #open = new Map();
  #user;
  #env;
  #ctx;
  #guest;

  constructor(user, env, ctx, guest) {
    this.#user = user;
    this.#env = env;
    this.#ctx = ctx;
    this.#guest = guest;
  }

  receive(message, payload) {
    switch (message.type) {
      case "fetch":
        return this.#begin(message, (exchange) => this.#fetch(message, exchange));
      case "invoke":
        return this.#begin(message, (exchange) => this.#invoke(message, payload, exchange));
    }
    const exchange = this.#open.get(message.id);
    switch (exchange && message.type) {
      case "data":
        return exchange.incoming?.data(payload.slice());
      case "end":
        return exchange.incoming?.end(message.error);
      case "credit":
        return exchange.outgoing.credit(message.bytes);
      case "cancel":
        return exchange.cancel();
    }
  }

  refuse(id, text) {
    this.#guest.send({ type: "invoke_failed", id, name: "Error", message: text, traceback: "" });
    this.#guest.send({ type: "invoke_done", id });
  }

  async #begin(message, handle) {
    const exchange = new Exchange(message, this.#guest);
    this.#open.set(message.id, exchange);
    try {
      const scope = scopeOf(message);
      scope.trace = exchange.trace;
      const handled = runAs(scope, () => atDepth(message.depth, () => handle(exchange)));
      await Promise.race([handled, exchange.cancelled]);
    } catch (error) {
      exchange.trace?.raised(error);
      const { name, message: text, stack } = told(error);
      const traceback = await this.#guest.mapped(stack);
      this.#guest.send({ type: "invoke_failed", id: message.id, name, message: text, traceback });
    }
    await Promise.allSettled(exchange.promises);
    await exchange.trace?.send();
    this.#open.delete(message.id);
    this.#guest.send({ type: "invoke_done", id: message.id });
  }

  // The context of one call: `invoke_done` waits for the promises that it is given.
  #context(exchange, props) {
    const ctx = Object.create(this.#ctx);
    const define = (name, value) => Object.defineProperty(ctx, name, { value, configurable: true });
    define("waitUntil", (promise) => {
      exchange.promises.push(Promise.resolve(promise));
      this.#ctx.waitUntil(promise);
    });
    define("passThroughOnException", () => {});
    define("props", props ?? {});
    return ctx;
  }

  // Returns an instance of a class, for one call.
  #instance(target, message, exchange) {
    if (message.props === undefined) return new target(this.#ctx, this.#env);
    const props = { value: message.props, configurable: true };
    Object.defineProperty(this.#ctx, "props", props); // the constructor takes no other context
    try {
      const instance = new target(this.#ctx, this.#env);
      instance.ctx = this.#context(exchange, message.props);
      return instance;
    } finally {
      delete this.#ctx.props;
    }
  }

  // Returns `[receiver, call]` of a handler: of a class it is a method, of an object a member.
  #handler(message, name, exchange) {
    const ctx = this.#context(exchange, message.props);
    const target = this.#user[message.entrypoint || "default"];
    if (typeof target === "function") {
      const instance = this.#instance(target, message, exchange);
      return [instance, (argument) => instance[name](argument)];
    }
    return [target, (argument) => target[name](argument, this.#env, ctx)];
  }

  async #fetch(message, exchange) {
    const { method, url, headers } = message;
    const given = { method, headers: headers.map(([name, value]) => [name, value]) };
    if (exchange.incoming !== null && !message.web_socket) given.body = exchange.incoming.stream;
    const [receiver, call] = message.durable
      ? durable(message)
      : this.#handler(message, "fetch", exchange);
    if (typeof receiver?.fetch !== "function") {
      throw new TypeError("Handler does not export a fetch() function.");
    }
    const response = await call(new Request(url, given));
    if (!(response instanceof Response)) {
      throw new TypeError(
        "Incorrect type for Promise: the Promise did not resolve to 'Response'.",
      );
    }
    exchange.trace?.answered(response.status);
    if (response.webSocket) return this.#converse(message, response, exchange);
    await this.#respond(message, response, exchange);
  }

  async #respond(message, response, exchange) {
    const head = {
      type: "fetch_response",
      id: message.id,
      status: response.status,
      headers: headersOf(response),
    };
    if (response.statusText) head.status_text = response.statusText;
    const body = NULL_BODY.has(response.status) ? null : response.body;
    if (body === null) return this.#guest.send(head);
    const reader = body.getReader();
    const first = await reader.read();
    const second = first.done ? Promise.resolve(first) : reader.read();
    second.catch(() => {}); // whoever awaits it sees it
    const next = await atOnce(second);
    if (next?.done && (first.done || first.value.length <= CHUNK_BYTES)) {
      return this.#guest.send(head, first.done ? EMPTY : first.value);
    }
    this.#guest.send({ ...head, has_body: true });
    await exchange.outgoing.sendAll(reader, [Promise.resolve(first), second]);
  }

  async #converse(message, response, exchange) {
    const socket = response.webSocket;
    this.#guest.send({
      type: "fetch_response",
      id: message.id,
      status: 101,
      headers: headersOf(response),
      has_body: true,
    });
    socket.binaryType = "arraybuffer";
    const closed = new Promise((resolve) => {
      socket.addEventListener("message", ({ data }) => exchange.outgoing.said(messageOf(data)));
      socket.addEventListener("close", ({ code, reason }) => {
        if (!exchange.incoming.hasClosed) exchange.outgoing.said(closeOf(code, reason));
        resolve();
      });
    });
    socket.accept();
    exchange.incoming.passTo(socket, closed);
    await closed.catch(() => {});
    exchange.outgoing.end();
  }

  async #invoke(message, payload, exchange) {
    const { method, entrypoint, rpc } = message;
    const stream = () => exchange.incoming.stream;
    const args = (rpc ? decodeCalled(payload, stream) : decode(payload, stream)) ?? [];
    let body = null;
    exchange.trace?.called(method, args, rpc);
    const event = entrypoint || rpc ? undefined : EVENTS[method]?.(args);
    const result = rpc
      ? await this.#called(message, exchange)(...args)
      : event === undefined
        ? await this.#method(entrypoint, method, args)
        : await this.#handle(message, event, exchange);
    const found = (each) => body === null && (body = each);
    const value = rpc ? encodeCalled(result, found) : encode(result, found);
    const answer = { type: "invoke_result", id: message.id };
    if (body === null) return this.#guest.send(answer, value);
    this.#guest.send({ ...answer, has_body: true }, value);
    await exchange.outgoing.sendAll(body.getReader(), []);
  }

  // Returns what another worker calls, as a function of the arguments.
  #called(message, exchange) {
    const { method, stub } = message;
    if (stub) return ownFunction(stub, method);
    if (message.durable) return durableMethod(message);
    const target = this.#user[message.entrypoint || "default"];
    if (typeof target === "function") return methodOf(this.#instance(target, message, exchange), method);
    if (typeof target !== "object" || target === null) {
      throw new TypeError(`The worker has no entrypoint "${message.entrypoint || "default"}".`);
    }
    if (typeof target[method] !== "function" || method in Object.prototype) throw notImplemented(method);
    methodOf({ __proto__: { [method]() {} } }, method); // the names that are reserved
    return (argument) => target[method](argument, this.#env, this.#context(exchange, message.props));
  }

  #method(entrypoint, method, args) {
    const target = this.#user[entrypoint || "default"];
    const instance = typeof target === "function" ? new target(this.#ctx, this.#env) : target;
    const hidden = method.startsWith("_") || method in WorkerEntrypoint.prototype;
    if (hidden || typeof instance?.[method] !== "function") {
      throw new TypeError(`The RPC receiver does not implement the method "${method}".`);
    }
    return instance[method](...args);
  }

  // Calls a handler of an event. What it throws is told in the result.
  async #handle(message, [event, outcome], exchange) {
    const name = message.method;
    try {
      const [receiver, call] = this.#handler(message, name, exchange);
      if (typeof receiver?.[name] !== "function") {
        outcome.unhandled = true;
        throw new Error(`Handler does not export a ${name}() function.`);
      }
      await call(event);
    } catch (error) {
      exchange.trace?.raised(error);
      const { name: kind, message, stack } = told(error);
      outcome.outcome = "exception";
      outcome.error = [kind, message, (await this.#guest.mapped(stack)) || `${kind}: ${message}`];
    }
    return outcome;
  }
}

// Returns `[receiver, call]` of the requests of a Durable Object.
function durable({ entrypoint, durable }) {
  const namespace = objects[entrypoint];
  if (namespace === undefined) throw new TypeError(`The worker has no Durable Objects of ${entrypoint}.`);
  const [id, ...name] = durable.split(" ");
  const stub = name.length
    ? namespace.getByName(name.join(" "))
    : namespace.get(namespace.idFromString(id));
  return [stub, (request) => stub.fetch(request)];
}

function durableMethod(message) {
  methodOf({ __proto__: { [message.method]() {} } }, message.method); // the names that are reserved
  const [stub] = durable(message);
  return (...args) => stub[message.method](...args);
}

// For whom the code of a call runs.
function scopeOf({ type, method, url }) {
  return type === "fetch" ? new Requested(method, targetOf(url)) : { label: `${method}()` };
}

class Exchange {
  promises = [];
  incoming;
  outgoing;

  constructor(message, guest) {
    this.incoming = message.has_body ? new Incoming(message.id, guest) : null;
    this.outgoing = new Outgoing(message.id, guest);
    this.trace = traceOf(message);
    this.answered = false;
    this.cancelled = new Promise((_, reject) => {
      this.cancel = () => {
        this.outgoing.stop();
        reject(new Error("The request was cancelled."));
      };
    });
    this.cancelled.catch(() => {});
  }
}

function headersOf(response) {
  const found = [...response.headers].filter(([name]) => name !== "set-cookie");
  const cookies = response.headers.getSetCookie?.() ?? [];
  return [...found, ...cookies.map((cookie) => ["set-cookie", cookie])].map(([name, value]) => [name, value]);
}

// Returns what a promise is resolved with already, or undefined.
function atOnce(promise) {
  const nothing = new Promise((resolve) => setTimeout(resolve, 0));
  return Promise.race([promise.catch(() => undefined), nothing]);
}
