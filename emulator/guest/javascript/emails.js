// Emails on their way to the host, as JSON in which bytes are `{ $base64 }`.

const RAW = "EmailMessage::raw"; // what makes an object an EmailMessage

// Calls a method of the host with a message among its arguments.
export async function call(host, url, args) {
  const body = JSON.stringify(await Promise.all(args.map(plain)));
  const response = await host.fetch(url, { method: "POST", body });
  const { value, error } = await response.json();
  if (error === undefined) return value;
  const Class = { TypeError, RangeError }[error.name] ?? Error;
  throw Object.assign(new Class(error.message), error.code ? { code: error.code } : {});
}

async function plain(message) {
  if (typeof message !== "object" || message === null) return message;
  if (RAW in message) {
    const { from, to } = message;
    const raw = message[RAW];
    return { from, to, [RAW]: typeof raw === "string" ? raw : await bytesOf(raw) };
  }
  if (!Array.isArray(message.attachments)) return message;
  const attachments = await Promise.all(message.attachments.map(attached));
  return { ...message, attachments };
}

async function attached(attachment) {
  const content = attachment?.content;
  if (typeof content !== "object" || content === null) return attachment;
  return { ...attachment, content: await bytesOf(content) };
}

async function bytesOf(content) {
  const bytes = new Uint8Array(await new Response(content).arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 32_768) {
    text += String.fromCharCode(...bytes.subarray(at, at + 32_768));
  }
  return { $base64: btoa(text) };
}
