// Both ends of a body: in pieces, as fast as its reader reads. PROTOCOL.md, section 6.

import { joined } from "./bytes.js";

const WINDOW_BYTES = 262_144;
const CHUNK_BYTES = 65_536;
const EMPTY = new Uint8Array(0);

// A body that the host sends.
export class Incoming {
  #queue = [];
  #wake = null;
  #ended = false;
  #error = "";
  hasClosed = false; // by a message of a WebSocket

  constructor(id, guest) {
    this.id = id;
    this.guest = guest;
    this.stream = new ReadableStream({
      type: "bytes",
      pull: async (controller) => {
        const piece = await this.next();
        if (piece !== null) return controller.enqueue(piece);
        controller.close();
        controller.byobRequest?.respond(0);
      },
      cancel: () => this.guest.send({ type: "cancel", id: this.id }),
    });
  }

  data(piece) {
    this.#queue.push(piece);
    this.#wake?.();
  }

  end(error) {
    this.#ended = true;
    this.#error = error ?? "";
    this.#wake?.();
  }

  // Returns the next piece, or null at the end. Throws when the body was cut off.
  async next() {
    while (this.#queue.length === 0 && !this.#ended) {
      await new Promise((resolve) => (this.#wake = resolve));
    }
    const piece = this.#queue.shift();
    if (piece !== undefined) {
      this.guest.send({ type: "credit", id: this.id, bytes: piece.length });
      return piece;
    }
    if (this.#error) throw new Error(this.#error);
    return null;
  }

  // Passes the client's messages to a WebSocket: kind (u8), length (u32), payload.
  async passTo(socket, closed) {
    let rest = EMPTY;
    const decoder = new TextDecoder();
    for (;;) {
      const piece = await Promise.race([this.next().catch(() => null), closed.then(() => null)]);
      if (piece === null) return close(socket, 1006, "");
      rest = joined([rest, piece]);
      while (rest.length >= 5) {
        const view = new DataView(rest.buffer, rest.byteOffset, rest.length);
        const end = 5 + view.getUint32(1);
        if (rest.length < end) break;
        const payload = rest.slice(5, end);
        const kind = rest[0];
        rest = rest.subarray(end);
        if (kind === 1) socket.send(decoder.decode(payload));
        else if (kind === 2) socket.send(payload);
        else {
          this.hasClosed = true;
          const has = payload.length >= 2;
          return close(socket, has ? (payload[0] << 8) | payload[1] : 1000, decoder.decode(payload.subarray(2)));
        }
      }
    }
  }
}

function close(socket, code, reason) {
  try {
    socket.close(code === 1005 || code === 1006 ? 1000 : code, reason);
  } catch {} // it is closed
}

// A body that goes to the host, within its window.
export class Outgoing {
  #room = WINDOW_BYTES;
  #wake = null;
  #stopped = false;
  #line = Promise.resolve(); // messages of a WebSocket, one after the other

  constructor(id, guest) {
    this.id = id;
    this.guest = guest;
  }

  credit(bytes) {
    this.#room += bytes;
    this.#wake?.();
  }

  stop() {
    this.#stopped = true;
    this.#wake?.();
  }

  // Sends what a reader gives, beginning with what it has given already.
  async sendAll(reader, before) {
    for (const given of before) {
      const found = await given;
      if (found.done) return this.end();
      await this.write(found.value);
    }
    for (;;) {
      const { done, value } = await reader.read();
      if (done || this.#stopped) break;
      await this.write(value);
    }
    if (this.#stopped) reader.cancel().catch(() => {});
    this.end();
  }

  async write(bytes) {
    let rest = bytes;
    while (rest.length > 0 && !this.#stopped) {
      while (this.#room <= 0 && !this.#stopped) {
        await new Promise((resolve) => (this.#wake = resolve));
      }
      const size = Math.min(rest.length, this.#room, CHUNK_BYTES);
      if (this.#stopped) return;
      this.#room -= size;
      this.guest.send({ type: "data", id: this.id }, rest.subarray(0, size));
      rest = rest.subarray(size);
    }
  }

  webSocket(data) {
    const payload = typeof data === "string" ? new TextEncoder().encode(data) : new Uint8Array(data);
    this.#message(typeof data === "string" ? 1 : 2, payload);
  }

  close(code, reason) {
    const text = new TextEncoder().encode(reason ?? "");
    const payload = new Uint8Array(2 + text.length);
    payload.set([code >> 8, code & 255]);
    payload.set(text, 2);
    this.#message(8, code === 1005 || code === 1006 ? EMPTY : payload);
  }

  end() {
    this.#line.then(() => this.guest.send({ type: "end", id: this.id }));
  }

  #message(kind, payload) {
    const whole = new Uint8Array(5 + payload.length);
    whole[0] = kind;
    new DataView(whole.buffer).setUint32(1, payload.length);
    whole.set(payload, 5);
    this.#line = this.#line.then(() => this.write(whole));
  }
}
