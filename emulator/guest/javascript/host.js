// What leads to the host: services and rules that are bound to this worker, and that user code does
// not see. It is imported before the user's modules.

import { env } from "cloudflare:workers";

function taken(name) {
  const value = env[name];
  delete env[name];
  return value;
}

function allTaken(prefix) {
  const names = Object.keys(env).filter((name) => name.startsWith(prefix));
  return Object.fromEntries(names.map((name) => [name.slice(prefix.length), taken(name)]));
}

// The host's answers to `fetch("http://groundfog/…")`.
export const host = taken("__groundfog_host");
// The host's own server for clients, and what `front_rules` says; undefined in a worker without a door.
export const door = taken("__groundfog_door");
export const rules = taken("__groundfog_rules");
// The names of bindings to other workers.
export const workers = taken("__groundfog_services") ?? [];
// Whether other workers want to know what events do.
export const traced = taken("__groundfog_traced") ?? false;
// The names of bindings that find workers by name.
export const dispatchers = taken("__groundfog_dispatchers") ?? [];
// Namespaces of other workers, which make ids, by the names of their bindings; those of this one by class.
export const ids = allTaken("__groundfog_ids_");
export const objects = allTaken("__groundfog_objects_");
// Formats what is printed as workerd does; undefined where its lines get no labels.
export const format = taken("__groundfog_format");
