// Values <-> tagged JSON. PROTOCOL.md, section 3.

const DEPTH_MAX = 1024;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const EMPTY = new Uint8Array(0);
const ARRAYS = new Map(
  [
    ...[Int8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array],
    ...[Float32Array, Float64Array, BigInt64Array, BigUint64Array, DataView],
  ].map((kind) => [kind.name, kind]),
);
const DAY_MS = 86_400_000;
const FIRST_MS = -719162 * DAY_MS; // of the year 1
const LAST_MS = 2932897 * DAY_MS; // after the year 9999

// What a step returned as a stream, as the host keeps it.
export class StoredStream {
  constructor([id, chunks, bytes, preview]) {
    Object.assign(this, { id, chunks, bytes, preview });
  }
}

// Returns a value as bytes. `body`: gets a stream in the value, which follows after the message.
// `stub`: returns `[owner, id]` of what stays here and can be called. Throws a DataCloneError that says
// where.
export function encode(value, body, stub) {
  if (value === null) return EMPTY;
  const writer = new Writer(body, stub);
  return encoder.encode(JSON.stringify(writer.write(value, 0, "")));
}

// Returns the value that `bytes` carry. `body`: makes the stream that follows the message. `stub`: makes
// what calls a function elsewhere.
export function decode(bytes, body, stub) {
  if (bytes.length === 0) return null;
  const text = decoder.decode(bytes);
  const tree = JSON.parse(text);
  return text.includes('"$') ? new Reader(body, stub).read(tree) : tree;
}

function refused(what, where) {
  const text = `${what} could not be cloned.${where ? ` It is at ${where.replace(/^\./, "")}.` : ""}`;
  return new DOMException(text, "DataCloneError");
}

class Writer {
  #numbers = new Map(); // container -> its number
  #body;
  #stub;

  constructor(body, stub) {
    this.#body = body;
    this.#stub = stub;
  }

  write(value, depth, where) {
    switch (typeof value) {
      case "string":
      case "boolean":
        return value;
      case "number":
        return Number.isFinite(value) && !Object.is(value, -0) ? value : { $number: numberName(value) };
      case "undefined":
        return { $undefined: 1 };
      case "bigint":
        return { $bigint: value.toString().length > 600 ? hexadecimal(value) : value.toString() };
      case "object":
        return value === null ? null : this.#object(value, depth, where);
      default: {
        const stub = this.#stub?.(value);
        if (stub !== undefined) return { $stub: stub };
        throw refused(shownShort(value), where);
      }
    }
  }

  #object(value, depth, where) {
    const known = this.#numbers.get(value);
    if (known !== undefined) return { $ref: known };
    if (depth >= DEPTH_MAX) throw refused("a value nested more than 1,024 deep", where.slice(0, 100));
    if (Array.isArray(value)) {
      this.#open(value);
      return Array.from(value, (item, index) => this.write(item, depth + 1, `${where}[${index}]`));
    }
    const prototype = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) return this.#plain(value, depth, where);
    return this.#special(value, depth, where);
  }

  #plain(value, depth, where) {
    this.#open(value);
    const members = {};
    const names = Object.keys(value);
    for (const name of names) {
      const item = this.write(value[name], depth + 1, `${where}.${name}`);
      if (name === "__proto__") define(members, name, item);
      else members[name] = item;
    }
    return names.length === 1 && names[0].startsWith("$") ? { $object: members } : members;
  }

  #special(value, depth, where) {
    if (value instanceof Date) {
      const ms = value.getTime();
      if (!(ms >= FIRST_MS && ms < LAST_MS)) throw refused("a Date outside the years 1 to 9999", where);
      return { $date: ms };
    }
    if (value instanceof Map) {
      this.#open(value);
      let index = 0;
      const pairs = [];
      for (const [key, item] of value) {
        const at = `${where}.<entry ${index++}>`;
        pairs.push([this.write(key, depth + 1, at), this.write(item, depth + 1, at)]);
      }
      return { $map: pairs };
    }
    if (value instanceof Set) {
      this.#open(value);
      return { $set: Array.from(value, (item) => member(item, where)) };
    }
    if (value instanceof RegExp) return { $regexp: [value.source, value.flags] };
    if (value instanceof ArrayBuffer) return { $buffer: base64(new Uint8Array(value)) };
    if (ArrayBuffer.isView(value)) return view(value, where);
    if (value instanceof Error) return { $error: { name: `${value.name}`, message: `${value.message}` } };
    if (value instanceof Boolean || value instanceof Number || value instanceof String) {
      return this.write(value.valueOf(), depth, where);
    }
    if (value instanceof ReadableStream && this.#body?.(value)) return { $body: 1 };
    const stub = this.#stub?.(value);
    if (stub !== undefined) return { $stub: stub };
    throw refused(`an object of type ${value.constructor?.name ?? "unknown"}`, where);
  }

  #open(value) {
    this.#numbers.set(value, this.#numbers.size);
  }
}

