// Values as JSON that tells their types, so that two servers can be compared field by field.

export function show(value: any, around: object[] = []): any {
  if (value === undefined) return "undefined";
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  if (typeof value === "number" && Object.is(value, -0)) return "-0";
  if (typeof value === "function") return "function";
  if (value === null || typeof value !== "object") return value;
  if (around.includes(value)) return "cycle";
  const each = (item: any) => show(item, [...around, value]);
  if (Array.isArray(value)) return value.map(each);
  const type = value.constructor?.name ?? "none";
  if (value instanceof Date) return { type, ms: value.getTime() };
  if (value instanceof Map) return { type, entries: [...value].map(each) };
  if (value instanceof Set) return { type, members: [...value].map(each) };
  if (value instanceof RegExp) return { type, text: String(value) };
  if (value instanceof Error) return failure(value);
  if (value instanceof ArrayBuffer) return { type, bytes: [...new Uint8Array(value)] };
  if (value instanceof DataView) return { type, bytes: [...new Uint8Array(value.buffer)] };
  if (ArrayBuffer.isView(value)) return { type, items: [...(value as any)].map(each) };
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, each(item)]));
}

export function failure(error: any): any {
  return { error: error?.name ?? typeof error, message: error?.message ?? String(error) };
}

// Calls each function; what one throws is its result.
export async function outcomes(calls: Record<string, () => any>): Promise<any> {
  const found: Record<string, any> = {};
  for (const [name, call] of Object.entries(calls)) {
    try {
      found[name] = show(await call());
    } catch (error) {
      found[name] = failure(error);
    }
  }
  return found;
}
