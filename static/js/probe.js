/* Which address of the preview this browser can reach. Names below `localhost` resolve in Chromium and Firefox and not
   everywhere; where they do not, the same app is asked for by a loopback port of its own. */

const PATIENCE = 5000;

/** The address that leads to the same preview without a name below localhost, or null where there is none. Pure. */
export function fallbackFor(url) {
  const address = new URL(url);
  const match = address.hostname.match(/^(\d+)-([a-z0-9-]+)\.localhost$/i);
  if (!match) return null;
  return `http://127.0.0.1:${address.port || '80'}/e2b/preview/${match[2]}/${match[1]}`;
}

async function answers(url, fetcher) {
  try {
    await fetcher(url, { mode: 'no-cors', cache: 'no-store', credentials: 'omit', signal: AbortSignal.timeout(PATIENCE) });
    return true;
  } catch {
    return false;
  }
}

/** {src, fallback} of the first address that answers, or null. Only http(s) addresses are ever tried, and never one of
    our own origin: the frame keeps its origin, so what it shows would act here as the visitor. */
export async function reach(url, fetcher = (...args) => fetch(...args), own = globalThis.location?.origin) {
  let address;
  try {
    address = new URL(url);
  } catch {
    return null;
  }
  if (address.protocol !== 'http:' && address.protocol !== 'https:') return null;
  if (address.origin === own || address.username || address.password) return null;
  if (await answers(address.href, fetcher)) return { src: address.href, fallback: false };
  const other = fallbackFor(address.href);
  if (other && (await answers(other, fetcher))) return { src: other, fallback: true };
  return null;
}
