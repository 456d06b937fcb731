// What `cloudflare:email` exports.

class EmailMessage {
  constructor(from, to, raw) {
    if (raw === undefined) {
      throw new TypeError("EmailMessage needs three arguments: from, to, and the raw message.");
    }
    Object.assign(this, { from, to });
    // A member, because messages cross to other workers as plain objects.
    this["EmailMessage::raw"] = raw;
  }
}

export default { EmailMessage };
