import { join } from 'node:path'
import { serve } from '@hono/node-server'
import { serveStatic } from '@hono/node-server/serve-static'
import { Hono } from 'hono'
import api from './app'
import { migrate } from './migrate'

/** The production server: the same API, and the built client beside it. Started by `npm start` after `npm run build`. */
const client = join(process.cwd(), 'dist', 'client')
const site = new Hono()
site.all('/api/*', (c) => api.fetch(c.req.raw))
site.use('*', serveStatic({ root: client }))
site.get('*', serveStatic({ root: client, path: 'index.html' }))

await migrate()
serve({ fetch: site.fetch, hostname: process.env.HOST || '127.0.0.1', port: Number(process.env.PORT) || 5173 }, (info) => {
  console.log(`listening on http://${info.address}:${info.port}`)
})
