// What comes before the user's code in a request: who may ask what, as `emulator/server/security.py`
// has it. What it does not plainly allow goes to the host, which refuses it or answers itself.
// It runs in the user's isolate: a worker of its own would cost as much as all the rest.

import { answerFailure } from "./failures.js";
import { door, host, rules } from "./host.js";
import { targetOf } from "./targets.js";

const { Headers, IdentityTransformStream, Request, Response, scheduler } = globalThis;
const now = Date.now;
const TELL_AFTER_MS = 20;
const TELL_AGAIN_MS = 2_000; // a request that was to tell the lines may have been cut off
const LOCAL_ADDRESS = "127.0.0.1";
const NO_RESPONSE = "Incorrect type for Promise: the Promise did not resolve to 'Response'.";

const names = new Set(rules?.names);
const hostPattern = new RegExp(rules?.host ?? "");
const internal = new RegExp(`^(?:${rules?.internal_prefixes.join("|")})`);
let lastHost = null; // which was allowed
const lines = []; // of the request log, told together
let tellingSince = -TELL_AGAIN_MS;

const tooLarge = new WeakSet(); // requests whose body was cut off

// Returns the entrypoint that clients reach. serve: lets user code answer a request, of which it also
// gets method and target. address: of all clients; undefined: `request.cf` says it.
// Every call of the platform and every promise counts here.
export function front(serve, address) {
  return {
    async fetch(request, env, ctx) {
      const { headers, method, url } = request;
      const target = targetOf(url);
      const length = request.body === null ? "0" : headers.get("content-length");
      if (!isAllowed(headers, target, length)) return refused(request);
      const began = now();
      let answer = null;
      let loads = null; // how often code was loaded, for `--live-reload`
      if (isNavigation(method, headers)) {
        const told = await navigation(target, headers);
        if (told.status !== 204) answer = told; // the page about newer code that does not run
        else if (rules.reload_script) loads = told.headers.get("x-groundfog-loads");
      }
      if (rules.has_front) answer ??= await answerOfHost(request);
      try {
        if (answer === null) {
          answer = await serve(forUser(request, headers, length, address), method, target, env, ctx);
          if (!(answer instanceof Response)) throw new TypeError(NO_RESPONSE);
        }
        if (loads !== null && isPage(answer)) answer = reloading(answer, loads);
      } catch (error) {
        answer = await failed(request, error);
      }
      note(method, target, answer.status, now() - began, ctx);
      return answer;
    },
  };
}

function isAllowed(headers, target, length) {
  return isKnownHost(headers.get("host")) && !isControlPath(target) && !(Number(length) > rules.body_max_bytes);
}

function isKnownHost(given) {
  if (given !== null && given === lastHost) return true;
  const match = hostPattern.exec((given ?? "").toLowerCase());
  if (match === null) return false;
  const name = match.groups.name;
  if (!names.has(name) && !name.endsWith(".localhost") && !isAddress(name)) return false;
  lastHost = given;
  return true;
}

function isAddress(name) {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(name);
  if (parts === null || parts.slice(1).some((part) => Number(part) > 255)) return false;
  return rules.any_address || parts[1] === "127";
}

function isControlPath(target) {
  const end = target.indexOf("?");
  let path = end < 0 ? target : target.slice(0, end);
  try {
    if (path.includes("%")) path = decodeURIComponent(path);
  } catch {} // not UTF-8: then it is not one of ours
  return rules.control_roots.includes(path) || rules.control_prefixes.some((prefix) => path.startsWith(prefix));
}

async function refused(request) {
  try {
    return await door.fetch(request); // which says why
  } catch {
    const given = request.headers.get("host");
    if (!isKnownHost(given)) return new Response(rules.no_host, { status: 403 }); // its URL is none
    return new Response(rules.no_answer, { status: 502 }); // the host has ended, perhaps half-way
  }
}

// Returns the answer to a request whose handler threw.
function failed(request, error) {
  return tooLarge.has(request) ? new Response(rules.too_large, { status: 413 }) : answerFailure(error, request);
}

