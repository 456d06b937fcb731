// What user code prints says for whom, line by line. PROTOCOL.md, annex A, "Labels".

import { format } from "./host.js";
import { callerNow } from "./primitives.js";

const BEGINS = "\u001e";
const ENDS = "\u001f";
const PATH_MAX_CHARS = 40;
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

if (format !== undefined) {
  for (const name of ["debug", "error", "info", "log", "warn"]) console[name] = labelled(name, console[name]);
}

function labelled(name, print) {
  const printed = (...args) => {
    const caller = callerNow();
    caller?.trace?.log(name, args);
    const label = caller?.label;
    if (!label) return print.apply(console, args);
    const mark = `${BEGINS}${label.replace(UNPRINTABLE, escaped)}${ENDS}`;
    print.call(console, mark + format(...args).replaceAll("\n", `\n${mark}`));
  };
  return Object.defineProperty(printed, "name", { value: name });
}

// The name of an instance may have anything, also what ends a mark.
function escaped(character) {
  return character === "\t" ? character : `\\u{${character.codePointAt(0).toString(16)}}`;
}

// For whom code runs that answers a request.
export class Requested {
  constructor(method, target) {
    this.method = method;
    this.target = target;
  }

  get label() {
    const path = this.target.split("?", 1)[0];
    return `${this.method} ${path.length > PATH_MAX_CHARS ? `${path.slice(0, PATH_MAX_CHARS)}…` : path}`;
  }
}
