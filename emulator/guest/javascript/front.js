// The worker in front of the user's worker: who may ask what, as `emulator/server/security.py` has
// it. What it does not plainly allow goes to the host, which refuses it or answers itself.

const RULES_NAME = "RULES";
const TELL_AFTER_MS = 20;
const TOO_LARGE = Symbol("too large");

let rules; // from security.py: `front_rules`
let host; // pattern of a Host header
const lines = []; // of the request log, told together
let telling = false;

export default {
  async fetch(request, env, ctx) {
    if (rules === undefined) learn(env[RULES_NAME]);
    const target = targetOf(request.url);
    if (!isAllowed(request, target)) return refused(request, env);
    const began = Date.now();
    const early = await answeredBefore(request, env);
    if (early !== null) return logged(early, request, target, began, env, ctx);
    request.signal.addEventListener("abort", () => note(request, target, 499, began, env, ctx));
    try {
      const answer = await env.USER.fetch(forUser(request));
      return logged(answer, request, target, began, env, ctx);
    } catch (error) {
      const tooLarge = error === TOO_LARGE || error?.cause === TOO_LARGE;
      const answer = tooLarge
        ? new Response(rules.too_large, { status: 413 })
        : await failed(error, request, target, env);
      return logged(answer, request, target, began, env, ctx);
    }
  },
};

// Path and query of an absolute URL, which workerd has normalized; parsing it again costs more.
function targetOf(url) {
  const start = url.indexOf("/", url.indexOf("//") + 2);
  return start < 0 ? "/" : url.slice(start);
}

async function refused(request, env) {
  try {
    return await env.DOOR.fetch(request); // which says why
  } catch {
    return new Response(rules.no_host, { status: 403 }); // its URL is none
  }
}

// Returns what the host answers in place of the worker, or null.
async function answeredBefore(request, env) {
  if (isNavigation(request)) {
    const accept = request.headers.get("accept") ?? "";
    const failing = await env.HOST.fetch("http://groundfog/navigation", { headers: { accept } });
    if (failing.status !== 204) return failing;
  }
  return rules.has_front ? answerOfHost(request, env) : null;
}

function learn(given) {
  rules = given;
  rules.names = new Set(rules.names);
  host = new RegExp(rules.host);
}

function isAllowed(request, target) {
  const match = host.exec((request.headers.get("host") ?? "").toLowerCase());
  if (match === null || isControlPath(target.split("?", 1)[0])) return false;
  const name = match.groups.name;
  const known = rules.names.has(name) || name.endsWith(".localhost") || isAddress(name);
  return known && Number(request.headers.get("content-length") ?? 0) <= rules.body_max_bytes;
}

function isControlPath(path) {
  let decoded = path;
  try {
    if (path.includes("%")) decoded = decodeURIComponent(path);
  } catch {} // not UTF-8: then it is not one of ours
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

// The request as the user's worker gets it. `entry.js` gives it `request.cf`.
function forUser(request) {
  const headers = new Headers(request.headers);
  for (const name of request.headers.keys()) {
    if (rules.internal_prefixes.some((prefix) => name.startsWith(prefix))) headers.delete(name);
  }
  const client = request.cf?.clientIp;
  if (client && !headers.has("cf-connecting-ip")) {
    headers.set("cf-connecting-ip", client.replace(/:\d+$/, "").replace(/^\[|\]$/g, ""));
  }
  const changed = { headers };
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

function failed(error, request, target, env) {
  const about = {
    error: { name: error?.name ?? "Error", message: error?.message ?? String(error), stack: "" },
    method: request.method,
    target,
    headers: [["accept", request.headers.get("accept") ?? ""]],
  };
  return env.HOST.fetch("http://groundfog/failed", { method: "POST", body: JSON.stringify(about) });
}

function logged(answer, request, target, began, env, ctx) {
  note(request, target, answer.status, began, env, ctx);
  return answer;
}

// Remembers one line; all lines of a short time are told together.
function note(request, target, status, began, env, ctx) {
  lines.push([request.method, target, status, Date.now() - began]);
  if (telling) return;
  telling = true;
  ctx.waitUntil(tell(env));
}

async function tell(env) {
  await scheduler.wait(TELL_AFTER_MS);
  telling = false;
  const body = JSON.stringify(lines.splice(0));
  await env.HOST.fetch("http://groundfog/log", { method: "POST", body }).catch(() => {});
}
