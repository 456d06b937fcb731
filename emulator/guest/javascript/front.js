// The worker in front of the user's worker: who may ask what, as `emulator/server/security.py` has
// it. What it does not plainly allow goes to the host, which refuses it or answers itself.

const RULES_NAME = "RULES";
const TOO_LARGE = Symbol("too large");

let rules; // from security.py: `front_rules`
let host; // pattern of a Host header
const lines = []; // of the request log, told together
let telling = false;

export default {
  async fetch(request, env, ctx) {
    if (rules === undefined) learn(env[RULES_NAME]);
    if (!URL.canParse(request.url)) return new Response(rules.no_host, { status: 403 });
    const url = new URL(request.url);
    if (!isAllowed(request, url)) return env.DOOR.fetch(request);
    if (isNavigation(request)) {
      const failed = await env.HOST.fetch("http://groundfog/navigation", {
        headers: { accept: request.headers.get("accept") ?? "" },
      });
      if (failed.status !== 204) return logged(failed, request, url, Date.now(), env, ctx);
    }
    const began = Date.now();
    const early = rules.has_front ? await answerOfHost(request, env) : null;
    if (early !== null) return logged(early, request, url, began, env, ctx);
    request.signal.addEventListener("abort", () => note(request, url, 499, began, env, ctx));
    try {
      const answer = await env.USER.fetch(forUser(request));
      return logged(answer, request, url, began, env, ctx);
    } catch (error) {
      if (error?.cause === TOO_LARGE || error === TOO_LARGE) {
        return logged(new Response(rules.too_large, { status: 413 }), request, url, began, env, ctx);
      }
      return logged(await failed(error, request, url, env), request, url, began, env, ctx);
    }
  },
};

function learn(given) {
  rules = given;
  rules.names = new Set(rules.names);
  host = new RegExp(rules.host);
}

function isAllowed(request, url) {
  const match = host.exec((request.headers.get("host") ?? "").toLowerCase());
  if (match === null || isControlPath(url.pathname)) return false;
  const name = match.groups.name;
  const known = rules.names.has(name) || name.endsWith(".localhost") || isAddress(name);
  return known && Number(request.headers.get("content-length") ?? 0) <= rules.body_max_bytes;
}

function isControlPath(path) {
  let decoded = path;
  try {
    decoded = decodeURIComponent(path);
  } catch {} // not UTF-8: the prefixes are ASCII, so look at what can be read
  return (
    rules.control_roots.includes(decoded) ||
    rules.control_prefixes.some((prefix) => decoded.startsWith(prefix))
  );
}

function isAddress(name) {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(name);
  if (parts === null || parts.slice(1).some((part) => Number(part) > 255)) return false;
  return rules.any_address || parts[1] === "127";
}

function isNavigation(request) {
  if (!(request.headers.get("accept") ?? "").toLowerCase().includes("text/html")) return false;
  const mode = request.headers.get("sec-fetch-mode");
  return mode === null ? request.method === "GET" : mode === "navigate";
}

// Returns what the host answers before the worker does, such as an asset, or null.
async function answerOfHost(request, env) {
  const headers = new Headers(request.headers);
  headers.set("x-groundfog-url", request.url);
  headers.set("x-groundfog-method", request.method);
  const method = request.method === "HEAD" ? "HEAD" : "GET";
  const answer = await env.HOST.fetch("http://groundfog/front", { method, headers, redirect: "manual" });
  if (answer.headers.has("x-groundfog-none")) return null;
  return answer;
}

// The request as the user's worker gets it.
function forUser(request) {
  const headers = new Headers(request.headers);
  for (const [name] of request.headers) {
    if (rules.internal_prefixes.some((prefix) => name.startsWith(prefix))) headers.delete(name);
  }
  const client = request.cf?.clientIp;
  if (client && !headers.has("cf-connecting-ip")) {
    headers.set("cf-connecting-ip", client.replace(/:\d+$/, "").replace(/^\[|\]$/g, ""));
  }
  const changed = { headers, cf: rules.cf };
  if (request.body !== null && !headers.has("content-length")) {
    changed.body = request.body.pipeThrough(limited(rules.body_max_bytes));
  }
  return new Request(request, changed);
}

function limited(most) {
  let seen = 0;
  return new TransformStream({
    transform(chunk, controller) {
      seen += chunk.byteLength;
      if (seen > most) throw TOO_LARGE;
      controller.enqueue(chunk);
    },
  });
}

function failed(error, request, url, env) {
  const about = {
    error: { name: error?.name ?? "Error", message: error?.message ?? String(error), stack: "" },
    method: request.method,
    target: url.pathname + url.search,
    headers: [["accept", request.headers.get("accept") ?? ""]],
  };
  return env.HOST.fetch("http://groundfog/failed", { method: "POST", body: JSON.stringify(about) });
}

function logged(answer, request, url, began, env, ctx) {
  note(request, url, answer.status, began, env, ctx);
  return answer;
}

// Remembers one line; all lines of a short time are told together.
function note(request, url, status, began, env, ctx) {
  lines.push([request.method, url.pathname + url.search, status, Date.now() - began]);
  if (telling) return;
  telling = true;
  ctx.waitUntil(tell(env));
}

async function tell(env) {
  await scheduler.wait(5);
  telling = false;
  const body = JSON.stringify(lines.splice(0));
  await env.HOST.fetch("http://groundfog/log", { method: "POST", body }).catch(() => {});
}
