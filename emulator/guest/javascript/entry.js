// The main module of a user's worker: the user's own module, with errors reported and a control
// connection beside it. All of it runs in the user's isolate.

import "./groundfog/primitives.js";
import { env } from "cloudflare:workers";
import { Guest } from "./groundfog/guest.js";
import { withCf } from "./groundfog/request_cf.js";
import { answerFailure, useHost, watchedContext } from "./groundfog/failures.js";
import * as user from "./main";

export * from "./main";

const HOST = "__groundfog_host";
useHost(env[HOST]);
delete env[HOST]; // user code does not see it

function wrapClass(Default) {
  const Wrapped = class extends Default {
    constructor(ctx, given) {
      super(watchedContext(ctx), given);
    }
  };
  if (typeof Default.prototype?.fetch === "function") {
    Wrapped.prototype.fetch = async function fetch(request) {
      try {
        return await Default.prototype.fetch.call(this, withCf(request));
      } catch (error) {
        return answerFailure(error, request);
      }
    };
  }
  Object.defineProperty(Wrapped, "name", { value: Default.name });
  return Wrapped;
}

function wrapObject(handlers) {
  const wrapped = Object.create(handlers);
  for (const name of ["scheduled", "queue", "email", "tail", "trace"]) {
    if (typeof handlers[name] === "function") {
      wrapped[name] = (event, given, ctx) => handlers[name](event, given, watchedContext(ctx));
    }
  }
  if (typeof handlers.fetch === "function") {
    wrapped.fetch = async (request, given, ctx) => {
      try {
        return await handlers.fetch(withCf(request), given, watchedContext(ctx));
      } catch (error) {
        return answerFailure(error, request);
      }
    };
  }
  return wrapped;
}

function wrap(exported) {
  if (typeof exported === "function") return wrapClass(exported);
  return typeof exported === "object" && exported !== null ? wrapObject(exported) : {};
}

export default wrap(user.default);

export const __groundfog_control = {
  fetch(request, given, ctx) {
    const [client, server] = Object.values(new WebSocketPair());
    server.accept();
    new Guest(server, user, given, ctx);
    return new Response(null, { status: 101, webSocket: client });
  },
};
