// The worker that `benchmarks.reloading` edits; `../../python` is the same in Python.
//
// Each step leaves a row in D1: how often it was executed, and by which VERSION, is counted there.

import { WorkerEntrypoint, WorkflowEntrypoint } from "cloudflare:workers";
import type { WorkflowEvent, WorkflowStep } from "cloudflare:workers";

const VERSION = "version 0";
const NAP = "4 seconds";
const TABLE = "CREATE TABLE IF NOT EXISTS effects (instance TEXT, effect TEXT, version TEXT)";

interface Env {
  DB: D1Database;
  ORDERS: Workflow<Params>;
}

interface Params {
  kind: string;
}

export class Order extends WorkflowEntrypoint<Env, Params> {
  async run(event: WorkflowEvent<Params>, step: WorkflowStep): Promise<string> {
    const note = (step: WorkflowStep, name: string, effect: string, seconds = 0) =>
      step.do(name, async () => {
        await this.effect(event.instanceId, `${effect} begins`);
        await scheduler.wait(seconds * 1000);
        await this.effect(event.instanceId, effect);
        return { done: effect };
      });

    await note(step, "reserve", "reserve");
    await note(step, "charge", "charge");
    switch (event.payload.kind) {
      case "event":
        await step.waitForEvent("approval", { type: "approval", timeout: "1 hour" });
        break;
      case "step":
        await note(step, "pack", "pack", 3);
        break;
      default:
        await step.sleep("settle", NAP);
    }
    await note(step, "ship", "ship");
    return VERSION;
  }

  private async effect(instance: string, effect: string) {
    const insert = this.env.DB.prepare("INSERT INTO effects VALUES (?, ?, ?)");
    await insert.bind(instance, effect, VERSION).run();
  }
}

export default class extends WorkerEntrypoint<Env> {
  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const query = (name: string) => url.searchParams.get(name) ?? "";
    const orders = this.env.ORDERS;
    switch (url.pathname) {
      case "/version":
        return new Response(VERSION);
      case "/create":
        await this.env.DB.prepare(TABLE).run();
        await orders.create({ id: query("id"), params: { kind: query("kind") } });
        return new Response("created");
      case "/approve":
        await (await orders.get(query("id"))).sendEvent({ type: "approval", payload: {} });
        return new Response("sent");
      case "/status":
        return Response.json(await (await orders.get(query("id"))).status());
      case "/effects": {
        const select = this.env.DB.prepare("SELECT * FROM effects WHERE instance = ?");
        return Response.json((await select.bind(query("id")).all()).results);
      }
      default:
        return new Response("hello");
    }
  }
}
