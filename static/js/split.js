/* The line between conversation and panel: dragged, or moved with the arrow keys; kept for this browser. */

const LEAST = 20;
const MOST = 60;
const STEP = 2;

export const clampSplit = (percent) => Math.min(MOST, Math.max(LEAST, Math.round(percent)));

/** The share for a key press, or null when the key is not for the split. */
export function splitForKey(key, percent) {
  const next = { ArrowLeft: percent - STEP, ArrowRight: percent + STEP, Home: LEAST, End: MOST }[key];
  return next === undefined ? null : clampSplit(next);
}

/** Follow the pointer until it is let go; `move` gets the share in percent. The frame must not swallow the pointer. */
export function dragSplit(event, move) {
  const handle = event.currentTarget;
  handle.setPointerCapture(event.pointerId);
  document.documentElement.classList.add('is-dragging');
  const follow = (each) => move(clampSplit((each.clientX / window.innerWidth) * 100));
  const stop = () => {
    document.documentElement.classList.remove('is-dragging');
    handle.removeEventListener('pointermove', follow);
  };
  handle.addEventListener('pointermove', follow);
  handle.addEventListener('pointerup', stop, { once: true });
  handle.addEventListener('pointercancel', stop, { once: true });
}
