// The guest's end of the conversation: messages <-> frames in a WebSocket. PROTOCOL.md, section 2.

import { joined } from "./bytes.js";
import { setTimeout } from "./primitives.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const MAX_FRAME_BYTES = 67_108_864;
const FIRST_BYTES = 65_536;
const KEPT_BYTES = 1_048_576; // for the next frames
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
  #pending = new Frames();
  #isFlushing = false;
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
    this.#pending.add(header, payload);
    if (!this.#isFlushing) this.#flushSoon();
  }

  // Calls `code` in a turn of the loop after the one in which all that was sent has left: then
  // the host can know of it, whatever `code` does to this process.
  afterFlush(code) {
    this.#after.push(code);
  }

  // Sends once this turn has nothing more to say. A timer would let go of the isolate and take it
  // again, which costs more than all these; so does each call of the platform's `queueMicrotask`.
  async #flushSoon() {
    this.#isFlushing = true;
    let seen = 0;
    for (let quiet = 0; quiet <= QUIET_MICROTASKS; quiet++) {
      if (this.#pending.size > seen) quiet = 0;
      seen = this.#pending.size;
      await undefined;
    }
    this.#isFlushing = false;
    this.flush();
  }

  flush() {
    const after = this.#after;
    if (after.length > 0) {
      this.#after = [];
      setTimeout(() => {
        for (const code of after) code();
      }, 0);
    }
    if (this.#pending.size === 0) return;
    try {
      this.#socket.send(this.#pending.take());
    } catch {} // it is closed: the host is gone, and so are we soon
  }

  close() {
    this.flush();
    try {
      this.#socket.close(1000, "");
    } catch {}
  }
}

// Frames one after another. Their bytes are used again for the next ones.
class Frames {
  size = 0;
  #bytes = new Uint8Array(FIRST_BYTES);
  #view = new DataView(this.#bytes.buffer);

  // Throws FrameTooLarge.
  add(header, payload) {
    const text = header.type === "step_begin" ? withInfinity(header) : JSON.stringify(header);
    const longest = 8 + 3 * text.length + payload.length; // in UTF-8, a character has 3 bytes at most
    if (this.size + longest > this.#bytes.length) this.#grow(longest);
    const start = this.size + 8;
    const { written } = encoder.encodeInto(text, this.#bytes.subarray(start));
    const length = 4 + written + payload.length;
    if (length > MAX_FRAME_BYTES) {
      throw new FrameTooLarge(`a message of ${length.toLocaleString("en")} bytes; the limit is 64 MiB`);
    }
    this.#view.setUint32(this.size, length);
    this.#view.setUint32(this.size + 4, written);
    this.#bytes.set(payload, start + written);
    this.size += 4 + length;
  }

  #grow(more) {
    const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.size + more));
    grown.set(this.#bytes.subarray(0, this.size));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }

  // Returns all frames, as a copy: what is sent leaves later.
  take() {
    const taken = this.#bytes.slice(0, this.size);
    this.size = 0;
    if (this.#bytes.length > KEPT_BYTES) {
      this.#bytes = new Uint8Array(FIRST_BYTES);
      this.#view = new DataView(this.#bytes.buffer);
    }
    return taken;
  }
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
