// The official SDK for TypeScript creates, uses and deletes one thing of each kind. Arguments: the folder
// that it is installed in, the address of the API, the account.

import { createRequire } from "node:module";

const [folder, baseURL, account_id] = process.argv.slice(2);
const { Cloudflare } = createRequire(`${folder}/`)("cloudflare");
const api = new Cloudflare({ apiToken: "any", baseURL, maxRetries: 0 });
const of = { account_id };

async function all(pages) {
  const found = [];
  for await (const each of pages) found.push(each);
  return found;
}

const namespace = await api.kv.namespaces.create({ ...of, title: "sdk" });
const inside = { ...of, namespace_id: namespace.id };
await api.kv.namespaces.values.update("a", { ...inside, value: new File(["1"], "a") });
const value = await (await api.kv.namespaces.values.get("a", inside)).text();
const bucket = await api.r2.buckets.create({ ...of, name: "sdk-files" });
const queue = await api.queues.create({ ...of, queue_name: "sdk-jobs" });
const database = await api.d1.database.create({ ...of, name: "sdk-db" });
const rows = await all(api.d1.database.query(database.uuid, { ...of, sql: "SELECT 41 + 1 AS n" }));
const config = { dimensions: 3, metric: "cosine" };
const index = await api.vectorize.indexes.create({ ...of, name: "sdk-words", config });
const listed = {
  kv: (await all(api.kv.namespaces.list(of))).map((each) => each.title),
  r2: (await api.r2.buckets.list(of)).buckets.map((each) => each.name),
  queues: (await all(api.queues.list(of))).map((each) => each.queue_name),
  d1: (await all(api.d1.database.list(of))).map((each) => each.name),
  vectorize: (await all(api.vectorize.indexes.list(of))).map((each) => each.name),
};
await api.kv.namespaces.delete(namespace.id, of);
await api.r2.buckets.delete(bucket.name, of);
await api.queues.delete(queue.queue_id, of);
await api.d1.database.delete(database.uuid, of);
await api.vectorize.indexes.delete(index.name, of);
const left = (await all(api.kv.namespaces.list(of))).length;
console.log(JSON.stringify({ value, rows: rows[0].results, listed, left }));
