// Runs SQL in a Durable Object, under the rules D1 has, without D1's client or any code of ours.
import { DurableObject } from "cloudflare:workers";

const shown = (cell) => (cell instanceof ArrayBuffer ? Array.from(new Uint8Array(cell)) : cell);

export class Database extends DurableObject {
  async fetch(request) {
    const answers = (await request.json()).map((sql) => {
      try {
        const cursor = this.ctx.storage.sql.exec(sql);
        return { columns: cursor.columnNames, rows: [...cursor.raw()].map((row) => row.map(shown)) };
      } catch (error) {
        return { error: error.message };
      }
    });
    return Response.json(answers);
  }
}

export default {
  fetch: (request, env) => env.DB.get(env.DB.idFromName("db")).fetch(request),
};
