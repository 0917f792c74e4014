/* What the app in the frame says of itself. It is the visitor's code: every word is untrusted text, cut to size. */

const MOST_ERRORS = 20;
const cut = (value, length) => (typeof value === 'string' ? value.slice(0, length) : '');

/** What is known of the app in the frame before it has said anything. */
export const silence = () => ({ loaded: false, ready: false, readyAt: null, title: '', path: '/', errors: [] });

/** Whether a message comes from the frame itself, from the origin it was sent to (by its own port: any loopback port). */
export function fromFrame(event, frame, preview) {
  if (!frame || event.source !== frame.contentWindow || !preview.base) return false;
  if (event.data === null || typeof event.data !== 'object' || event.data.source !== 'mk0r-preview') return false;
  if (!preview.fallback) return event.origin === new URL(preview.base).origin;
  return /^http:\/\/127\.0\.0\.1:\d+$/.test(event.origin);
}

/** The next state of what is known, after one message. Pure; an unknown message changes nothing. */
export function hear(preview, data, now) {
  switch (data.type) {
    case 'ready':
      return { ...preview, ready: true, loaded: true, readyAt: now, title: cut(data.title, 120), errors: [] };
    case 'location':
      return { ...preview, path: cut(data.path, 300) || '/' };
    case 'error': {
      const error = { message: cut(data.message, 500), where: cut(data.where, 200) };
      return { ...preview, errors: [...preview.errors, error].slice(-MOST_ERRORS) };
    }
    default:
      return preview;
  }
}

/** The sentence put into the prompt for what went wrong. It is offered, never sent. */
export function fixPrompt(errors) {
  const seen = [...new Set(errors.map((error) => `- ${error.message}${error.where ? ` (${error.where})` : ''}`))];
  return `The app in the preview reports ${seen.length === 1 ? 'this error' : 'these errors'}:\n${seen.slice(-5).join('\n')}\nFind the cause and fix it.`;
}
