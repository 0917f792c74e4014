/* The values of `.env`, fetched when the owner asks, shown for a short while, and then forgotten. */

export const SHOWN_FOR = 30_000;

export const hiddenSecrets = () => ({ values: null, text: '', until: 0, loading: false, error: '' });

function unquote(raw) {
  const value = raw.trim();
  if (value.length >= 2 && value.startsWith("'") && value.endsWith("'")) return value.slice(1, -1).replaceAll("'\\''", "'");
  if (value.length >= 2 && value.startsWith('"') && value.endsWith('"')) return value.slice(1, -1).replace(/\\(["\\$`])/g, '$1');
  return value;
}

/** Name -> value of a `.env` file. Pure. */
export function parseEnv(text) {
  const values = new Map();
  for (const line of text.split(/\r?\n/)) {
    const match = line.match(/^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$/);
    if (match) values.set(match[1], unquote(match[2]));
  }
  return values;
}

/** The clone command with its password, read when the owner asks. Throws as `readEnv` does. */
export async function readClone(slug, fetcher = (...args) => fetch(...args)) {
  const told = await read(`/api/sessions/${encodeURIComponent(slug)}/clone`, fetcher);
  return (await told.json()).command;
}

/** Read the file. Throws an Error with a sentence for the reader when it cannot be had. */
export async function readEnv(slug, fetcher = (...args) => fetch(...args)) {
  const told = await read(`/api/sessions/${encodeURIComponent(slug)}/env`, fetcher);
  const text = await told.text();
  return { text, values: parseEnv(text) };
}

async function read(address, fetcher) {
  let response;
  try {
    response = await fetcher(address, { cache: 'no-store', credentials: 'same-origin', signal: AbortSignal.timeout(10_000) });
  } catch {
    throw new Error('Nothing could be read: the line to the server is down. Try again in a moment.');
  }
  if (response.status === 404) throw new Error('The server does not know this session, or it is not yours.');
  if (!response.ok) throw new Error(`The server refused (${response.status}). Nothing was changed.`);
  return response;
}
