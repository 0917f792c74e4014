import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

const file = join(process.cwd(), '.env')

/** Parses the text of an `.env` file: bare, 'single' and "double" quoted values, `export`, comments. */
export function parseEnv(text: string): Record<string, string> {
  const values: Record<string, string> = {}
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$/.exec(line)
    if (match) values[match[1]] = unquote(match[2])
  }
  return values
}

function unquote(raw: string): string {
  const single = /^'([^']*)'/.exec(raw)
  if (single) return single[1]
  const double = /^"((?:[^"\\]|\\.)*)"/.exec(raw)
  if (double) return double[1].replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char))
  return raw.replace(/\s+#.*$/, '')
}

let seen = { stamp: '', values: {} as Record<string, string> }

/** Every name and value in `.env` as it is now. Re-read when the file changes; empty when there is none. */
export function envFile(): Record<string, string> {
  if (!existsSync(file)) return {}
  const { mtimeMs, size, ino } = statSync(file)
  const stamp = `${mtimeMs}:${size}:${ino}`
  if (stamp !== seen.stamp) seen = { stamp, values: parseEnv(readFileSync(file, 'utf8')) }
  return seen.values
}

/** One value by name, from `.env` first and the process second; `undefined` when missing or empty. */
export function env(name: string): string | undefined {
  return envFile()[name] || process.env[name] || undefined
}

const published = globalThis as { viteNames?: Record<string, string> }

function viteNames(): Record<string, string> {
  return Object.fromEntries(Object.entries(envFile()).filter(([name]) => name.startsWith('VITE_')))
}

/** Gives Vite the public (`VITE_`) names of `.env`, which it would otherwise take from a stale process environment. */
export function publishViteNames(): void {
  for (const name of Object.keys(published.viteNames ?? {})) delete process.env[name]
  published.viteNames = viteNames()
  Object.assign(process.env, published.viteNames)
}

/** Has `.env` other public names or values than those that were published last? */
export function viteNamesAreStale(): boolean {
  return JSON.stringify(viteNames()) !== JSON.stringify(published.viteNames)
}
