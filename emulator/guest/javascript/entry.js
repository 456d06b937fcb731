// The main module of a user's worker: the user's own module, with errors reported, an entrypoint for
// clients and a control connection beside it. All of it runs in the user's isolate.

import { runAs } from "./groundfog/primitives.js";
import "./groundfog/watching.js";
import { traced } from "./groundfog/host.js";
import { Requested } from "./groundfog/labels.js";
import "./groundfog/services.js";
import { front } from "./groundfog/front.js";
import { Guest } from "./groundfog/guest.js";
import { withCf } from "./groundfog/request_cf.js";
import { watchedContext } from "./groundfog/failures.js";
import { counted, countOwnCalls, requested } from "./groundfog/own_calls.js";
import { collected } from "./groundfog/traces.js";
import * as user from "./main";

export * from "./main";

const { Response } = globalThis;
const HANDLERS = ["scheduled", "queue", "email", "tail", "trace"];

// Lets the user's default export answer a request.
function serve(request, method, target, env, ctx) {
  const caller = new Requested(method, target);
  if (traced) return collected(caller, request, ctx, () => answered(request, env, ctx));
  return runAs(caller, () => answered(request, env, ctx));
}

function answered(request, env, ctx) {
  const exported = user.default;
  if (typeof exported === "function") {
    const instance = new exported(watchedContext(ctx), env);
    if (typeof instance.fetch === "function") return instance.fetch(withCf(request));
  } else if (typeof exported?.fetch === "function") {
    return exported.fetch(withCf(request), env, watchedContext(ctx));
  }
  throw new Error("Handler does not export a fetch() function.");
}

// Returns the default export as this worker calls it by a binding to itself.
function wrap(exported) {
  if (typeof exported === "function") return wrapClass(exported);
  return typeof exported === "object" && exported !== null ? wrapObject(exported) : {};
}

function wrapClass(Default) {
  const Wrapped = class extends Default {
    constructor(ctx, env) {
      super(watchedContext(ctx), env);
    }
  };
  if (typeof Default.prototype?.fetch === "function") {
    Wrapped.prototype.fetch = function fetch(request) {
      return Default.prototype.fetch.call(this, withCf(request));
    };
  }
  Object.defineProperty(Wrapped, "name", { value: Default.name });
  return Wrapped;
}

function wrapObject(handlers) {
  const wrapped = Object.create(handlers);
  for (const name of HANDLERS) {
    if (typeof handlers[name] === "function") {
      wrapped[name] = (event, env, ctx) => handlers[name](event, env, watchedContext(ctx));
    }
  }
  if (typeof handlers.fetch === "function") {
    wrapped.fetch = (request, env, ctx) =>
      counted(requested(request), () => handlers.fetch(withCf(request), env, watchedContext(ctx)));
  }
  return wrapped;
}

countOwnCalls(user);

export default wrap(user.default);

export const __groundfog_front = front(serve);
export const __groundfog_front_v4 = front(serve, "127.0.0.1");
export const __groundfog_front_v6 = front(serve, "::1");

export const __groundfog_control = {
  fetch(request, env, ctx) {
    const [client, server] = Object.values(new WebSocketPair());
    server.accept();
    new Guest(server, user, env, ctx);
    return new Response(null, { status: 101, webSocket: client });
  },
};
