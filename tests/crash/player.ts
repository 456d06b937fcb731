// The worker under test in TypeScript: plays scripts, as `worker.py` does, and tells the ledger what
// it does. Files are out of its reach, so each line goes over HTTP to the harness, which writes it.

import { createHash } from "node:crypto";
import { NonRetryableError } from "cloudflare:workflows";
import { WorkflowEntrypoint } from "cloudflare:workers";

declare const LEDGER: string, UNLIMITED: number, BIG_BYTES: number;

const TABLE = "CREATE TABLE IF NOT EXISTS rows (id TEXT PRIMARY KEY)";
const PATIENT = retried(UNLIMITED);
const HASHES_PER_MS = 10;

async function told(path: string, body: unknown): Promise<any> {
  const answer = await fetch(`${LEDGER}/${path}`, { method: "POST", body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`the ledger answered ${answer.status}`);
  return answer.json();
}

function note(what: string, more: object): Promise<any> {
  return told("note", { what, at_ms: Date.now(), ...more });
}

// Does not return, unless that has happened `times` times: only the hang guard ends it.
async function exits(key: string, times: number): Promise<void> {
  if (await told("exits", { key, times })) for (;;);
}

function draw(): string {
  return crypto.randomUUID().replaceAll("-", "").slice(0, 16);
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function retried(limit: number): any {
  return { retries: { limit, delay: 20, backoff: "constant" } };
}

// The same text as `ledger.brief` makes of the value once it is recorded.
function brief(value: any): string {
  const text = whole(value, []);
  return text.length <= 80 ? text : `${text.slice(0, 24)}…${text.length}…${sha256(text).slice(0, 16)}`;
}

function whole(value: any, around: object[]): string {
  if (value === null || value === undefined) return "None";
  if (typeof value !== "object") return String(value);
  if (around.includes(value)) return "cycle";
  const text = (item: any): string => whole(item, [...around, value]);
  const pair = ([key, item]: [any, any]): string => `${text(key)}: ${text(item)}`;
  if (value instanceof Date) return `date ${value.getTime()}`;
  if (value instanceof Map) return `map {${[...value].map(pair).join(", ")}}`;
  if (value instanceof Set) return `set {${[...value].map(text).sort().join(", ")}}`;
  if (value instanceof RegExp) return String(value);
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (value instanceof Uint8Array) return `bytes ${new TextDecoder("latin1").decode(value)}`;
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} ${[...(value as any)].join(" ")}`;
  if (Array.isArray(value)) return `[${value.map(text).join(", ")}]`;
  return `{${Object.entries(value).map(pair).join(", ")}}`;
}

function shaped(value: string, shape: string): any {
  const repeated = () => value.repeat(Math.floor(BIG_BYTES / value.length));
  if (shape === "long") return repeated();
  if (shape === "bytes") return new TextEncoder().encode(repeated());
  if (shape === "record") {
    const pdf = new TextEncoder().encode("x".repeat(BIG_BYTES));
    return { thumb: new Uint8Array(0), pdf, value, none: null };
  }
  if (shape === "clone") return cloned(value);
  return value;
}

// One of everything that structured clone carries.
function cloned(value: string): any {
  const found: any = {
    value,
    date: new Date(1_767_225_600_000),
    map: new Map<any, any>([["a", { n: 2n ** 70n }], [7, [value]]]),
    set: new Set(["b", value]),
    integers: new Int32Array([-1, 2]),
    pattern: /a+/gi,
    error: new RangeError(value),
    none: undefined,
  };
  found.itself = found;
  return found;
}

async function addRow(env: any, row: string): Promise<void> {
  await env.DB.exec(TABLE);
  await env.DB.prepare("INSERT OR IGNORE INTO rows VALUES (?)").bind(row).run();
  await note("row", { row });
}

class Player {
  #run = draw();

  constructor(
    readonly env: any,
    readonly me: string,
    readonly step: any,
  ) {}

  note(what: string, act: any, more: object = {}): Promise<any> {
    const site = act === null ? {} : { site: act.site };
    return note(what, { instance: this.me, run: this.#run, ...site, ...more });
  }

  async play(acts: any[], by: string): Promise<any[]> {
    const found = [];
    for (const act of acts) found.push(await (this as any)[act.act](act, by));
    return found;
  }

  parallel(act: any, by: string): Promise<any[]> {
    return Promise.all(act.branches.map((branch: any) => this.play(branch, by)));
  }

  async see(act: any, by: string, call: () => Promise<any>): Promise<string> {
    let value: string;
    try {
      value = brief(await call());
    } catch (error: any) {
      value = `!${error.message}`;
    }
    await this.note("saw", act, { by, value });
    return value;
  }

  // Runs the body of a callback between a line at its start and one at its end.
  async counted(act: any, by: string, ctx: any, body: (uid: string) => Promise<any>): Promise<any> {
    const uid = draw();
    await this.note("start", act, { by, uid, attempt: ctx.attempt });
    let value: any;
    try {
      value = await body(uid);
    } catch (error: any) {
      await this.note("end", act, { uid, ok: false, value: error.message });
      throw error;
    }
    await this.note("end", act, { uid, ok: true, value: brief(value) });
    return value;
  }

  undoing(act: any): any[] {
    if (!act.undo) return [];
    const rollback = async ({ output }: any): Promise<void> => {
      await this.note("undo", act, { value: output === undefined ? null : brief(output) });
      await scheduler.wait(act.ms);
    };
    return [{ rollback, rollbackConfig: PATIENT }];
  }

  do(act: any, by: string): Promise<string> {
    const body = (ctx: any) => this.counted(act, by, ctx, (uid) => this.work(act, ctx, uid));
    return this.see(act, by, () => this.step.do(act.name, retried(act.limit), body, ...this.undoing(act)));
  }

  async work(act: any, ctx: any, uid: string): Promise<any> {
    for (let n = 0; n < act.busy_ms * HASHES_PER_MS; n++) sha256(uid);
    const seen = await this.play(act.inside, uid);
    await scheduler.wait(act.ms);
    if (act.row) await addRow(this.env, uid);
    if (act.child) await this.create(act.child);
    if (act.tells) await this.tell(act.tells, uid);
    if (act.exits) await exits(`${this.me}.${act.site}`, act.exits);
    if (ctx.attempt <= act.fails) throw new RangeError(`not yet ${uid}`);
    return shaped(`${uid}-${sha256(brief(seen)).slice(0, 8)}`, act.shape);
  }

  async create(child: any): Promise<void> {
    try {
      await this.env.LEAF.create({ id: child.id, params: { acts: child.acts, raises: false } });
    } catch (error: any) {
      if (!error.message.includes("already exists")) throw error;
    }
    await note("made", { instance: child.id });
  }

  async tell(whom: any, uid: string): Promise<void> {
    try {
      const parent = await this.env.FLOW.get(whom.to);
      await parent.sendEvent({ type: whom.type, payload: uid });
    } catch (error: any) {
      // the parent has ended, or was deleted
      if (/not_found|in_finite_state/.test(error.message)) return;
      throw error;
    }
    await note("told", { instance: whom.to, type: whom.type, value: uid });
  }

  stream(act: any, by: string): Promise<string> {
    const body = async (ctx: any): Promise<ReadableStream> => {
      const uid = draw();
      await this.note("start", act, { by, uid, attempt: ctx.attempt });
      return ReadableStream.from(this.pieces(act, ctx, uid));
    };
    return this.see(act, by, async () => {
      const text = await new Response(await this.step.do(act.name, retried(act.limit), body)).text();
      return text === text.slice(0, 16).repeat(50_000) ? text.slice(0, 16) : `damaged: ${brief(text)}`;
    });
  }

  async *pieces(act: any, ctx: any, uid: string): AsyncGenerator<Uint8Array> {
    for (let n = 0; n < 10; n++) {
      if (n === 7 && ctx.attempt <= act.fails) {
        await this.note("end", act, { uid, ok: false, value: `cut off ${uid}` });
        throw new Error(`cut off ${uid}`);
      }
      yield new TextEncoder().encode(uid.repeat(5_000));
      await scheduler.wait(act.ms / 10);
    }
    await this.note("end", act, { uid, ok: true, value: uid });
  }

  fatal(act: any, by: string): Promise<string> {
    const fail = async (uid: string): Promise<never> => {
      throw new NonRetryableError(`fatal ${uid}`);
    };
    const body = (ctx: any) => this.counted(act, by, ctx, fail);
    return this.see(act, by, () => this.step.do(act.name, PATIENT, body));
  }

  sleep(act: any, by: string): Promise<string> {
    return this.see(act, by, () => this.step.sleep(act.name, act.ms));
  }

  sleep_until(act: any, by: string): Promise<string> {
    return this.see(act, by, () => this.step.sleepUntil(act.name, Date.now() + act.ms));
  }

  event(act: any, by: string): Promise<string> {
    return this.see(act, by, async () => {
      const options = { type: act.type, timeout: act.timeout };
      return String((await this.step.waitForEvent(act.name, options)).payload);
    });
  }

  exit(act: any): Promise<void> {
    return exits(this.me, act.times);
  }
}

export class Flow extends WorkflowEntrypoint<any, any> {
  async run(event: any, step: any): Promise<any> {
    const script = event.payload;
    const player = new Player(this.env, event.instanceId, step);
    await player.note("run", null);
    const output = await player.play(script.acts, "run");
    if (script.raises) throw new RangeError("as the script says");
    await player.note("left", null, { value: brief(output) });
    return output;
  }
}

export class Leaf extends Flow {}

export default {
  async fetch(request: Request, env: any): Promise<Response> {
    const [what, id, type, number] = decodeURI(new URL(request.url).pathname).slice(1).split("/");
    switch (what) {
      case "create":
        await env.FLOW.create(await request.json());
        break;
      case "event":
        await (await env.FLOW.get(id)).sendEvent({ type, payload: Number(number) });
        break;
      case "row":
        await addRow(env, id);
        break;
      case "rows": {
        await env.DB.exec(TABLE);
        const found = await env.DB.prepare("SELECT id FROM rows").all();
        return Response.json(found.results.map((row: any) => row.id));
      }
      case "pause":
      case "resume":
      case "restart":
      case "terminate":
      case "delete":
        await (await env.FLOW.get(id))[what]();
    }
    return new Response("done");
  },
};
