// A binding that sends emails: the host checks and keeps them.

import { call } from "groundfog:emails";

export default function ({ host }) {
  return { send: (message) => call(host, "http://host/send", [message]) };
}
