import { WorkflowEntrypoint } from "cloudflare:workers";
import { NonRetryableError } from "cloudflare:workflows";
import { outcomes, show } from "./show";

const ONCE = { retries: { limit: 1, delay: 10, backoff: "constant" } };

function everything(): any {
  return {
    date: new Date(86_400_000),
    map: new Map<any, any>([["a", { n: 1n }], [{ key: 1 }, new Date(0)]]),
    set: new Set([1, "b"]),
    bytes: new Uint8Array([1, 2]),
    floats: new Float32Array([0.5]),
    longs: new BigInt64Array([-1n]),
    buffer: new Uint8Array([3]).buffer,
    view: new DataView(new Uint8Array([4]).buffer),
    pattern: /a+/gi,
    error: new RangeError("far"),
    none: undefined,
    zero: -0,
    big: 2n ** 70n,
    list: [null, NaN, Infinity, undefined],
    text: "ü\u{1f600}\0",
    empty: {},
    dollar: { $date: 5 },
  };
}

export class Flow extends WorkflowEntrypoint<any, any> {
  run(event: any, step: any): Promise<any> {
    return (this as any)[event.payload.case](event, step);
  }

  async values(event: any, step: any) {
    return show(await step.do("values", async () => everything()));
  }

  async kinds(event: any, step: any) {
    return outcomes({
      undefined: () => step.do("undefined", async () => undefined),
      nothing: () => step.do("nothing", async () => null),
      text: () => step.do("text", async () => ""),
      synchronous: () => step.do("synchronous", () => 5),
      thrownText: () => step.do("thrownText", ONCE, async () => { throw "a text"; }),
      thrownNothing: () => step.do("thrownNothing", ONCE, async () => { throw undefined; }),
    });
  }

  async context(event: any, step: any) {
    const plain = await step.do("plain", async (ctx: any) => ctx);
    const configured = await step.do(
      "configured",
      { retries: { limit: 2, delay: "1 second", backoff: "linear" }, timeout: "1 minute" },
      async (ctx: any) => ctx,
    );
    const again = await step.do("plain", async (ctx: any) => ctx);
    return show({ plain, configured, again });
  }

  async retries(event: any, step: any) {
    let attempts = 0;
    const found = await outcomes({
      flaky: () =>
        step.do("flaky", { retries: { limit: 2, delay: 10, backoff: "constant" } }, async () => {
          if (++attempts < 3) throw new TypeError(`attempt ${attempts}`);
          return attempts;
        }),
      exhausted: () => step.do("exhausted", ONCE, async () => { throw new RangeError("never"); }),
      fatal: () => step.do("fatal", async () => { throw new NonRetryableError("at once"); }),
      named: () => step.do("named", ONCE, async () => { throw new NonRetryableError("at once", "Mine"); }),
      timeout: () =>
        step.do("timeout", { ...ONCE, retries: { limit: 0, delay: 0 }, timeout: 50 }, () => scheduler.wait(5_000)),
    });
    return { ...found, attempts };
  }

  async misuse(event: any, step: any) {
    return outcomes({
      longName: () => step.do("x".repeat(300), async () => 1),
      badDuration: () => step.sleep("bad", "soon"),
      negative: () => step.sleep("negative", -1),
      past: () => step.sleepUntil("past", new Date(0)),
    });
  }

  async parallel(event: any, step: any) {
    const one = step.do("one", async () => 1);
    const two = step.do("two", async () => 2);
    return Promise.all([one, two, step.sleep("nap", 50), step.do("three", async () => 3)]);
  }

  async nested(event: any, step: any) {
    return step.do("outer", async () => {
      const first = await step.do("inner", async () => "a");
      return first + (await step.do("inner", async () => "b"));
    });
  }

  async settled(event: any, step: any) {
    const fails = step.do("fails", ONCE, async () => { throw new Error("one of two"); });
    const found = await Promise.allSettled([fails, step.do("works", async () => "fine")]);
    return show(found);
  }

  async waits(event: any, step: any) {
    const got = await step.waitForEvent("approval", { type: "approved", timeout: "1 hour" });
    return show({ ...got, timestamp: got.timestamp instanceof Date });
  }

  async timesOut(event: any, step: any) {
    return outcomes({ wait: () => step.waitForEvent("nobody", { type: "never", timeout: "1 second" }) });
  }

  async sleeps(event: any, step: any) {
    return show([
      await step.sleep("a", 10),
      await step.sleep("b", "1 second"),
      await step.sleepUntil("c", new Date(Date.now() + 1_500)),
    ]);
  }

  async event(event: any, step: any) {
    const { timestamp, ...rest } = event;
    return show({ ...rest, isDate: timestamp instanceof Date, keys: Object.keys(event).sort() });
  }

  async stream(event: any, step: any) {
    const found = await step.do("stream", async () => new Blob(["x".repeat(100_000)]).stream());
    return [found.constructor.name, (await new Response(found).text()).length];
  }

  async instance(event: any, step: any) {
    return outcomes({ point: () => step.do("point", ONCE, async () => new (class Point { x = 1; })()) });
  }

  async unserialisable(event: any, step: any) {
    return outcomes({ nested: () => step.do("nested", ONCE, async () => ({ a: [{ go: () => 1 }] })) });
  }

  async raises(event: any, step: any) {
    await step.do("before", async () => 1);
    throw new RangeError("as it should");
  }

  async raisesText() {
    throw "only a text";
  }

  async uncaught(event: any, step: any) {
    await step.do("hopeless", ONCE, async () => { throw new TypeError("hopeless"); });
  }

  async rollback(event: any, step: any) {
    await step.do("paid", async () => "receipt 7", {
      rollback: async ({ output, error, stepName }: any) => {
        await this.env.KV.put(`rollback ${output}, ${error.message}, ${stepName}`, "x");
      },
    });
    throw new RangeError("no stock");
  }

  async returnsFunction() {
    return () => 1;
  }

  async quick(event: any) {
    return event.payload.text;
  }
}
