"""Answers questions from your documents: they are embedded, found again, and given to a model."""

from urllib.parse import parse_qs, urlparse

from workers import Response, WorkerEntrypoint

MATCHES = 3
INSTRUCTION = "Answer the question from the context alone. Say so if the context does not tell."


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        url = urlparse(request.url)
        match (request.method, url.path):
            case ("POST", "/documents"):
                return await self.store(await request.json())
            case ("GET", "/ask"):
                return await self.answer(parse_qs(url.query).get("q", [""])[0])
        return Response.json({"error": "no such route"}, status=404)

    async def store(self, documents):
        """Embed documents, `[{"id", "text"}]`, and put them into the index."""
        vectors = await self.embed([document["text"] for document in documents])
        await self.env.DOCUMENTS.upsert(
            [
                {"id": document["id"], "values": values, "metadata": {"text": document["text"]}}
                for document, values in zip(documents, vectors, strict=True)
            ]
        )
        return Response.json({"stored": len(documents)}, status=201)

    async def answer(self, question):
        if not question:
            return Response.json({"error": "ask with ?q="}, status=400)
        (vector,) = await self.embed([question])
        found = await self.env.DOCUMENTS.query(vector, topK=MATCHES, returnMetadata="all")
        context = "\n".join(match["metadata"]["text"] for match in found["matches"])
        answer = await self.env.AI.run(
            self.env.TEXT_MODEL,
            {
                "messages": [
                    {"role": "system", "content": f"{INSTRUCTION}\n\nContext:\n{context}"},
                    {"role": "user", "content": question},
                ]
            },
        )
        sources = [match["id"] for match in found["matches"]]
        return Response.json({"answer": answer["response"], "sources": sources})

    async def embed(self, texts):
        return (await self.env.AI.run(self.env.EMBEDDING_MODEL, {"text": texts}))["data"]
