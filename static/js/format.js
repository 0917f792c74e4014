/* Numbers and times as a person thinks of them. */

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

export const count = (value) => grouped.format(value);

/** "1 file", "3 files". */
export const plural = (value, one, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;

/** "361 ms", "2.3 s", "48 s", "1 min 04 s", "2 h 05 min". */
export function duration(ms) {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return '';
  if (Math.round(ms) < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}

/** Whole seconds for a running clock: nothing flickers in the tenths. */
export const running = (ms) => duration(Math.max(0, Math.floor((ms ?? 0) / 1000)) * 1000).replace(/^0 ms$/, '0 s').replace('.0 s', ' s');

/** "$0.13"; what is under a cent keeps a digit that says something. */
export function money(usd) {
  if (!Number.isFinite(usd)) return '';
  return usd > 0 && usd < 0.01 ? `$${usd.toPrecision(1)}` : `$${usd.toFixed(2)}`;
}

/** The clock time today, the date before. */
export function moment(iso, now = Date.now()) {
  const then = new Date(iso);
  if (Number.isNaN(then.getTime())) return '';
  const sameDay = then.toDateString() === new Date(now).toDateString();
  return sameDay
    ? then.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })
    : then.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' });
}

/** "just now", "5 min ago", "2 h ago", "3 days ago". */
export function ago(ms) {
  if (ms < 45_000) return 'just now';
  if (ms < 3_600_000) return `${Math.max(1, Math.round(ms / 60_000))} min ago`;
  if (ms < 86_400_000) return `${Math.round(ms / 3_600_000)} h ago`;
  return `${plural(Math.round(ms / 86_400_000), 'day')} ago`;
}

/** "23 h", "42 min", "3 min 20 s" of something that runs out. */
export function remaining(ms) {
  if (ms <= 0) return '0 s';
  if (ms >= 2 * 3_600_000) return `${Math.floor(ms / 3_600_000)} h`;
  if (ms >= 10 * 60_000) return `${Math.floor(ms / 60_000)} min`;
  return running(ms);
}
