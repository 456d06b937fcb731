// `npm test` runs these beside the real worker, with fresh state and a clock that they move.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as rest } from "node:timers/promises";

const { GROUNDFOG_URL: url, GROUNDFOG_TOKEN: token } = process.env;

async function order(id, status) {
  for (;;) {
    const instance = await (await fetch(`${url}/orders/${id}`)).json();
    if (instance.status === status) return instance;
    await rest(20);
  }
}

async function advanceClock(span) {
  const answer = await fetch(`${url}/cdn-cgi/groundfog/clock/advance`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify({ span }),
  });
  assert.equal(answer.status, 200, await answer.text());
}

test("an order is charged, rests for a day, and is shipped", async () => {
  const body = JSON.stringify({ id: "order-1", item: "a lamp" });
  const answer = await fetch(`${url}/orders`, { method: "POST", body });
  assert.equal(answer.status, 202);
  await order("order-1", "waiting");

  await advanceClock("1 day");

  const { output } = await order("order-1", "complete");
  assert.deepEqual(output, { amount: 12, shipped: "a lamp" });
});

test("a route that is unknown is a 404", async () => {
  assert.equal((await fetch(`${url}/nothing`)).status, 404);
});
