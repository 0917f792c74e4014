/* What is the page's own and not the session's: drafts, what is open, what was just asked of the server. Whatever a reload
   would miss is kept in the browser's storage. */

import { keep, keepTab } from './keep.js';
import { silence } from './bridge.js';
import { hiddenSecrets } from './secrets.js';
import { clampSplit } from './split.js';

/** The state the pages start from. */
export function firstUi(hash) {
  return {
    status: { state: 'connecting', since: Date.now(), attempt: 0, nextAt: null },
    draft: keep.get('draft'), begun: false, building: null,
    prompt: '', queued: '', sending: null, refusal: null, stoppingTurn: null, moving: null,
    hash, width: keep.get('width', 'desktop'), split: clampSplit(Number(keep.get('split', '30'))), rail: keep.get('rail') === 'open',
    ask: null, copied: '', receipt: null, secrets: hiddenSecrets(), watched: new Set(),
    preview: { ...silence(), url: '', base: '', src: '', probe: 'idle', fallback: false },
  };
}

/** What was written for a session and not yet sent. */
export const storedPrompt = (slug) => ({ prompt: keep.get(`prompt.${slug}`), queued: keepTab.get(`queued.${slug}`) });

/** A holder of it that tells its listener after each change. */
export function createUi(hash, changed) {
  const ui = firstUi(hash);
  return {
    ui,
    set(more) {
      Object.assign(ui, more);
      changed();
    },
  };
}
