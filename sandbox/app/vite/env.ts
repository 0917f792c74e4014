import type { Plugin } from 'vite'
import { viteNamesAreStale } from '../server/env.ts'

const LOOK_EVERY_MS = 500

/**
 * Starts the server anew when the page's half of `.env` is no longer what it began with. Vite does so too, but hears
 * of no file that is written while it is starting, and that is when a new app gets its `.env`.
 */
export function freshEnv(): Plugin {
  return {
    name: 'app-env',
    configureServer(server) {
      const look = setInterval(() => {
        if (!viteNamesAreStale()) return
        clearInterval(look)
        void server.restart()
      }, LOOK_EVERY_MS)
      server.httpServer?.once('close', () => clearInterval(look))
    },
  }
}
