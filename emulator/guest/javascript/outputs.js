// Byte streams that steps return: sent to the host while the attempt runs, and read back from it.
// PROTOCOL.md, section 9.

import { joined } from "./bytes.js";
import { StoredStream } from "./values.js";

const CHUNK_BYTES = 262_144;
const WINDOW_CHUNKS = 4;
const INPUT_CHUNK_MAX_BYTES = 16 * 1024 * 1024;

// The stream cannot be kept, and a retry cannot help.
export class InvalidOutput extends Error {
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}

// The stream of one attempt on its way to the host.
export class Upload {
  over = false; // the attempt has ended before its stream
  #run;
  #call;
  #attempt;
  #onTheWay = 0;
  #room = null;
  #reader = null;

  constructor(run, call, attempt) {
    this.#run = run;
    this.#call = call;
    this.#attempt = attempt;
  }

  async sendAll(stream) {
    if (stream.locked) {
      throw new InvalidOutput(
        "InvalidStepReadableStreamError",
        "Step returned a ReadableStream that is already locked or otherwise unreadable." +
          " Return a fresh, unlocked ReadableStream from step.do().",
      );
    }
    this.#reader = stream.getReader();
    let rest = new Uint8Array(0);
    try {
      for (;;) {
        const { done, value } = await this.#reader.read();
        if (this.over) return;
        if (done) break;
        rest = joined([rest, bytesOf(value)]);
        while (rest.length >= CHUNK_BYTES) {
          await this.#chunk(rest.slice(0, CHUNK_BYTES));
          rest = rest.subarray(CHUNK_BYTES);
        }
      }
    } catch (error) {
      this.#reader.cancel(error).catch(() => {});
      throw error;
    }
    if (rest.length && !this.over) await this.#chunk(rest);
  }

  taken(attempt, over) {
    if (attempt !== this.#attempt) return;
    if (over) this.stop();
    this.#onTheWay -= 1;
    this.#room?.();
  }

  stop() {
    if (!this.over) this.#reader?.cancel().catch(() => {});
    this.over = true;
    this.#room?.();
  }

  async #chunk(data) {
    while (this.#onTheWay >= WINDOW_CHUNKS && !this.over) {
      await new Promise((resolve) => (this.#room = resolve));
    }
    if (this.over) return;
    this.#onTheWay += 1;
    this.#run.send({ type: "step_chunk", call: this.#call, attempt: this.#attempt }, data);
  }
}

// The pieces of stored streams that a run waits for.
export class Downloads {
  #run;
  #waiting = new Map();
  #last = 0;

  constructor(run) {
    this.#run = run;
  }

  get busy() {
    return this.#waiting.size > 0;
  }

  // Returns what user code gets of a step's value.
  received(value, label) {
    return value instanceof StoredStream ? this.#stream(value, label) : value;
  }

  piece(message, payload) {
    const waiter = this.#waiting.get(message.read);
    this.#waiting.delete(message.read);
    if (message.error) waiter?.reject(new Error(message.error));
    else waiter?.resolve(payload.slice());
  }

  clear() {
    this.#waiting.clear();
  }

  #stream(stored, label) {
    let position = 0;
    return new ReadableStream({
      type: "bytes",
      pull: async (controller) => {
        if (position >= stored.chunks) {
          controller.close();
          controller.byobRequest?.respond(0);
          return;
        }
        controller.enqueue(await this.#read(stored, position++, label));
      },
    });
  }

  #read(stored, position, step) {
    if (this.#run.dropped) return new Promise(() => {});
    const read = ++this.#last;
    const { id: stream, chunks, bytes } = stored;
    const found = new Promise((resolve, reject) => this.#waiting.set(read, { resolve, reject }));
    this.#run.send({ type: "stream_read", read, stream, position, chunks, bytes, step });
    return found;
  }
}

function bytesOf(value) {
  let bytes;
  if (value instanceof ArrayBuffer) bytes = new Uint8Array(value);
  else if (ArrayBuffer.isView(value)) bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  else {
    throw new InvalidOutput(
      "UnsupportedStreamChunkError",
      "Step returned a ReadableStream with unsupported chunk type. Only ArrayBuffer and" +
        " TypedArray chunks are supported.",
    );
  }
  if (bytes.length > INPUT_CHUNK_MAX_BYTES) {
    throw new InvalidOutput(
      "OversizedStreamChunkError",
      "Step returned a ReadableStream chunk larger than the maximum allowed size of" +
        ` ${INPUT_CHUNK_MAX_BYTES} bytes. Return smaller chunks from step.do().`,
    );
  }
  return bytes;
}
