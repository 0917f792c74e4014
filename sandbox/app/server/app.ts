import { Hono } from 'hono'
import { AppError } from './errors'

/**
 * The server half. Every `server/routes/<name>.ts` that default-exports a Hono app answers under `/api/<name>`;
 * nothing has to be registered here.
 */
const routes = import.meta.glob<{ default: Hono }>('./routes/*.ts', { eager: true })

const app = new Hono().basePath('/api')

for (const [file, module] of Object.entries(routes)) {
  const name = file.slice('./routes/'.length, -'.ts'.length)
  app.route(`/${name}`, module.default)
}

app.notFound((c) => c.json({ error: `Nothing answers ${c.req.method} ${c.req.path}.` }, 404))

app.onError((problem, c) => {
  if (problem instanceof AppError) return c.json({ error: problem.message, fields: problem.fields }, problem.status)
  console.error(problem)
  return c.json({ error: 'The server met an error it did not expect. Nothing was changed.' }, 500)
})

export default app
