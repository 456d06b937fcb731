// Events that handlers other than `fetch` get, and what these say of them.

import { call } from "./emails.js";
import { host } from "./host.js";
import { decode } from "./values.js";

// By name of the handler: makes the event from the host's arguments, and what it is told with.
export const EVENTS = {
  // Cron expression, milliseconds.
  scheduled([cron, scheduledTime]) {
    const outcome = { outcome: "ok", noRetry: false };
    const noRetry = () => {
      outcome.noRetry = true;
    };
    return [{ cron, scheduledTime, type: "scheduled", noRetry }, outcome];
  },

  // Name of the queue, messages.
  queue([queue, given]) {
    const outcome = { outcome: "ok", ackAll: false, retryAll: null, acks: [], retries: {} };
    const messages = given.map((message) => messageOf(message, outcome));
    const batch = {
      queue,
      messages,
      ackAll() {
        if (outcome.retryAll !== null) return ignored("ackAll()", "retryAll() was already called");
        outcome.ackAll = true;
      },
      retryAll(options) {
        if (outcome.ackAll) return ignored("retryAll()", "ackAll() was already called");
        outcome.retryAll = delayOf(options);
      },
    };
    return [batch, outcome];
  },

  // What events of other workers did.
  tail([items]) {
    for (const { event } of items) {
      if (event.request === undefined) continue;
      const { unredacted, ...shown } = event.request;
      event.request = Object.assign(Object.create({ getUnredacted: () => unredacted }), shown);
    }
    return [items, { outcome: "ok" }];
  },

  // Its number for the host, envelope, headers, the whole message.
  email([number, from, to, headers, raw]) {
    const outcome = { outcome: "ok", rejectReason: null };
    const act = (method, ...args) => call(host, `http://groundfog/email/${method}`, [number, ...args]);
    const message = {
      from,
      to,
      headers: headersOf(headers),
      raw: new Response(raw).body,
      rawSize: raw.byteLength,
      canBeForwarded: true,
      setReject(reason) {
        outcome.rejectReason = String(reason);
      },
      forward: (recipient, more) => act("forward", recipient, more ? [...new Headers(more)] : []),
      reply: (answer) => act("reply", answer),
    };
    return [message, outcome];
  },
};

function headersOf(pairs) {
  const headers = new Headers();
  for (const [name, value] of pairs) {
    try {
      headers.append(name, value);
    } catch {} // its name or its value is no header of HTTP
  }
  return headers;
}

function messageOf({ id, timestamp, attempts, contentType, body }, outcome) {
  return {
    id,
    timestamp,
    attempts,
    body: bodyOf(contentType, body),
    ack() {
      if (outcome.ackAll) return;
      if (id in outcome.retries) return ignored(`ack() on message ${id}`, "retry() was called");
      if (!outcome.acks.includes(id)) outcome.acks.push(id);
    },
    retry(options) {
      if (outcome.ackAll) return ignored(`retry() on message ${id}`, "ackAll() was called");
      if (outcome.acks.includes(id)) return ignored(`retry() on message ${id}`, "ack() was called");
      outcome.retries[id] = delayOf(options);
    },
  };
}

function bodyOf(contentType, body) {
  switch (contentType) {
    case "json":
      return JSON.parse(body);
    case "tagged":
      return decode(new Uint8Array(body));
    case "bytes":
      return body.buffer;
    case "v8":
      throw new TypeError("Messages in V8's own format cannot be read here: send them as json.");
    default:
      return body;
  }
}

function delayOf(options) {
  return options?.delaySeconds === undefined ? {} : { delaySeconds: options.delaySeconds };
}

function ignored(call, why) {
  const method = call.replace(/\(.*/, "");
  console.warn(`Received a call to ${call} after ${why}. Calling ${method}() will have no effect.`);
}
