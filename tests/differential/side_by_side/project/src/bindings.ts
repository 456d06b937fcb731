// One function for each kind of binding: what every call of it gives.

import { outcomes } from "./show";

export async function variables(env: any): Promise<any> {
  return outcomes({
    text: () => env.TEXT,
    list: () => env.LIST,
    number: () => env.NUMBER,
    names: () => Object.keys(env).sort(),
    absent: () => env.ABSENT,
  });
}

export async function d1(env: any): Promise<any> {
  const db = env.DB;
  const run = (sql: string, ...values: any[]) => db.prepare(sql).bind(...values).all();
  const timeless = async (result: Promise<any>) => {
    const each = (found: any) => {
      const { duration, timings, served_by, ...meta } = found.meta ?? {};
      return { ...found, meta };
    };
    const found = await result;
    return Array.isArray(found) ? found.map(each) : each(found);
  };
  return outcomes({
    exec: async () => (await db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b REAL)\nCREATE INDEX i ON t (a)")).count,
    insert: () => timeless(run("INSERT INTO t (a, b) VALUES (?, ?), (?, ?)", "x", 1.5, null, 2)),
    all: () => timeless(run("SELECT * FROM t ORDER BY id")),
    first: () => db.prepare("SELECT * FROM t WHERE id = ?").bind(1).first(),
    column: () => db.prepare("SELECT * FROM t WHERE id = ?").bind(1).first("a"),
    noRow: () => db.prepare("SELECT * FROM t WHERE id = 99").first(),
    noColumn: () => db.prepare("SELECT * FROM t").first("zzz"),
    raw: () => db.prepare("SELECT id, a FROM t ORDER BY id").raw(),
    rawNames: () => db.prepare("SELECT id, a FROM t ORDER BY id").raw({ columnNames: true }),
    update: () => timeless(db.prepare("UPDATE t SET a = 'y' WHERE id = 2").run()),
    returning: () => timeless(run("DELETE FROM t WHERE id = 2 RETURNING *")),
    batch: () => timeless(db.batch([db.prepare("INSERT INTO t (a) VALUES ('b')"), db.prepare("SELECT count(*) AS n FROM t")])),
    failedBatch: () => db.batch([db.prepare("INSERT INTO t (a) VALUES ('gone')"), db.prepare("SELECT * FROM nowhere")]),
    rolledBack: () => db.prepare("SELECT count(*) AS n FROM t").first("n"),
    types: () => run("SELECT ? AS truth, ? AS none, ? AS real, ? AS bytes, typeof(?) AS t", true, null, 0.1, new Uint8Array([1, 2]), 3).then((found: any) => found.results),
    numbered: () => run("SELECT ?2 AS b, ?1 AS a", 1, 2).then((found: any) => found.results),
    unbound: () => db.prepare("SELECT ? AS a").all(),
    tooMany: () => run("SELECT ? AS a", 1, 2),
    undefined: () => run("SELECT ? AS a", undefined),
    object: () => run("SELECT ? AS a", { a: 1 }),
    bigint: () => run("SELECT ? AS a", 5n),
    date: () => run("SELECT ? AS a", new Date(0)),
    syntax: () => run("SELEC 1"),
    table: () => run("SELECT * FROM nowhere"),
    unique: () => run("INSERT INTO t (id) VALUES (1)"),
    two: () => run("SELECT 1; SELECT 2"),
    empty: () => run(""),
    transaction: () => db.exec("BEGIN TRANSACTION"),
    pragma: () => run("PRAGMA table_info(t)").then((found: any) => found.results),
    json: () => run("SELECT json_extract('{\"a\":[1]}', '$.a[0]') AS one").then((found: any) => found.results),
    large: () => run("SELECT 9007199254740993 AS big").then((found: any) => found.results),
    session: async () => {
      const session = db.withSession("first-primary");
      return [(await session.prepare("SELECT 1 AS one").first()).one, typeof session.getBookmark()];
    },
  });
}

export async function kv(env: any): Promise<any> {
  const namespace = env.KV;
  await namespace.put("text", "ü", { metadata: { a: [1] } });
  await namespace.put("bytes", new Uint8Array([0, 255]));
  await namespace.put("json", '{"a":1}');
  for (const n of [1, 2, 3]) await namespace.put(`list:${n}`, `${n}`);
  return outcomes({
    text: () => namespace.get("text"),
    bytes: () => namespace.get("bytes", "arrayBuffer"),
    json: () => namespace.get("json", { type: "json" }),
    stream: async () => new Response(await namespace.get("text", "stream")).text(),
    missing: () => namespace.get("nowhere"),
    several: () => namespace.get(["text", "nowhere"]),
    metadata: () => namespace.getWithMetadata("text"),
    noMetadata: () => namespace.getWithMetadata("json", "json"),
    list: () => namespace.list({ prefix: "list:" }),
    limited: async () => {
      const { cursor, ...rest } = await namespace.list({ prefix: "list:", limit: 2 });
      return [rest, typeof cursor, (await namespace.list({ prefix: "list:", cursor })).keys];
    },
    deleted: async () => [await namespace.delete("json"), await namespace.get("json"), await namespace.delete("json")],
    badJson: () => namespace.get("text", "json"),
    noKey: () => namespace.get(""),
    dots: () => namespace.put("..", "x"),
    longKey: () => namespace.put("x".repeat(600), "x"),
    shortTtl: () => namespace.put("ttl", "x", { expirationTtl: 5 }),
    badTtl: () => namespace.put("ttl", "x", { expirationTtl: 0 }),
    past: () => namespace.put("ttl", "x", { expiration: 1 }),
    bigMetadata: () => namespace.put("meta", "x", { metadata: "x".repeat(2000) }),
    badLimit: () => namespace.list({ limit: 0 }),
    object: () => namespace.put("object", { a: 1 }),
  });
}

