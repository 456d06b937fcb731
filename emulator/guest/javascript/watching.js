// Input and output that user code does by itself: a guarded run must know whether it waits for it.
// In place of the platform's methods stand some that do the same and are seen.

import { guarded } from "./primitives.js";

const BODY = ["arrayBuffer", "blob", "bytes", "formData", "json", "text"];
const { Cache, ReadableStream, ReadableStreamBYOBReader, ReadableStreamDefaultReader } = globalThis;
const { Response, WebSocket, WritableStreamDefaultWriter } = globalThis;

count(Response, BODY); // of requests too: both extend one class
count(ReadableStream, ["pipeTo"]);
count(ReadableStreamDefaultReader, ["read"]);
count(ReadableStreamBYOBReader, ["read", "readAtLeast"]);
count(WritableStreamDefaultWriter, ["write", "close"]);
count(Cache, ["match", "put", "delete"]);

// What these methods of a class return is waited for.
function count(owner, names) {
  for (const name of names) {
    replace(owner, name, (native) => function (...args) {
      const result = Reflect.apply(native, this, args);
      return guarded()?.replay.counted(result) ?? result;
    });
  }
}

// An iterator of a stream reads without a method of a reader.
for (const name of ["values", Symbol.asyncIterator]) {
  replace(ReadableStream, name, (native) => function (...args) {
    const iterator = Reflect.apply(native, this, args);
    if (guarded() === undefined) return iterator;
    const next = iterator.next.bind(iterator);
    iterator.next = () => {
      const piece = next();
      return guarded()?.replay.counted(piece) ?? piece;
    };
    return iterator;
  });
}

// An open WebSocket may say something at any time.
replace(WebSocket, "accept", (native) => function (...args) {
  Reflect.apply(native, this, args);
  hold(this);
});

if (WebSocket !== undefined) {
  globalThis.WebSocket = new Proxy(WebSocket, {
    construct(native, args, called) {
      const run = guarded();
      if (run?.replay.isProbe) {
        run.replay.refuse("new WebSocket()");
        return Object.create(WebSocket.prototype);
      }
      const socket = Reflect.construct(native, args, called);
      hold(socket);
      return socket;
    },
  });
}

function hold(socket) {
  const run = guarded();
  if (run === undefined) return;
  run.replay.begin();
  let isOpen = true;
  const end = () => {
    if (isOpen) run.replay?.end();
    isOpen = false;
  };
  socket.addEventListener("close", end);
  socket.addEventListener("error", end);
}

// Replaces a method of a class, which may be a method of the class that it extends.
function replace(owner, name, make) {
  let prototype = owner?.prototype;
  while (prototype && !Object.hasOwn(prototype, name)) prototype = Object.getPrototypeOf(prototype);
  const described = prototype && Object.getOwnPropertyDescriptor(prototype, name);
  if (typeof described?.value !== "function") return;
  const value = make(described.value);
  Object.defineProperty(value, "name", { value: described.value.name });
  Object.defineProperty(value, "length", { value: described.value.length });
  Object.defineProperty(prototype, name, { ...described, value });
}
