// The guest's end of the conversation: messages <-> frames in a WebSocket. PROTOCOL.md, section 2.

import { joined } from "./bytes.js";
import { queueMicrotask, setTimeout } from "./primitives.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const MAX_FRAME_BYTES = 67_108_864;
const INFINITY = "\u0000infinity";
const EMPTY = new Uint8Array(0);

// A frame would be larger than MAX_FRAME_BYTES: the one operation fails.
export class FrameTooLarge extends Error {}

// So many microtasks in a row without a new message end a turn, as far as sending is concerned.
const QUIET_MICROTASKS = 6;

// Sends the messages of a turn in one WebSocket message, and hands received ones to `receive`.
export class Connection {
  #socket;
  #reader = new FrameReader();
  #pending = [];
  #after = [];

  constructor(socket, receive) {
    this.#socket = socket;
    socket.binaryType = "arraybuffer"; // its default depends on the compatibility date
    socket.addEventListener("message", (event) => {
      for (const message of this.#reader.receive(new Uint8Array(event.data))) receive(message);
    });
  }

  // Throws FrameTooLarge.
  send(header, payload = EMPTY) {
    const frame = encodeFrame(header, payload);
    this.#pending.push(frame);
    if (this.#pending.length === 1) this.#flushSoon(1, 0);
  }

  // Calls `code` in a turn of the loop after the one in which all that was sent has left: then
  // the host can know of it, whatever `code` does to this process.
  afterFlush(code) {
    this.#after.push(code);
  }

  // A timer would let go of the isolate and take it again, which costs more than all these.
  #flushSoon(seen, quiet) {
    queueMicrotask(() => {
      const count = this.#pending.length;
      if (count > seen) this.#flushSoon(count, 0);
      else if (quiet < QUIET_MICROTASKS) this.#flushSoon(count, quiet + 1);
      else this.flush();
    });
  }

  flush() {
    const after = this.#after;
    if (after.length > 0) {
      this.#after = [];
      setTimeout(() => {
        for (const code of after) code();
      }, 0);
    }
    const frames = this.#pending;
    if (frames.length === 0) return;
    this.#pending = [];
    try {
      this.#socket.send(joined(frames));
    } catch {} // it is closed: the host is gone, and so are we soon
  }

  close() {
    this.flush();
    try {
      this.#socket.close(1000, "");
    } catch {}
  }
}

function encodeFrame(header, payload) {
  const text = encoder.encode(header.type === "step_begin" ? withInfinity(header) : JSON.stringify(header));
  const length = 4 + text.length + payload.length;
  if (length > MAX_FRAME_BYTES) {
    throw new FrameTooLarge(`a message of ${length.toLocaleString("en")} bytes; the limit is 64 MiB`);
  }
  const frame = new Uint8Array(4 + length);
  const view = new DataView(frame.buffer);
  view.setUint32(0, length);
  view.setUint32(4, text.length);
  frame.set(text, 8);
  frame.set(payload, 8 + text.length);
  return frame;
}

// JSON has no infinity, which a limit of retries may be; what is too large is read as it.
function withInfinity(header) {
  let found = false;
  const text = JSON.stringify(header, (key, value) => {
    if (value !== Infinity) return value;
    found = true;
    return INFINITY;
  });
  return found ? text.replaceAll(JSON.stringify(INFINITY), "1e999") : text;
}

class FrameReader {
  #parts = [];
  #size = 0;
  #wanted = 4;

  // Yields `[header, payload]` of every frame that `data` completes.
  *receive(data) {
    this.#parts.push(data);
    this.#size += data.length;
    if (this.#size < this.#wanted) return;
    const whole = joined(this.#parts);
    const view = new DataView(whole.buffer, whole.byteOffset, whole.length);
    let at = 0;
    this.#wanted = 4;
    while (whole.length - at >= 4) {
      const length = view.getUint32(at);
      if (whole.length - at < 4 + length) {
        this.#wanted = 4 + length;
        break;
      }
      const textLength = view.getUint32(at + 4);
      const start = at + 8;
      const header = JSON.parse(decoder.decode(whole.subarray(start, start + textLength)));
      at += 4 + length;
      yield [header, whole.subarray(start + textLength, at)];
    }
    const rest = whole.subarray(at);
    this.#parts = rest.length ? [rest] : [];
    this.#size = rest.length;
  }
}
