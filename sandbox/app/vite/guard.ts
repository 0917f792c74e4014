import { posix } from 'node:path'
import type { Plugin } from 'vite'

const PREFIXES = ['/@fs/', '/@id/', '/__x00__', '/@vite-raw/']
const PRIVATE_NAMES = new Set(['claude.md', 'claude.local.md'])

/**
 * Is this request path one that only the server may read? Decided on what the path means once every encoding, prefix
 * and dot segment is undone: dotfiles and dot directories anywhere, the agent's notes, and the server half.
 */
export function isPrivate(url: string, root: string): boolean {
  let path = url.split(/[?#]/, 1)[0]
  for (let round = 0; round < 4; round += 1) {
    let decoded: string
    try {
      decoded = decodeURIComponent(path)
    } catch {
      return true
    }
    if (decoded === path) break
    path = decoded
  }
  path = path.split(/[?#\0]/, 1)[0].replaceAll('\\', '/').replace(/\/+/g, '/')
  let stripped = true
  while (stripped) {
    stripped = false
    for (const prefix of PREFIXES) {
      if (path.startsWith(prefix)) {
        path = `/${path.slice(prefix.length)}`.replace(/\/+/g, '/')
        stripped = true
      }
    }
  }
  path = posix.resolve('/', path)
  if (path === root || path.startsWith(`${root}/`)) path = path.slice(root.length) || '/'
  const segments = path.toLowerCase().split('/').filter(Boolean)
  if (segments[0] === 'server') return true
  // The prepared dependencies are the one dot directory a browser needs.
  const checked = segments[0] === 'node_modules' && segments[1] === '.vite' ? segments.slice(2) : segments
  return checked.some((segment) => segment.startsWith('.') || PRIVATE_NAMES.has(segment))
}

/** Refuses private paths before Vite's own middlewares see them. */
export function guard(): Plugin {
  return {
    name: 'app-guard',
    configureServer(server) {
      const root = server.config.root.replaceAll('\\', '/')
      server.middlewares.use((request, response, next) => {
        if (!isPrivate(request.url ?? '/', root)) return next()
        response.statusCode = 403
        response.setHeader('content-type', 'text/plain; charset=utf-8')
        response.end('Not served.\n')
      })
    },
  }
}
