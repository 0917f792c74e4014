/* The browser's own storage, guarded: private windows, full disks and blocked cookies make it throw. */

function guarded(area) {
  const box = () => {
    try {
      return globalThis[area] ?? null;
    } catch {
      return null;
    }
  };
  return {
    get(key, fallback = '') {
      try {
        return box()?.getItem(`mk0r.${key}`) ?? fallback;
      } catch {
        return fallback;
      }
    },
    set(key, value) {
      try {
        if (value === '' || value === null || value === undefined) box()?.removeItem(`mk0r.${key}`);
        else box()?.setItem(`mk0r.${key}`, String(value));
      } catch {
        // Kept in memory only: the page goes on, a reload forgets.
      }
    },
  };
}

/** Kept for this browser, in every tab. */
export const keep = guarded('localStorage');
/** Kept for this tab, over a reload. */
export const keepTab = guarded('sessionStorage');
