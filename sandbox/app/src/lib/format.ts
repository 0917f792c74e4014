/** Readable forms of stored values; an empty value is shown as a dash. */
const dash = '–'

export function formatDate(value: string | null | undefined): string {
  if (!value) return dash
  const [year, month, day] = value.slice(0, 10).split('-').map(Number)
  return new Date(year, month - 1, day).toLocaleDateString(undefined, { day: 'numeric', month: 'short', year: 'numeric' })
}

export function formatTime(value: string | null | undefined): string {
  return value ? value.slice(0, 5) : dash
}

export function formatMoment(value: string | null | undefined): string {
  return value ? new Date(value).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' }) : dash
}

export function formatNumber(value: number | null | undefined): string {
  return value === null || value === undefined ? dash : value.toLocaleString(undefined, { maximumFractionDigits: 6 })
}

export function formatMoney(value: number | null | undefined, currency: string): string {
  return value === null || value === undefined ? dash : value.toLocaleString(undefined, { style: 'currency', currency })
}

/** A web address that is safe to put into a link, or undefined. */
export function safeUrl(value: string | null | undefined): string | undefined {
  if (!value) return undefined
  try {
    const url = new URL(value)
    return url.protocol === 'https:' || url.protocol === 'http:' ? url.href : undefined
  } catch {
    return undefined
  }
}
