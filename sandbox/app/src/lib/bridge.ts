/**
 * Tells the page that frames this app three things: that it is ready, where it is, and what went wrong.
 * Ready is said anew when the code has changed: what went wrong before is over then.
 * Every message is `{ source: 'mk0r-preview', type: 'ready' | 'location' | 'error', … }`. Nothing is ever received.
 */
type Message =
  | { type: 'ready'; title: string }
  | { type: 'location'; path: string }
  | { type: 'error'; message: string; where: string }

const framed = window.parent !== window
let errors = 0

function post(message: Message): void {
  if (framed) window.parent.postMessage({ source: 'mk0r-preview', ...message }, '*')
}

/** Reports an error the person should know of; at most 20 per page load, each at most 500 characters. */
export function reportError(problem: unknown, where = ''): void {
  errors += 1
  if (errors > 20) return
  const message = problem instanceof Error ? problem.message : String(problem)
  post({ type: 'error', message: message.slice(0, 500), where: where.slice(0, 200) })
}

function reportLocation(): void {
  post({ type: 'location', path: (location.pathname + location.search + location.hash).slice(0, 500) })
}

function reportReady(): void {
  errors = 0
  post({ type: 'ready', title: document.title.slice(0, 200) })
}

/** Called right after the app was handed to React, which renders it later: what goes wrong then is said after this. */
export function announceReady(): void {
  reportReady()
  reportLocation()
}

window.addEventListener('error', (event) => {
  reportError(event.error ?? event.message, event.filename ? `${new URL(event.filename).pathname}:${event.lineno}` : '')
})
window.addEventListener('unhandledrejection', (event) => reportError(event.reason))
window.addEventListener('popstate', reportLocation)
window.addEventListener('hashchange', reportLocation)
for (const name of ['pushState', 'replaceState'] as const) {
  const original = history[name].bind(history)
  history[name] = (...args: Parameters<History['pushState']>) => {
    original(...args)
    reportLocation()
  }
}
if (import.meta.hot) {
  import.meta.hot.on('vite:error', (payload) => reportError(payload.err.message, payload.err.id ?? ''))
  import.meta.hot.on('vite:afterUpdate', ({ updates }) => {
    // Said before the changed code is rendered: if it is still wrong, that is reported after it.
    if (updates.some((update) => update.type === 'js-update')) reportReady()
    reportLocation()
  })
}
