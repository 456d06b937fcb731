// Where user code calls a step, as it is shown: `src/index.ts:31`.

const MAIN = /(?:^|[\s(])main:(\d+):(\d+)\)?$/;
const VALUES = Object.fromEntries(
  [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"].map((digit, value) => [digit, value]),
);

export class Positions {
  #main;
  #project;
  #lines = []; // of the bundle: [[column, source, line], ...]
  #sources = [];
  #known = new Map(); // "12:3" -> as it is shown
  #callers = new Map(); // stack -> its place

  // main: the main module as it is shown. map: the text of its source map, or "".
  constructor(main, project, map) {
    this.#main = main;
    this.#project = project;
    try {
      if (map) this.#read(JSON.parse(map));
    } catch {} // it is of another tool: places are then those of the bundle
  }

  // Returns the place of the innermost frame of a stack that is the user's, or "".
  line(stack) {
    let line = this.#callers.get(stack);
    if (line === undefined) {
      line = this.#lineOf(`${stack}`);
      this.#callers.set(stack, line);
    }
    return line;
  }

  #lineOf(stack) {
    for (const frame of stack.split("\n")) {
      const found = MAIN.exec(frame);
      if (found !== null) return this.#shown(found[1], found[2]).replace(/:\d+$/, "");
    }
    return "";
  }

  // Returns a stack with the user's places, and without our own frames.
  mapped(stack) {
    return stack
      .split("\n")
      .filter((frame) => !/^\s+at .*(?:groundfog\/|\bentry:\d|cloudflare-internal:)/.test(frame))
      .map((frame) => frame.replace(/\bmain:(\d+):(\d+)/, (_, line, column) => this.#shown(line, column)))
      .join("\n");
  }

  #shown(line, column) {
    const key = `${line}:${column}`;
    let shown = this.#known.get(key);
    if (shown === undefined) {
      shown = this.#original(Number(line), Number(column)) ?? `${this.#main}:${key}`;
      this.#known.set(key, shown);
    }
    return shown;
  }

  #original(line, column) {
    const segments = this.#lines[line - 1];
    if (!segments) return undefined;
    let low = 0;
    let high = segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (segments[middle][0] <= column - 1) low = middle;
      else high = middle - 1;
    }
    const found = segments[low];
    if (!found || found[0] > column - 1 || found[1] === undefined) return undefined;
    return `${this.#sources[found[1]]}:${found[2] + 1}:${found[3] + 1}`;
  }

  #read(map) {
    const root = map.sourceRoot ?? "";
    this.#sources = map.sources.map((source) => this.#path(root, source ?? ""));
    let source = 0;
    let line = 0;
    let column = 0;
    for (const text of map.mappings.split(";")) {
      const segments = [];
      let at = 0;
      for (const segment of text === "" ? [] : text.split(",")) {
        const fields = numbers(segment);
        at += fields[0];
        if (fields.length < 4) {
          segments.push([at]);
          continue;
        }
        source += fields[1];
        line += fields[2];
        column += fields[3];
        segments.push([at, source, line, column]);
      }
      this.#lines.push(segments);
    }
  }

  #path(root, source) {
    let path = source;
    if (root.startsWith("file:")) path = decodeURIComponent(new URL(source, root).pathname);
    const folder = `${this.#project}/`;
    return path.startsWith(folder) ? path.slice(folder.length) : path;
  }
}

function numbers(segment) {
  const found = [];
  let value = 0;
  let shift = 0;
  for (const digit of segment) {
    const bits = VALUES[digit];
    value |= (bits & 31) << shift;
    if (bits & 32) {
      shift += 5;
      continue;
    }
    found.push(value & 1 ? -(value >> 1) : value >> 1);
    value = shift = 0;
  }
  return found;
}
