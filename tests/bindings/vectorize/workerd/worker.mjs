// Calls the methods of env.BINDING, a Vectorize index, that the body of the request lists.

const revive = (value) => (value?.float32 ? new Float32Array(value.float32) : value);

export default {
  async fetch(request, env) {
    const answers = [];
    for (const { method, args } of await request.json()) {
      try {
        answers.push({ ok: await env.BINDING[method](...args.map(revive)) });
      } catch (error) {
        answers.push({ error: error.message });
      }
    }
    return Response.json(answers);
  },
};
