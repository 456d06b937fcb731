import { DurableObject } from "cloudflare:workers";
import { d1, kv, r2, small, variables } from "./bindings";
import { requestOf, responses } from "./http";
import { handled, others } from "./others";
import { outcomes, show } from "./show";

export { Flow } from "./flow";

export class Counter extends DurableObject<any> {
  async add(amount: number): Promise<number> {
    const total = ((await this.ctx.storage.get<number>("total")) ?? 0) + amount;
    await this.ctx.storage.put("total", total);
    return total;
  }

  async rows(): Promise<any> {
    this.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS t (a, b)");
    this.ctx.storage.sql.exec("INSERT INTO t VALUES (?, ?)", 1, "x");
    return this.ctx.storage.sql.exec("SELECT * FROM t").toArray();
  }

  async ring(): Promise<void> {
    await this.ctx.storage.setAlarm(Date.now() + 20);
  }

  async alarm(): Promise<void> {
    await this.ctx.storage.put("rang", true);
  }

  async rang(): Promise<boolean> {
    return (await this.ctx.storage.get<boolean>("rang")) ?? false;
  }

  fails(): never {
    throw new RangeError("in the object");
  }
}

async function objects(env: any): Promise<any> {
  const one = env.COUNTER.getByName("one");
  await one.ring();
  return outcomes({
    add: async () => [await one.add(2), await one.add(3)],
    other: () => env.COUNTER.get(env.COUNTER.idFromName("other")).add(1),
    rows: () => one.rows(),
    fails: () => one.fails(),
    missing: () => one.missing(),
    name: () => one.name,
    rang: async () => {
      for (let n = 0; n < 100 && !(await one.rang()); n++) await scheduler.wait(20);
      return one.rang();
    },
  });
}

async function workflows(env: any, what: string, id: string, body: any): Promise<any> {
  if (what === "create") return outcomes({ created: async () => (await env.FLOW.create(body)).id });
  if (what === "batch") {
    const made = () => env.FLOW.createBatch(body);
    return outcomes({ made: async () => (await made()).map((instance: any) => instance.id) });
  }
  const call = async () => {
    const instance = await env.FLOW.get(id);
    return what === "event" ? instance.sendEvent(body) : instance[what](body ?? undefined);
  };
  return outcomes({ [what]: call });
}

const CASES: Record<string, (env: any) => Promise<any>> = { d1, kv, r2, small, variables, objects, others };

export default {
  async fetch(request: Request, env: any, ctx: any): Promise<Response> {
    const [, route, what, id] = new URL(request.url).pathname.split("/");
    if (route === "case") return Response.json(await CASES[what](env));
    if (route === "flow") {
      const text = await request.text();
      return Response.json(await workflows(env, what, id, text ? JSON.parse(text) : undefined));
    }
    if (route === "kept") {
      const { keys } = await env.KV.list({ prefix: `${what} ` });
      return Response.json(keys.map((key: any) => key.name));
    }
    if (route === "send") {
      await env.QUEUE.send({ n: 1, list: [null, true] });
      await env.QUEUE.sendBatch([{ body: "a text", contentType: "text" }, { body: [true] }]);
      return new Response("sent");
    }
    if (route === "request") return Response.json(await requestOf(request));
    return responses(what, request, ctx);
  },

  async queue(batch: any, env: any): Promise<void> {
    for (const message of batch.messages) {
      const { body, attempts, id } = message;
      const told = JSON.stringify([batch.queue, show(body), attempts, typeof id]);
      await env.KV.put(`queue ${told}`, "x");
      if (attempts === 1 && body === "a text") message.retry();
    }
  },

  async email(message: any): Promise<void> {
    await handled(message);
  },

  async scheduled(event: any, env: any): Promise<void> {
    const { cron, scheduledTime } = event;
    await env.KV.put(`scheduled ${cron} ${typeof scheduledTime}`, "x");
  },
};
