// Both ends of a body: in pieces, as fast as its reader reads. PROTOCOL.md, section 6.

import { passTo } from "./sockets.js";

const WINDOW_BYTES = 262_144;
const CHUNK_BYTES = 65_536;

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

  // Passes the client's messages to a WebSocket.
  async passTo(socket, closed) {
    const end = closed.then(() => null);
    const next = () => Promise.race([this.next().catch(() => null), end]);
    await passTo(socket, next, () => (this.hasClosed = true));
  }
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

  // Sends what a WebSocket says, as `sockets.js` writes it.
  said(bytes) {
    this.#line = this.#line.then(() => this.write(bytes));
  }

  end() {
    this.#line.then(() => this.guest.send({ type: "end", id: this.id }));
  }
}
