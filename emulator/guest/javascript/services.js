// Service bindings to other workers: `fetch` and every method goes to the host.

import { env } from "cloudflare:workers";
import { workers } from "./host.js";
import { ask, depthNow } from "./stubs.js";
import { errorOf } from "./values.js";

const METHODS = "x-groundfog-method";

// What user code calls takes the place of services that lead to the host.
for (const name of workers) env[name] = worker(env[name]);

function worker(service) {
  const fetch = (input, init) => fetched(service, new Request(input, init));
  const bound = new Proxy({}, {
    get(of, name) {
      if (typeof name !== "string" || name === "then") return undefined;
      if (name === "fetch") return fetch;
      if (name === "dup") return () => bound;
      return (...args) => ask(service, "/", name, args);
    },
  });
  return bound;
}

async function fetched(service, request) {
  if (request.headers.get("upgrade")?.toLowerCase() === "websocket") {
    throw new Error("Groundfog does not emulate WebSockets through a binding to another worker yet.");
  }
  const headers = new Headers(request.headers);
  headers.delete(METHODS);
  headers.set("x-groundfog-scheme", new URL(request.url).protocol.slice(0, -1));
  headers.set("x-groundfog-depth", String(depthNow()));
  const answer = await service.fetch(new Request(request, { headers }));
  if (!answer.headers.has("x-groundfog-failed")) return answer;
  const { name, message } = await answer.json();
  throw errorOf(name, message);
}