class Reader {
  #opened = [];
  #body;
  #stub;

  constructor(body, stub) {
    this.#body = body;
    this.#stub = stub;
  }

  read(node) {
    if (typeof node !== "object" || node === null) return node;
    if (Array.isArray(node)) {
      this.#opened.push(node);
      for (let index = 0; index < node.length; index++) node[index] = this.read(node[index]);
      return node;
    }
    const names = Object.keys(node);
    if (names.length === 1 && names[0].startsWith("$")) return this.#tagged(names[0], node[names[0]]);
    return this.#members(node);
  }

  #members(node) {
    this.#opened.push(node);
    for (const name of Object.keys(node)) {
      const item = node[name];
      if (typeof item === "object" && item !== null) define(node, name, this.read(item));
    }
    return node;
  }

  #tagged(tag, body) {
    switch (tag) {
      case "$date":
        return new Date(body);
      case "$bytes":
        return unbase64(body);
      case "$buffer":
        return unbase64(body).buffer;
      case "$typed":
        return typed(body);
      case "$undefined":
        return undefined;
      case "$bigint":
        return body.startsWith("-0x") ? -BigInt(body.slice(1)) : BigInt(body);
      case "$number":
        return body === "NaN" ? NaN : body === "-0" ? -0 : body === "Infinity" ? Infinity : -Infinity;
      case "$map": {
        const map = new Map();
        this.#opened.push(map);
        for (const [key, item] of body) map.set(this.read(key), this.read(item));
        return map;
      }
      case "$set": {
        const set = new Set();
        this.#opened.push(set);
        for (const item of body) set.add(this.read(item));
        return set;
      }
      case "$regexp":
        return new RegExp(body[0], body[1]);
      case "$error":
        return errorOf(body.name, body.message);
      case "$ref":
        return this.#opened[body];
      case "$object":
        return this.#members(body);
      case "$stored":
      case "$stream": // in journals of before protocol 2
        return new StoredStream(body);
      case "$body":
        return this.#body();
      case "$stub":
        if (this.#stub) return this.#stub(body);
        break;
    }
    throw new TypeError(`${tag} is not a tag`);
  }
}

const ERRORS = { TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError };

// Returns an error of the built-in class of that name, or an Error that is called so.
export function errorOf(name, message) {
  const error = new (ERRORS[name] ?? Error)(message);
  if (error.name !== name) {
    Object.defineProperty(error, "name", { value: name, configurable: true, writable: true });
  }
  return error;
}

function member(item, where) {
  const kind = typeof item;
  if (item === null || kind === "string" || kind === "boolean") return item;
  if (kind === "number" || kind === "bigint" || kind === "undefined") return new Writer().write(item, 0, where);
  throw refused("a Set with an object", where);
}

function view(value, where) {
  const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof Uint8Array) return { $bytes: base64(bytes) };
  const kind = value[Symbol.toStringTag];
  if (!ARRAYS.has(kind)) throw refused(`a ${kind}`, where);
  return { $typed: [kind, base64(bytes)] };
}

function typed([kind, text]) {
  const { buffer } = unbase64(text);
  const Kind = ARRAYS.get(kind);
  if (Kind === undefined) throw new TypeError(`${kind} is not a kind of array`);
  return new Kind(buffer);
}

function numberName(value) {
  return Object.is(value, -0) ? "-0" : String(value);
}

function hexadecimal(value) {
  return value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}

function define(target, name, value) {
  Object.defineProperty(target, name, { value, configurable: true, enumerable: true, writable: true });
}

function shownShort(value) {
  const text = String(value);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

const toBase64 = Uint8Array.prototype.toBase64;
const fromBase64 = Uint8Array.fromBase64;

function base64(bytes) {
  if (toBase64) return toBase64.call(bytes);
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return btoa(text);
}

function unbase64(text) {
  if (fromBase64) return fromBase64.call(Uint8Array, text);
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
