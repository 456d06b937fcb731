// Bytes that come in pieces.

// Returns all pieces as one; a copy only if there are several.
export function joined(pieces) {
  const filled = pieces.filter((piece) => piece.length > 0);
  if (filled.length <= 1) return filled[0] ?? new Uint8Array(0);
  const whole = new Uint8Array(filled.reduce((size, piece) => size + piece.length, 0));
  let at = 0;
  for (const piece of filled) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
