/* The server's time as this page sees it. A message can only be younger than it looks, so the smallest difference seen is
   the best guess of how far the two clocks are apart. */

let offset = Infinity;

/** Learn from a server timestamp (ISO text or milliseconds) that has just been received. */
export function observe(at, received = Date.now()) {
  const server = typeof at === 'string' ? Date.parse(at) : at;
  if (Number.isFinite(server)) offset = Math.min(offset, received - server);
}

/** Milliseconds since 1970 on the server's clock. */
export function now() {
  return Date.now() - (Number.isFinite(offset) ? offset : 0);
}
