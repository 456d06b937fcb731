// Does with env.BINDING, a bucket, what the body of the request lists, and answers what each call gave or threw.

const revived = (value) => JSON.parse(JSON.stringify(value ?? null), (_, v) => (v?.$date ? new Date(v.$date) : v));

async function shown(value) {
  if (value === null || value === undefined) return null;
  if (Array.isArray(value.objects)) {
    const { objects, truncated, delimitedPrefixes } = value;
    return { objects: await Promise.all(objects.map(shown)), truncated, delimitedPrefixes, cursor: value.cursor !== undefined };
  }
  if (value.uploadId) return { key: value.key };
  if (value.partNumber) return value;
  const { key, size, etag, httpEtag, httpMetadata, customMetadata, range, storageClass } = value;
  const text = value.body ? await value.text() : null;
  const sums = Object.keys(JSON.parse(JSON.stringify(value.checksums)));
  return { key, size, etag, httpEtag, httpMetadata, customMetadata, range: range ?? null, storageClass, text, sums };
}

export default {
  async fetch(request, env) {
    const answers = [];
    let upload;
    for (const { method, args } of await request.json()) {
      try {
        const given = args.map(revived);
        let on = env.BINDING;
        if (["uploadPart", "complete", "abort"].includes(method)) on = upload;
        const value = await on[method](...given);
        if (value?.uploadId) upload = value;
        answers.push({ ok: await shown(value) });
      } catch (error) {
        answers.push({ error: `${error.name}: ${error.message}` });
      }
    }
    return Response.json(answers);
  },
};
