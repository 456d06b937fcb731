// What user code raised, told to the host: it shows errors with places in the user's own files.

import { host } from "./host.js";

// Returns name, message and stack of anything that can be thrown.
export function told(error) {
  if (typeof error !== "object" || error === null) {
    return { name: "Error", message: shown(error), stack: "" };
  }
  return {
    name: text(error.name) || "Error",
    message: text(error.message ?? shown(error)),
    stack: text(error.stack),
    cause: error.cause === undefined ? undefined : told(error.cause),
  };
}

// Returns the host's answer to the client of a request whose handler threw.
export async function answerFailure(error, request) {
  const url = new URL(request.url);
  const about = {
    error: told(error),
    method: request.method,
    target: url.pathname + url.search,
    headers: [...request.headers],
  };
  try {
    return await host.fetch("http://groundfog/failed", { method: "POST", body: JSON.stringify(about) });
  } catch {
    return new Response("The worker threw an exception.\n", { status: 500 });
  }
}

// Tells the host of a promise given to `waitUntil` that was rejected: workerd itself says nothing.
export async function tellRejected(error) {
  const body = JSON.stringify({ error: told(error) });
  await host.fetch("http://groundfog/rejected", { method: "POST", body }).catch(() => {});
}

// Reports rejected promises of `waitUntil`, which workerd drops without a word.
export function watchedContext(ctx) {
  const waitUntil = ctx.waitUntil;
  if (typeof waitUntil === "function") {
    Object.defineProperty(ctx, "waitUntil", {
      configurable: true,
      writable: true,
      value: (promise) => waitUntil.call(ctx, Promise.resolve(promise).catch(tellRejected)),
    });
  }
  return ctx;
}

// Errors that need not be shown when nobody handles them: the failure of a step has been shown, and
// `run()` may await the step later.
export const failuresOfSteps = new WeakSet();

// Says what nobody has handled: workerd says nothing.
export function uncaught(where, error) {
  if (failuresOfSteps.has(error)) return;
  const { name, message, stack } = told(error);
  console.error(`Uncaught ${where}${stack || `${name}: ${message}`}`);
}

globalThis.addEventListener("unhandledrejection", ({ reason }) => uncaught("(in promise) ", reason));

// Returns the source map of the main module as text, or "".
export async function sourceMap() {
  const answer = await host.fetch("http://groundfog/map");
  return answer.status === 200 ? answer.text() : "";
}

function shown(value) {
  try {
    return typeof value === "string" ? value : `${JSON.stringify(value) ?? String(value)}`;
  } catch {
    return typeof value;
  }
}

function text(value) {
  return typeof value === "string" ? value : "";
}
