import { Hono } from 'hono'
import { sql } from '../db'
import { env } from '../env'
import { mailConnected } from '../mail'

const names = {
  database: ['DATABASE_URL', 'NEON_HOST', 'NEON_DB_NAME', 'NEON_ROLE_NAME', 'NEON_ROLE_PASSWORD'],
  mail: ['RESEND_API_KEY', 'RESEND_FROM', 'RESEND_AUDIENCE_ID'],
  repository: ['GITHUB_REPO', 'GITHUB_REPO_URL'],
  analytics: ['VITE_POSTHOG_KEY', 'VITE_POSTHOG_HOST', 'VITE_POSTHOG_APP_ID'],
}

/** GET /api/status: what the app is connected to. Names of settings only, never a value. */
const status = new Hono()

status.get('/', async (c) => {
  const answers = env('DATABASE_URL') ? await sql`select 1`.then(() => true, () => false) : false
  const present = (list: string[]) => list.filter((name) => env(name))
  return c.json({
    services: [
      { name: 'Database', ready: answers, settings: present(names.database) },
      { name: 'Mail', ready: mailConnected(), settings: present(names.mail) },
      { name: 'Repository', ready: Boolean(env('GITHUB_REPO')), settings: present(names.repository) },
      { name: 'Analytics', ready: Boolean(env('VITE_POSTHOG_KEY')), settings: present(names.analytics) },
    ],
  })
})

export default status
