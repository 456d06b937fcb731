// An order starts a workflow: it is charged, rests, and is shipped.

import { WorkflowEntrypoint } from "cloudflare:workers";
import type { WorkflowEvent, WorkflowStep } from "cloudflare:workers";

interface Order {
  id: string;
  item: string;
}

interface Env {
  ORDERS: Workflow<Order>;
}

export class OrderWorkflow extends WorkflowEntrypoint<Env, Order> {
  async run(event: WorkflowEvent<Order>, step: WorkflowStep) {
    const receipt = await step.do("charge", async () => ({ amount: 12 }));
    await step.sleep("pack", "1 day");
    return step.do("ship", async () => ({ ...receipt, shipped: event.payload.item }));
  }
}

export default {
  async fetch(request, env): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (request.method === "POST" && pathname === "/orders") {
      const order = await request.json<Order>();
      const instance = await env.ORDERS.create({ id: order.id, params: order });
      return Response.json({ id: instance.id }, { status: 202 });
    }
    const id = pathname.match(/^\/orders\/([^/]+)$/)?.[1];
    if (request.method === "GET" && id !== undefined) {
      const instance = await env.ORDERS.get(decodeURIComponent(id));
      return Response.json(await instance.status());
    }
    return Response.json({ error: "no such route" }, { status: 404 });
  },
} satisfies ExportedHandler<Env>;
