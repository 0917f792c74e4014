import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { database } from './db'
import { env } from './env'

const folder = join(process.cwd(), 'server', 'migrations')

/**
 * Runs each `server/migrations/*.sql` that is new or was edited, in the order of their names, in one transaction.
 * Write them so that running twice does no harm (`create table if not exists`, `add column if not exists`).
 * Returns the names it ran; does nothing while no database is connected.
 */
export async function migrate(): Promise<string[]> {
  if (!env('DATABASE_URL') || !existsSync(folder)) return []
  const names = readdirSync(folder).filter((name) => name.endsWith('.sql')).sort()
  if (names.length === 0) return []
  return database().begin(async (sql) => {
    await sql`select pg_advisory_xact_lock(727001)`
    await sql`create table if not exists app_migrations (
      name text primary key, digest text not null, applied_at timestamptz not null default now())`
    const rows = await sql<{ name: string; digest: string }[]>`select name, digest from app_migrations`
    const known = new Map(rows.map((row) => [row.name, row.digest]))
    const ran: string[] = []
    for (const name of names) {
      const text = readFileSync(join(folder, name), 'utf8')
      const digest = createHash('sha256').update(text).digest('hex')
      if (known.get(name) === digest) continue
      await sql.unsafe(text)
      await sql`insert into app_migrations (name, digest) values (${name}, ${digest})
        on conflict (name) do update set digest = excluded.digest, applied_at = now()`
      ran.push(name)
    }
    return ran
  })
}