function isNavigation(method, headers) {
  const accept = headers.get("accept");
  if (accept === null || !accept.toLowerCase().includes("text/html")) return false;
  const mode = headers.get("sec-fetch-mode");
  return mode === null ? method === "GET" : mode === "navigate";
}

async function navigation(target, headers) {
  const told = { accept: headers.get("accept"), "x-groundfog-target": target };
  return await host.fetch("http://groundfog/navigation", { headers: told });
}

// Returns what the host answers before the worker does, such as an asset, or null.
async function answerOfHost(request) {
  const headers = new Headers(request.headers);
  headers.set("x-groundfog-url", request.url);
  headers.set("x-groundfog-method", request.method);
  const method = request.method === "HEAD" ? "HEAD" : "GET";
  const answer = await host.fetch("http://groundfog/front", { method, headers, redirect: "manual" });
  return answer.headers.has("x-groundfog-none") ? null : answer;
}

// Returns a page with a script below it that waits for the next load of code.
function reloading(answer, loads) {
  const tag = new TextEncoder().encode(`<script src="${rules.reload_script}" data-loads="${loads}"></script>`);
  const { readable, writable } = new IdentityTransformStream();
  followed(answer.body, writable, tag).catch(() => {}); // the reader of the page sees it
  const page = new Response(readable, answer);
  page.headers.delete("content-length");
  return page;
}

function isPage({ body, headers }) {
  if (body === null || headers.has("content-encoding")) return false;
  return (headers.get("content-type") ?? "").toLowerCase().startsWith("text/html");
}

async function followed(body, writable, tag) {
  await body.pipeTo(writable, { preventClose: true });
  const writer = writable.getWriter();
  await writer.write(tag);
  await writer.close();
}

// The request as the user's worker gets it. `request_cf.js` gives it `request.cf`.
function forUser(request, given, length, address) {
  const whole = length === null ? new Request(request, { body: limited(request) }) : request;
  const copy = rules.seen_host ? new Request(seenUrl(request.url), whole) : new Request(whole);
  const { headers } = copy;
  if (rules.seen_host) headers.set("host", rules.seen_host);
  for (const name of given.keys()) {
    if (internal.test(name)) headers.delete(name);
  }
  if (!given.has("cf-connecting-ip")) headers.set("cf-connecting-ip", address ?? addressOf(request.cf?.clientIp));
  return copy;
}

// Returns a URL with the host that `--host` or `--routes` names.
function seenUrl(url) {
  return url.slice(0, url.indexOf("//") + 2) + rules.seen_host + targetOf(url);
}

function addressOf(client) {
  return client ? client.replace(/:\d+$/, "").replace(/^\[|\]$/g, "") : LOCAL_ADDRESS;
}

// Returns the body of a request, as far as it may go.
function limited(request) {
  const { readable, writable } = new IdentityTransformStream();
  pass(request, writable.getWriter()).catch(() => {}); // the reader of the body sees it
  return readable;
}

async function pass(request, writer) {
  const reader = request.body.getReader();
  let seen = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return await writer.close();
      seen += value.byteLength;
      if (seen > rules.body_max_bytes) {
        tooLarge.add(request);
        throw new Error(rules.too_large.trim());
      }
      await writer.write(value);
    }
  } catch (error) {
    await writer.abort(error);
    await reader.cancel(error);
  }
}

// Remembers one line; all lines of a short time are told together.
function note(method, target, status, milliseconds, ctx) {
  lines.push([method, target, status, milliseconds]);
  const time = now();
  if (time - tellingSince < TELL_AGAIN_MS) return;
  tellingSince = time;
  ctx.waitUntil(tell());
}

async function tell() {
  await scheduler.wait(TELL_AFTER_MS);
  tellingSince = -TELL_AGAIN_MS;
  const body = JSON.stringify(lines.splice(0));
  await host.fetch("http://groundfog/log", { method: "POST", body }).catch(() => {});
}
