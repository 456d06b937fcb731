// What stands behind `env.MY_WORKFLOW`: workerd's own client calls these methods by RPC, and each
// asks the host. It is a worker of its own, beside the user's.

import { RpcTarget, WorkerEntrypoint } from "cloudflare:workers";
import { StoredStream, decode, encode, errorOf } from "./groundfog/values.js";

const EMPTY = new Uint8Array(0);

export class Workflows extends WorkerEntrypoint {
  create(options) {
    return this.#ask("create", options === undefined ? [] : [options]);
  }

  createBatch(options) {
    return this.#ask("createBatch", [options]);
  }

  deleteBatch({ instances }) {
    return this.#ask("deleteBatch", [instances]);
  }

  getInstance(id) {
    return this.#ask("get", [id]);
  }

  deleteInstance(id) {
    return this.#ask("delete", [id]);
  }

  pause(id) {
    return this.#ask("pause", [id]);
  }

  resume(id) {
    return this.#ask("resume", [id]);
  }

  status(id) {
    return this.#ask("status", [id]);
  }

  terminate(id, options) {
    return this.#ask("terminate", options === undefined ? [id] : [id, options]);
  }

  restart(id, options) {
    return this.#ask("restart", options === undefined ? [id] : [id, options]);
  }

  sendEvent(id, event) {
    return this.#ask("sendEvent", [id, event]);
  }

  async subscribe(id, options) {
    const answer = await this.#send("subscribe", options === undefined ? [id] : [id, options]);
    return new Subscription(answer.body.getReader());
  }

  async #ask(method, args) {
    const answer = await this.#send(method, args);
    return decode(new Uint8Array(await answer.arrayBuffer()));
  }

  async #send(method, args) {
    const service = this.env[this.ctx.props.service];
    const answer = await service.fetch(`http://workflow/${method}`, { method: "POST", body: encode(args) });
    if (answer.status === 200) return answer;
    const { name, message } = decode(new Uint8Array(await answer.arrayBuffer()));
    throw errorOf(name, message);
  }
}

// The events of one instance: a line of bytes each.
class Subscription extends RpcTarget {
  #reader;
  #rest = EMPTY;
  #turn = Promise.resolve(); // each of several callers gets one event, in order

  constructor(reader) {
    super();
    this.#reader = reader;
  }

  next() {
    const event = this.#turn.then(() => this.#next());
    this.#turn = event.catch(() => {});
    return event;
  }

  async #next() {
    for (;;) {
      const end = this.#rest.indexOf(10);
      if (end >= 0) {
        const line = this.#rest.subarray(0, end);
        this.#rest = this.#rest.subarray(end + 1);
        return { done: false, value: shown(decode(line)) };
      }
      const { done, value } = await this.#reader.read();
      if (done) return { done: true, value: undefined };
      const whole = new Uint8Array(this.#rest.length + value.length);
      whole.set(this.#rest);
      whole.set(value, this.#rest.length);
      this.#rest = whole;
    }
  }

  [Symbol.dispose]() {
    this.#reader.cancel().catch(() => {});
  }
}

// A stream that a step returned is shown by its beginning.
function shown(event) {
  return event.output instanceof StoredStream ? { ...event, output: event.output.preview } : event;
}

export default {};
