import type { Plugin } from 'vite'
import { viteNamesAreStale } from '../server/env.ts'

const LOOK_EVERY_MS = 500
const SOON = '<!doctype html><meta http-equiv="refresh" content="1"><title>Starting</title>Starting …'

/**
 * Starts the server anew when the page's half of `.env` is no longer what it began with. Vite does so too, but hears
 * of no file that is written while it is starting, and that is when a new app gets its `.env`. Until then the app's
 * first page, by which it is found to be up, is not served: one that is opened while the server goes away would never
 * hear of a change again.
 */
export function freshEnv(): Plugin {
  return {
    name: 'app-env',
    configureServer(server) {
      const look = () => {
        const stale = viteNamesAreStale()
        if (stale) void server.restart()
        return stale
      }
      const timer = setInterval(() => look() && clearInterval(timer), LOOK_EVERY_MS)
      server.httpServer?.once('listening', look)
      server.httpServer?.once('close', () => clearInterval(timer))
      server.middlewares.use((request, response, next) => {
        if (request.url !== '/' || !look()) return next()
        response.statusCode = 503
        response.setHeader('content-type', 'text/html; charset=utf-8')
        response.end(SOON)
      })
    },
  }
}
