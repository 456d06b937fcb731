// Does with env.BINDING, a KV namespace, what the body of the request lists, and answers what each call gave or threw.

const ODD = {
  bytes: () => new Uint8Array([0, 255]),
  buffer: () => new Uint8Array([1, 2]).buffer,
  stream: () => new Response("streamed").body,
  number: () => 1.5,
  true: () => true,
  null: () => null,
  object: () => ({}),
  floats: () => new Float32Array([1.5]),
};

async function shown(value) {
  if (value instanceof Map) return Object.fromEntries(value);
  if (value instanceof ArrayBuffer) return { bytes: [...new Uint8Array(value)] };
  if (value instanceof ReadableStream) return { stream: await new Response(value).text() };
  return value ?? null;
}

export default {
  async fetch(request, env) {
    const answers = [];
    for (const { method, args, odd } of await request.json()) {
      try {
        const given = odd ? [args[0], ODD[odd](), ...args.slice(1)] : args;
        answers.push({ ok: await shown(await env.BINDING[method](...given)) });
      } catch (error) {
        answers.push({ error: `${error.name}: ${error.message}` });
      }
    }
    return Response.json(answers);
  },
};
