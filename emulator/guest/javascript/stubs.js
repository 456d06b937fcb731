// Functions, and objects with methods, that cross to other workers: our own by number, and those of
// others as what calls them. PROTOCOL.md, section 6.

import { AsyncLocalStorage } from "node:async_hooks";
import { RpcTarget } from "cloudflare:workers";
import { host } from "./host.js";
import { decode, encode, errorOf } from "./values.js";

const sent = new Map(); // number -> function or object
const received = new WeakMap(); // what user code holds -> [owner, number]
const depths = new AsyncLocalStorage(); // how many calls of workers this one is inside of
let address = "";
let next = 1;

export function useAddress(given) {
  address = given ?? "";
}

export function atDepth(depth, code) {
  return depth ? depths.run(depth, code) : code();
}

export function depthNow() {
  return depths.getStore() ?? 0;
}

// Returns `[owner, number]` of what can be called elsewhere; undefined of anything else.
function sentAs(value) {
  const known = received.get(value);
  if (known !== undefined) return known;
  const callable = typeof value === "function" || value instanceof RpcTarget;
  if (!callable || address === "") return undefined;
  sent.set(next, value);
  return [address, next++];
}

// Returns what calls a function of another worker, or the methods of an object there.
function stubOf([owner, number]) {
  const called = (name) => (...args) => ask(host, "/stub", `${owner} ${number} ${name}`, args);
  const stub = new Proxy(called(""), {
    get(of, key) {
      if (key === Symbol.dispose) return () => {};
      if (typeof key !== "string" || key === "then") return undefined;
      return key === "dup" ? () => stub : called(key);
    },
  });
  received.set(stub, [owner, number]);
  return stub;
}

// Returns what others know by this number, as a function of the arguments.
export function ownFunction(number, method) {
  const value = sent.get(number);
  if (value === undefined) throw new Error("RPC stub used after being disposed.");
  if (method === "" && typeof value === "function") return (...args) => value(...args);
  if (!(value instanceof RpcTarget)) throw notImplemented(method);
  return methodOf(value, method);
}

// Source: https://github.com/cloudflare/workerd/blob/main/src/workerd/api/worker-rpc.c++
const RESERVED = new Set(
  "alarm connect constructor dup fetch webSocketClose webSocketError webSocketMessage".split(" "),
);

// Returns a method of an instance that other workers may call. Throws as workerd does.
export function methodOf(instance, name) {
  if (RESERVED.has(name)) {
    throw new TypeError(`'${name}' is a reserved method and cannot be called over RPC.`);
  }
  const hidden = Object.hasOwn(instance, name) || name in Object.prototype;
  if (hidden || typeof instance[name] !== "function") throw notImplemented(name);
  return (...args) => instance[name](...args);
}

export function notImplemented(name) {
  return new TypeError(`The RPC receiver does not implement the method "${name}".`);
}

// `encode` and `decode` of a value that may have functions in it.
export function encodeCalled(value, body) {
  return encode(value, body, sentAs);
}

export function decodeCalled(bytes, body) {
  return decode(bytes, body, stubOf);
}

// Calls a method through a service that leads to the host, and returns the promise of its result,
// on which methods can be called before it is there.
export function ask(service, path, method, args) {
  return pipelined(asked(service, path, method, args));
}

async function asked(service, path, method, args) {
  let stream = null;
  const payload = encodeCalled(args, (found) => stream === null && (stream = found));
  const headers = {
    "x-groundfog-method": encodeURIComponent(method),
    "x-groundfog-depth": String(depthNow()),
    "x-groundfog-payload": String(payload.length),
  };
  const body = stream === null ? payload : followed(payload, stream);
  if (stream !== null) headers["x-groundfog-stream"] = "1";
  const answer = await service.fetch(`http://groundfog${path}`, { method: "POST", headers, body });
  const size = answer.headers.get("x-groundfog-payload");
  if (size !== null) return withStream(answer.body, Number(size));
  const value = decodeCalled(new Uint8Array(await answer.arrayBuffer()));
  if (answer.status === 200) return value;
  throw errorOf(value.name, value.message);
}

// Returns a stream of bytes and of what follows them.
function followed(bytes, stream) {
  const { readable, writable } = new TransformStream();
  const writer = writable.getWriter();
  writer.write(bytes).then(() => {
    writer.releaseLock();
    return stream.pipeTo(writable);
  }).catch(() => {}); // whoever reads it hears of it
  return readable;
}

// Returns a value whose stream follows it.
async function withStream(body, size) {
  const reader = body.getReader();
  let seen = new Uint8Array(0);
  while (seen.length < size) {
    const { done, value } = await reader.read();
    if (done) throw new Error("The answer was cut off.");
    const whole = new Uint8Array(seen.length + value.length);
    whole.set(seen);
    whole.set(value, seen.length);
    seen = whole;
  }
  const rest = seen.slice(size);
  return decodeCalled(seen.slice(0, size), () => streamOf(rest, reader));
}

function streamOf(first, reader) {
  return new ReadableStream({
    type: "bytes",
    start: (controller) => first.length > 0 && controller.enqueue(first),
    async pull(controller) {
      const { done, value } = await reader.read();
      if (!done) return controller.enqueue(value);
      controller.close();
      controller.byobRequest?.respond(0);
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

const PROMISE = new Set(["then", "catch", "finally"]);

// Returns a promise whose value's members can be called before it is there.
function pipelined(promise) {
  return member(() => promise, undefined, "");
}

function member(value, parent, key) {
  return new Proxy(() => {}, {
    get(of, name) {
      if (PROMISE.has(name)) {
        const promise = value();
        return promise[name].bind(promise);
      }
      if (name === Symbol.dispose) return () => {};
      if (typeof name !== "string") return undefined;
      return member(() => value().then((found) => found[name]), value, name);
    },
    apply(of, self, args) {
      const called = parent === undefined
        ? value().then((found) => found(...args))
        : parent().then((found) => found[key](...args));
      return pipelined(called);
    },
  });
}
