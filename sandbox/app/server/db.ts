import postgres from 'postgres'
import { env } from './env'
import { AppError } from './errors'

type Pool = { url: string; sql: postgres.Sql }
// Kept on globalThis so that a reloaded module goes on with the same connections.
const store = globalThis as { pool?: Pool }

function connect(address: string): postgres.Sql {
  const url = new URL(address)
  const tls = url.searchParams.get('sslmode')
  // postgres.js would pass these on as settings of the session, which Postgres refuses.
  url.searchParams.delete('channel_binding')
  url.searchParams.delete('sslmode')
  return postgres(url.toString(), {
    ssl: tls && tls !== 'disable' ? 'require' : false,
    max: 4,
    idle_timeout: 30,
    connect_timeout: 10,
    onnotice: () => {},
    types: {
      // Dates and times stay text ('2026-11-23', '09:30:00'): a calendar day has no time zone.
      day: { to: 1082, from: [1082], serialize: String, parse: String },
      clock: { to: 1083, from: [1083], serialize: String, parse: String },
      // Numbers arrive as numbers; Postgres sends numeric and bigint as text.
      numeric: { to: 1700, from: [1700, 20], serialize: String, parse: Number },
    },
  }) as unknown as postgres.Sql
}

/** The pool for the present DATABASE_URL. Throws an AppError (503) when no database is connected. */
export function database(): postgres.Sql {
  const url = env('DATABASE_URL')
  if (!url) throw new AppError('The database is not connected yet.', 503)
  if (store.pool?.url !== url) {
    void store.pool?.sql.end({ timeout: 5 })
    store.pool = { url, sql: connect(url) }
  }
  return store.pool.sql
}

/**
 * Tagged template for queries: await sql`select * from things where id = ${id}`. Values are always sent apart from the
 * text. `sql(object, 'a', 'b')`, `sql(rows)` and `sql(name)` build column lists and identifiers (postgres.js).
 */
export const sql = new Proxy((() => {}) as unknown as postgres.Sql, {
  apply: (_target, _self, args: unknown[]) => Reflect.apply(database() as never, undefined, args),
  get: (_target, name) => Reflect.get(database(), name),
})
