// What stands behind `env.MY_WORKFLOW`: workerd's own client calls these methods by RPC, and each
// asks the host. It is a worker of its own, beside the user's.

import { WorkerEntrypoint } from "cloudflare:workers";
import { decode, encode, errorOf } from "./groundfog/values.js";

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

  async #ask(method, args) {
    const service = this.env[this.ctx.props.service];
    const answer = await service.fetch(`http://workflow/${method}`, { method: "POST", body: encode(args) });
    const found = decode(new Uint8Array(await answer.arrayBuffer()));
    if (answer.status !== 200) throw errorOf(found.name, found.message);
    return found;
  }
}

export default {};
