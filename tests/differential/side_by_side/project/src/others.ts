// Emails, images, databases elsewhere, loaded workers: what every call gives.

import { EmailMessage } from "cloudflare:email";
import { outcomes } from "./show";

const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const EMAIL = { from: "a@example.com", to: "b@example.com", subject: "s", text: "t" };

export async function others(env: any): Promise<any> {
  const idOf = (sent: any) => sent.messageId.replace(/<[A-Za-z0-9]{36}@/, "<ID@");
  const send = async (more: any) => idOf(await env.EMAIL.send({ ...EMAIL, ...more }));
  const raw = async (from: string, to: string, headers: string, body: any = "x") =>
    idOf(await env.EMAIL.send(new EmailMessage(from, to, `From: a@example.com\r\n${headers}\r\n\r\n${body}`)));
  const png = () => new Response(Uint8Array.from(atob(PNG), (each) => each.charCodeAt(0))).body;
  const { user, password, database, connectionString, port } = env.POSTGRES;
  const code = {
    compatibilityDate: "2026-04-01",
    mainModule: "index.js",
    modules: { "index.js": "export default { fetch(request, env) { return new Response(env.NAME); } }" },
    env: { NAME: "loaded" },
  };
  return outcomes({
    email: () => send({}),
    named: () => send({ from: { email: "x@y.z", name: "X" }, to: ["b@example.com"] }),
    notTo: () => send({ to: "c@example.com" }),
    notAllTo: () => send({ to: ["b@example.com", "c@example.com"] }),
    raw: () => raw("a@example.com", "b@example.com", "Message-ID: <1@x>"),
    rawNotTo: () => raw("a@example.com", "c@example.com", "Message-ID: <1@x>"),
    rawNoId: () => raw("a@example.com", "b@example.com", "A: b"),
    rawFrom: () => raw("z@example.com", "b@example.com", "Message-ID: <1@x>"),
    rawReceived: () => raw("a@example.com", "b@example.com", "Message-ID: <1@x>\r\nReceived: x"),
    info: () => env.IMAGES.info(png()),
    webp: async () => {
      const made = await env.IMAGES.input(png()).transform({ rotate: 90, width: 4 }).output({ format: "image/webp" });
      return [made.contentType(), (await made.response().arrayBuffer()).byteLength > 0];
    },
    rgb: () => env.IMAGES.input(png()).output({ format: "rgb" }),
    twice: async () => {
      const image = env.IMAGES.input(png());
      await image.output({ format: "image/png" });
      await image.output({ format: "image/png" });
    },
    wide: () => env.IMAGES.input(png()).transform({ width: "wide" }).output({ format: "image/png" }),
    database: () => [user, password, database, connectionString.replace(/@[^/]*/, "@HOST"), typeof port],
    loaded: async () => (await env.LOADER.get("one", () => code).getEntrypoint().fetch("http://x/")).text(),
  });
}

// Does what the subject of an email says.
export async function handled(message: any): Promise<void> {
  const answer = (headers: string) =>
    message.reply(new EmailMessage("b@example.com", message.from, `From: b@example.com\r\n${headers}\r\n\r\nx`));
  switch (message.headers.get("subject")) {
    case "reject":
      return message.setReject("No");
    case "fail":
      throw new RangeError("in the handler");
    case "reply":
      return answer("Message-ID: <2@x>\r\nIn-Reply-To: <1@example.com>");
    case "wrong reply":
      return answer("Message-ID: <2@x>");
    default: {
      const shown = [message.from, message.to, message.rawSize, message.headers.get("bcc"), message.canBeForwarded];
      const text = await new Response(message.raw).text();
      await message.forward("c@example.com", new Headers({ "X-Seen": JSON.stringify([...shown, text]) }));
    }
  }
}