function object(found: any): any {
  if (found === null || found === undefined) return found;
  const { key, size, etag, httpEtag, checksums, httpMetadata, customMetadata, range, storageClass } = found;
  const uploaded = found.uploaded instanceof Date;
  return { key, size, etag, httpEtag, checksums: checksums.toJSON(), httpMetadata, customMetadata, range, storageClass, uploaded };
}

export async function r2(env: any): Promise<any> {
  const bucket = env.BUCKET;
  const put = await bucket.put("a/one.txt", "hello", {
    httpMetadata: { contentType: "text/plain", cacheControl: "no-store" },
    customMetadata: { owner: "me" },
    sha256: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
  });
  await bucket.put("a/two.bin", new Uint8Array([1, 2, 3]));
  await bucket.put("b", null);
  const names = (found: any) => ({ ...found, objects: found.objects.map((each: any) => each.key) });
  return outcomes({
    put: () => object(put),
    head: async () => object(await bucket.head("a/one.txt")),
    get: async () => {
      const found = await bucket.get("a/one.txt");
      return [object(found), found.bodyUsed, await found.text(), found.bodyUsed];
    },
    missing: async () => [await bucket.get("nowhere"), await bucket.head("nowhere")],
    empty: async () => [(await bucket.get("b")).size, await (await bucket.get("b")).text()],
    range: async () => {
      const found = await bucket.get("a/one.txt", { range: { offset: 1, length: 3 } });
      return [found.range, await found.text()];
    },
    suffix: async () => (await bucket.get("a/one.txt", { range: { suffix: 2 } })).text(),
    headers: async () => {
      const headers = new Headers();
      (await bucket.head("a/one.txt")).writeHttpMetadata(headers);
      return [...headers];
    },
    unmatched: async () => object(await bucket.get("a/one.txt", { onlyIf: { etagMatches: "other" } })),
    notReplaced: () => bucket.put("a/one.txt", "new", { onlyIf: { etagDoesNotMatch: put.etag } }),
    list: async () => names(await bucket.list()),
    prefix: async () => names(await bucket.list({ delimiter: "/" })),
    limited: async () => {
      const { cursor, ...rest } = names(await bucket.list({ limit: 1 }));
      return [rest, typeof cursor];
    },
    wrongChecksum: () => bucket.put("wrong", "x", { md5: "00000000000000000000000000000000" }),
    multipart: async () => {
      const upload = await bucket.createMultipartUpload("parts", { customMetadata: { p: "1" } });
      const part = await upload.uploadPart(1, "the only part");
      const whole = await upload.complete([part]);
      return [upload.key, part.partNumber, whole.size, whole.etag.endsWith("-1"), whole.customMetadata];
    },
    noUpload: () => bucket.resumeMultipartUpload("parts", "nonsense").complete([]),
    noPart: async () => {
      const upload = await bucket.createMultipartUpload("parts2");
      return upload.complete([{ partNumber: 1, etag: "none" }]);
    },
    deleted: async () => [await bucket.delete("b"), await bucket.delete(["a/two.bin", "nowhere"]), await bucket.head("b")],
    longKey: () => bucket.put("x".repeat(1100), "x"),
    badRange: () => bucket.get("a/one.txt", { range: { offset: 99 } }),
    badLimit: () => bucket.list({ limit: 5000 }),
    object: () => bucket.put("object", { a: 1 }),
  });
}

export async function small(env: any): Promise<any> {
  return outcomes({
    ai: () => env.AI.run("@cf/meta/llama-3.1-8b-instruct", { prompt: "hi" }),
    queueTooBig: () => env.QUEUE.send("x".repeat(130_000)),
    queueBadDelay: () => env.QUEUE.send("x", { delaySeconds: -1 }),
    queueBadType: () => env.QUEUE.send({ a: 1 }, { contentType: "text" }),
    noFlow: async () => (await env.FLOW.get("nowhere")).status(),
    badFlow: () => env.FLOW.create({ id: "no spaces here!" }),
    longFlow: () => env.FLOW.create({ id: "x".repeat(101) }),
    noBatch: () => env.FLOW.createBatch([]),
  });
}
