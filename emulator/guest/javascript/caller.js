// A binding whose methods run in the host: a request has the arguments, its answer the value or the error.

import entrypoints from "cloudflare-internal:workers";

const decoder = new TextDecoder();

export default function (env) {
  const binding = {};
  for (const name of env.methods) {
    binding[name] = (...args) => call(env.host, name, args);
  }
  for (const name of env.told) {
    // Nobody waits for these; what is wrong is told.
    binding[name] = (...args) => {
      entrypoints.waitUntil(call(env.host, name, args).catch((error) => console.error(String(error))));
    };
  }
  return binding;
}

async function call(host, name, args) {
  const body = JSON.stringify(args, plain);
  const response = await host.fetch(`http://host/${name}`, { method: "POST", body });
  const { value, error } = await response.json();
  if (error === undefined) return value;
  const Class = { TypeError, RangeError }[error.name] ?? Error;
  throw new Class(error.message);
}

function plain(key, value) {
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return decoder.decode(value);
  return value;
}
