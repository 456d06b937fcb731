// Does with env.BINDING, a D1 database, what the body of the request lists, and answers what each call gave or threw.

const ODD = {
  undefined: undefined,
  bigint: 1n,
  function: () => 1,
  object: {},
  list: ["x"],
  floats: new Float32Array([1.5, 300, -1]),
  buffer: new Uint8Array([1, 2]).buffer,
  bytes: new Uint8Array([1, 2]),
  nan: NaN,
  true: true,
};

function statement(on, { sql, params, odd }) {
  const prepared = on.prepare(sql);
  if (odd) return prepared.bind(ODD[odd]);
  return params ? prepared.bind(...params) : prepared;
}

const METHODS = {
  all: (db, call) => statement(db, call).all(),
  run: (db, call) => statement(db, call).run(),
  first: (db, call) => statement(db, call).first(call.column),
  raw: (db, call) => statement(db, call).raw(call.options),
  exec: (db, call) => db.exec(call.sql),
  dump: (db) => db.dump(),
  batch: (db, call) => db.batch(call.queries.map((query) => statement(db, query))),
  async session(db, call) {
    const session = db.withSession(call.start);
    const seen = [session.getBookmark()];
    for (const query of call.queries) {
      await statement(session, query).run();
      seen.push(session.getBookmark());
    }
    return seen;
  },
};

export default {
  async fetch(request, env) {
    const answers = [];
    for (const call of await request.json()) {
      try {
        answers.push({ ok: await METHODS[call.method](env.BINDING, call) });
      } catch (error) {
        answers.push({ error: error.message, cause: error.cause?.message });
      }
    }
    return Response.json(answers);
  },
};
