"""Emails that a TypeScript worker sends and receives."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from emulator.cli.main import cli
from tests.typescript.projects import dev, project

INDEX = """
import { EmailMessage } from "cloudflare:email";

const answer = (id: string) =>
  `From: shop@example.com\\nMessage-ID: <2@example.com>\\nIn-Reply-To: ${id}\\n\\nHello`;

export default {
  async fetch(request: Request, env: any): Promise<Response> {
    const { pathname } = new URL(request.url);
    try {
      const raw = await request.text();
      const body = pathname === "/stream" ? new Response(raw).body! : raw;
      const message = pathname === "/object"
        ? { from: "a@example.com", to: "b@example.com", subject: "Hi", text: "x",
            attachments: [{ filename: "f.bin", type: "application/octet-stream",
              disposition: "attachment", content: new Uint8Array([0, 255]) }] }
        : new EmailMessage("shop@example.com", pathname.slice(1) + "@example.com", body as any);
      return Response.json(await env.EMAIL.send(message));
    } catch (error: any) {
      return new Response(`${error.name}: ${error.message} ${error.code}`);
    }
  },
  async email(message: any, env: any, ctx: any): Promise<void> {
    const subject = message.headers.get("subject");
    if (subject === "spam") return message.setReject("No spam");
    if (subject === "fail") throw new RangeError("too bad");
    const text = await new Response(message.raw).text();
    if (text.length !== message.rawSize) throw new Error("wrong size");
    const headers = new Headers({ "X-Seen": "1" });
    await message.forward("support@example.com", headers);
    const id = message.headers.get("message-id");
    try {
      await message.reply(new EmailMessage("other@example.com", message.from, answer(id)));
    } catch (error: any) {
      console.log(error.message);
    }
    ctx.waitUntil(Promise.resolve());
    await message.reply({ from: "shop@example.com", subject: "Re", text: "Hello" });
  },
};
"""
MORE = """
[[send_email]]
name = "EMAIL"
allowed_destination_addresses = ["b@example.com", "stream@example.com"]
"""
RAW = "From: shop@example.com\r\nSubject: Hi\r\nMessage-ID: <1@example.com>\r\n\r\nHello\r\n"


def test_a_worker_sends_forwards_answers_and_refuses_emails(tmp_path: Path) -> None:
    folder = project(tmp_path / "worker", INDEX, MORE)
    with dev(folder) as server:
        assert server.post("/b", content=RAW).json()["messageId"].endswith("@example.com>")
        assert server.post("/stream", content=RAW).json().keys() == {"messageId"}
        assert server.post("/object").json().keys() == {"messageId"}
        refused = server.post("/c", content=RAW).text
        assert refused == "Error: email to c@example.com not allowed E_RECIPIENT_NOT_ALLOWED"
        assert server.post("/b", content="x").text == "Error: invalid message-id E_VALIDATION_ERROR"

        def deliver(subject: str) -> dict[str, object]:
            raw = f"From: a@example.com\nSubject: {subject}\nMessage-ID: <3@example.com>\n\nHello"
            query = {"from": "a@example.com", "to": "shop@example.com", "format": "json"}
            answer = server.post("/cdn-cgi/handler/email", params=query, content=raw)
            found: dict[str, object] = answer.json()
            assert answer.status_code == (200 if found["outcome"] == "ok" else 500)
            return found

        handled = deliver("question")
        kinds = [event["type"] for event in handled["events"]]  # type: ignore[attr-defined]
        assert kinds == ["received", "forward", "reply"]
        server.wait_for("From: header does not match mail from")
        assert deliver("spam")["rejectReason"] == "No spam"
        assert deliver("fail")["outcome"] == "exception"
        server.wait_for("RangeError: too bad")

    done = CliRunner().invoke(cli, ["email", "list", "--json", "--cwd", str(folder)])
    ways = [(mail["way"], mail["outcome"]) for mail in json.loads(done.output)]
    assert ways == [
        ("received", "exception"),
        ("received", "rejected"),
        ("reply", "ok"),
        ("forwarded", "ok"),
        ("received", "ok"),
        *[("sent", "ok")] * 3,
    ]
    shown = CliRunner().invoke(cli, ["email", "show", "3", "--json", "--cwd", str(folder)])
    assert json.loads(shown.output)["attachments"] == [
        {"filename": "f.bin", "type": "application/octet-stream", "size": 2}
    ]
