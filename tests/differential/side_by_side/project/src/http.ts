// What a request looks like from inside, and responses of every sort.

const HOP = new Set(["host", "cf-connecting-ip", "cf-ray", "x-forwarded-proto", "x-real-ip"]);

export async function requestOf(request: Request): Promise<any> {
  const url = new URL(request.url);
  const headers = [...request.headers].filter(([name]) => !HOP.has(name));
  const type = request.headers.get("content-type") ?? "";
  const parts = type.includes("form") ? [...(await request.formData())] : await request.text();
  return {
    method: request.method,
    path: url.pathname,
    search: url.search,
    query: [...url.searchParams],
    headers,
    body: Array.isArray(parts)
      ? await Promise.all(parts.map(async ([name, value]: any) => [name, value.name ?? null, typeof value === "string" ? value : await value.text()]))
      : parts,
    redirect: request.redirect,
    country: (request as any).cf?.country,
  };
}

export async function responses(what: string, request: Request, ctx: any): Promise<Response> {
  switch (what) {
    case "text":
      return new Response("hello ü");
    case "json":
      return Response.json({ a: 1 }, { status: 201, headers: { "X-Own": "1" } });
    case "empty":
      return new Response(null, { status: 204 });
    case "unchanged":
      return new Response(null, { status: 304, headers: { ETag: '"a"' } });
    case "redirect":
      return Response.redirect("https://example.com/elsewhere", 302);
    case "cookies": {
      const response = new Response("cookies");
      response.headers.append("Set-Cookie", "a=1; Path=/");
      response.headers.append("Set-Cookie", "b=2; HttpOnly");
      return response;
    }
    case "stream":
      return new Response(
        new ReadableStream({
          async start(controller) {
            for (const piece of ["one ", "two ", "three"]) {
              controller.enqueue(new TextEncoder().encode(piece));
              await scheduler.wait(5);
            }
            controller.close();
          },
        }),
      );
    case "length":
      return new Response("twelve bytes", { headers: { "content-type": "text/x-own" } });
    case "bytes":
      return new Response(new Uint8Array([0, 255, 10]));
    case "teapot":
      return new Response("short and stout", { status: 418, statusText: "Teapot" });
    case "gzip": {
      const body = new Blob(["zipped ".repeat(100)]).stream().pipeThrough(new CompressionStream("gzip"));
      return new Response(body, { encodeBody: "manual", headers: { "content-encoding": "gzip" } } as any);
    }
    case "later":
      ctx.waitUntil(scheduler.wait(10));
      return new Response("soon");
    case "rewritten":
      return new HTMLRewriter()
        .on("p", { element: (element: any) => element.setInnerContent("new") })
        .transform(new Response("<p>old</p>", { headers: { "content-type": "text/html" } }));
    case "cached": {
      const key = new Request("https://cache.example/a");
      await caches.default.put(key, new Response("kept", { headers: { "cache-control": "max-age=60" } }));
      const found = await caches.default.match(key);
      return new Response(`${await found?.text()} ${await caches.default.delete(key)}`);
    }
    case "throws":
      throw new RangeError("on purpose");
    case "nothing":
      return undefined as any;
    case "wrong":
      return { not: "a response" } as any;
    default:
      return new Response("no such route", { status: 404 });
  }
}
