// The worker the benchmarks run on wrangler and workerd; `../../python` is the same in Python.
//
// An instance notes in this module when its `run` ends, so that measuring asks the server nothing
// while the clock runs: every peer runs workflows and requests of a worker in one process or isolate.

import { WorkerEntrypoint, WorkflowEntrypoint } from "cloudflare:workers";
import type { WorkflowEvent, WorkflowStep } from "cloudflare:workers";

const VERSION = "version 0";
const BATCH = 100; // the most that createBatch takes at once

// Which instances of a measurement have run to their end, and when the last one did.
const finished = new Map<string, Set<number>>();
const lastFinished = new Map<string, number>();

interface Env {
  DB: D1Database;
  STEPS: Workflow<Params>;
}

interface Params {
  steps: number;
  number?: number;
  measurement?: string;
  sleep?: string;
}

export class Steps extends WorkflowEntrypoint<Env, Params> {
  async run(event: WorkflowEvent<Params>, step: WorkflowStep): Promise<string> {
    const payload = event.payload;
    if (payload.sleep) {
      await step.sleep("nap", payload.sleep);
    }
    for (let number = 0; number < payload.steps; number++) {
      await step.do(`step-${number}`, async () => ({ done: true }));
    }
    const measurement = payload.measurement ?? "";
    const numbers = finished.get(measurement) ?? new Set();
    finished.set(measurement, numbers.add(payload.number ?? 0));
    lastFinished.set(measurement, Date.now());
    return "done";
  }
}

export default class extends WorkerEntrypoint<Env> {
  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const number = (name: string) => Number(url.searchParams.get(name));
    switch (url.pathname) {
      case "/d1":
        return Response.json(await this.env.DB.prepare("SELECT ? AS n").bind(42).first());
      case "/version":
        return new Response(VERSION);
      case "/steps":
        return Response.json(await this.steps(number("instances"), number("steps")));
      case "/sleepers":
        await this.create(number("count"), { steps: 0, sleep: "1 hour" });
        return new Response("sleeping");
      default:
        return new Response("hello");
    }
  }

  // Run `instances` of `steps` each; return seconds until all exist, and until all ran.
  private async steps(instances: number, steps: number) {
    const measurement = crypto.randomUUID();
    const began = Date.now();
    const created = await this.create(instances, { steps, measurement });
    const createdSeconds = (Date.now() - began) / 1000;
    while ((finished.get(measurement)?.size ?? 0) < instances) {
      await scheduler.wait(2);
    }
    const runSeconds = (lastFinished.get(measurement)! - began) / 1000;
    for (const instance of created) {
      while ((await instance.status()).status !== "complete") {
        await scheduler.wait(5);
      }
    }
    return { created_seconds: createdSeconds, run_seconds: runSeconds };
  }

  private async create(count: number, params: Params): Promise<WorkflowInstance[]> {
    const created: WorkflowInstance[] = [];
    for (let start = 0; start < count; start += BATCH) {
      const batch = [];
      for (let number = start; number < Math.min(start + BATCH, count); number++) {
        batch.push({ params: { ...params, number } });
      }
      created.push(...(await this.env.STEPS.createBatch(batch)));
    }
    return created;
  }
}
