// Bindings to other workers and to their Durable Objects: `fetch` and every method goes to the host.

import { env } from "cloudflare:workers";
import { dispatchers, ids, workers } from "./host.js";
import { closeOf, messageOf, passTo } from "./sockets.js";
import { ask, depthNow } from "./stubs.js";
import { errorOf } from "./values.js";

const METHODS = "x-groundfog-method";
const OBJECT = "x-groundfog-object";
const SOCKET = "x-groundfog-socket";

// What user code calls takes the place of services that lead to the host.
for (const name of workers) env[name] = worker(env[name]);
for (const name of dispatchers) env[name] = dispatcher(env[name]);
for (const [name, made] of Object.entries(ids)) env[name] = namespace(env[name], made);

// Finds workers by name: each request says which one it is for.
function dispatcher(service) {
  const to = (name) => ({
    fetch(input, init) {
      const request = new Request(input, init);
      request.headers.set("x-groundfog-worker", encodeURIComponent(name));
      return service.fetch(request);
    },
  });
  return { get: (name) => worker(to(String(name))) };
}

function worker(service) {
  return called({}, service, (method) => method);
}

// made: a namespace with the same ids, whose objects are not called.
function namespace(service, made) {
  return {
    idFromName: (name) => made.idFromName(name),
    idFromString: (text) => made.idFromString(text),
    newUniqueId: (options) => made.newUniqueId(options),
    jurisdiction: (jurisdiction) => made.jurisdiction(jurisdiction),
    get: (id, options) => object(service, made.get(id, options)),
    getByName: (name, options) => object(service, made.getByName(name, options)),
  };
}

function object(service, { id, name }) {
  const suffix = name === undefined ? "" : ` ${name}`;
  return called({ id, name }, service, (method) => `${id} ${method}${suffix}`);
}

// Returns what calls a service. known: its properties. addressed: how the host knows a method.
function called(known, service, addressed) {
  const fetch = (input, init) => fetched(service, new Request(input, init), addressed("fetch"));
  const bound = new Proxy({}, {
    get(of, name) {
      if (Object.hasOwn(known, name)) return known[name];
      if (typeof name !== "string" || name === "then") return undefined;
      if (name === "fetch") return fetch;
      if (name === "dup") return () => bound;
      return (...args) => ask(service, "/", addressed(name), args);
    },
  });
  return bound;
}

async function fetched(service, request, address) {
  const headers = new Headers(request.headers);
  headers.delete(METHODS);
  headers.delete(OBJECT);
  if (address !== "fetch") headers.set(OBJECT, encodeURIComponent(address));
  headers.set("x-groundfog-scheme", new URL(request.url).protocol.slice(0, -1));
  headers.set("x-groundfog-depth", String(depthNow()));
  if (headers.get("upgrade")?.toLowerCase() === "websocket") return connected(service, request.url, headers);
  headers.delete(SOCKET);
  return answerOf(service, new Request(request, { headers }));
}

async function answerOf(service, request) {
  const answer = await service.fetch(request);
  if (!answer.headers.has("x-groundfog-failed")) return answer;
  const { name, message } = await answer.json();
  throw errorOf(name, message);
}

// Asks for a WebSocket: the bodies of request and answer carry its messages.
async function connected(service, url, headers) {
  headers.delete("upgrade");
  headers.set(SOCKET, "1");
  const { readable, writable } = new IdentityTransformStream();
  const writer = writable.getWriter();
  let line = Promise.resolve();
  const write = (bytes) => (line = line.then(() => writer.write(bytes)).catch(() => {}));
  const end = () => line.then(() => writer.close()).catch(() => {});
  let answer;
  try {
    answer = await answerOf(service, new Request(url, { method: "POST", headers, body: readable, redirect: "manual" }));
  } catch (error) {
    end();
    throw error;
  }
  if (!answer.headers.has(SOCKET)) {
    end();
    return answer;
  }
  const [client, socket] = Object.values(new WebSocketPair());
  converse(socket, answer.body.getReader(), write, end);
  const shown = new Headers(answer.headers);
  shown.delete(SOCKET);
  return new Response(null, { status: 101, webSocket: client, headers: shown });
}

function converse(socket, reader, write, end) {
  let hasClosed = false; // the other worker
  socket.binaryType = "arraybuffer";
  socket.addEventListener("message", ({ data }) => write(messageOf(data)));
  socket.addEventListener("close", ({ code, reason }) => {
    if (!hasClosed) write(closeOf(code, reason));
    end();
  });
  socket.accept();
  const next = async () => {
    const { done, value } = await reader.read().catch(() => ({ done: true }));
    return done ? null : value;
  };
  passTo(socket, next, () => (hasClosed = true)).catch(() => {}); // it is closed
}
