// Messages of a WebSocket as the bytes of a body: kind (u8), length (u32), payload. PROTOCOL.md, section 6.

import { joined } from "./bytes.js";

const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const HEAD_BYTES = 5;
const NO_CODE = new Set([1005, 1006]); // which a socket says of itself, and nobody sends
const EMPTY = new Uint8Array(0);
const encoder = new TextEncoder();

// Returns the bytes of one message.
export function messageOf(data) {
  return typeof data === "string" ? framed(TEXT, encoder.encode(data)) : framed(BINARY, new Uint8Array(data));
}

// Returns the bytes of a close.
export function closeOf(code, reason) {
  if (NO_CODE.has(code)) return framed(CLOSE, EMPTY);
  const text = encoder.encode(reason ?? "");
  const payload = new Uint8Array(2 + text.length);
  payload.set([code >> 8, code & 255]);
  payload.set(text, 2);
  return framed(CLOSE, payload);
}

function framed(kind, payload) {
  const whole = new Uint8Array(HEAD_BYTES + payload.length);
  whole[0] = kind;
  new DataView(whole.buffer).setUint32(1, payload.length);
  whole.set(payload, HEAD_BYTES);
  return whole;
}

// Passes messages to a socket until it is closed. next: returns the next piece of bytes, or null at
// the end. closing: is called before a close that was sent.
export async function passTo(socket, next, closing) {
  let rest = EMPTY;
  const decoder = new TextDecoder();
  for (;;) {
    const piece = await next();
    if (piece === null) return close(socket, 1006, "");
    rest = joined([rest, piece]);
    while (rest.length >= HEAD_BYTES) {
      const end = HEAD_BYTES + new DataView(rest.buffer, rest.byteOffset, rest.length).getUint32(1);
      if (rest.length < end) break;
      const payload = rest.slice(HEAD_BYTES, end);
      const kind = rest[0];
      rest = rest.subarray(end);
      if (kind === TEXT) socket.send(decoder.decode(payload));
      else if (kind === BINARY) socket.send(payload);
      else {
        closing();
        const code = payload.length >= 2 ? (payload[0] << 8) | payload[1] : 1000;
        return close(socket, code, decoder.decode(payload.subarray(2)));
      }
    }
  }
}

function close(socket, code, reason) {
  try {
    socket.close(NO_CODE.has(code) ? 1000 : code, reason);
  } catch {} // it is closed
}
