import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { getRequestListener } from '@hono/node-server'
import type { Plugin, ViteDevServer } from 'vite'

type App = { fetch: (request: Request) => Response | Promise<Response> }

/** Changes whenever a file of the server half is written, made or removed. */
function stamp(server: ViteDevServer): string {
  const folder = join(server.config.root, 'server')
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
  return names.map((name) => `${name}:${statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs}`).join()
}

let seen = ''

async function answer(server: ViteDevServer, request: Request): Promise<Response> {
  try {
    // The watcher tells of changes too, but may be late or miss one of two writes in the same moment.
    const now = stamp(server)
    if (now !== seen) server.environments.ssr.moduleGraph.invalidateAll()
    seen = now
    const module = await server.ssrLoadModule('/server/app.ts')
    return await (module.default as App).fetch(request)
  } catch (problem) {
    // A syntax error in server code lands here: say it to the page and to the log, and live on.
    const error = problem instanceof Error ? problem : new Error(String(problem))
    server.ssrFixStacktrace(error)
    server.config.logger.error(`server: ${error.stack ?? error.message}`)
    return Response.json({ error: 'The server half of the app does not start. The log says why.' }, { status: 500 })
  }
}

async function migrate(server: ViteDevServer): Promise<void> {
  try {
    const module = await server.ssrLoadModule('/server/migrate.ts')
    const names = (await module.migrate()) as string[]
    if (names.length > 0) server.config.logger.info(`migrated: ${names.join(', ')}`, { timestamp: true })
  } catch (problem) {
    server.config.logger.error(`migrate: ${problem instanceof Error ? problem.message : String(problem)}`)
  }
}

/** Serves `/api/*` from `server/app.ts` on Vite's own port, always in its newest version, and runs new migrations. */
export function api(): Plugin {
  return {
    name: 'app-api',
    configureServer(server) {
      const listener = getRequestListener((request) => answer(server, request), { overrideGlobalObjects: false })
      server.middlewares.use((request, response, next) => {
        if (request.url === '/api' || request.url?.startsWith('/api/')) void listener(request, response)
        else next()
      })
      server.httpServer?.once('listening', () => void migrate(server))
      // Going to another version of the app brings other migrations along.
      let soon: NodeJS.Timeout | undefined
      server.watcher.on('all', (event, file) => {
        if (event === 'unlink' || !file.endsWith('.sql') || !file.includes('/server/migrations/')) return
        clearTimeout(soon)
        soon = setTimeout(() => void migrate(server), 1000)
      })
      server.httpServer?.once('close', () => clearTimeout(soon))
    },
  }
}
