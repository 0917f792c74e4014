import posthog from 'posthog-js'
import { storageWorks } from './storage'

const key = import.meta.env.VITE_POSTHOG_KEY as string | undefined
const host = import.meta.env.VITE_POSTHOG_HOST as string | undefined
const app = import.meta.env.VITE_POSTHOG_APP_ID as string | undefined
const store = globalThis as { analyticsStarted?: boolean }

/** Starts PostHog under the group `app`. Does nothing when analytics is not connected. */
export function startAnalytics(): void {
  if (!key || store.analyticsStarted) return
  store.analyticsStarted = true
  const kept = storageWorks()
  posthog.init(key, {
    api_host: host || 'https://us.i.posthog.com',
    defaults: '2025-11-30',
    // Both need storage that a cross-site frame may not have.
    persistence: kept ? 'localStorage' : 'memory',
    bootstrap: kept ? undefined : { distinctID: crypto.randomUUID?.() ?? `visit-${Math.random()}` },
    disable_session_recording: true,
    disable_surveys: true,
    capture_pageview: false,
    // Tests and checks run headless, and their visits count as visits.
    opt_out_useragent_filter: true,
  })
  if (app) posthog.group('app', app)
  posthog.capture('$pageview')
}

/** Records one event, such as `capture('book added')`. Never put what a person typed into the properties. */
export function capture(event: string, properties: Record<string, string | number | boolean> = {}): void {
  if (key) posthog.capture(event, properties)
}
