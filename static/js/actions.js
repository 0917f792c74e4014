/* What a person can do on the pages. Each action changes the page's own state, or sends a frame; what comes of it arrives
   as events. A prompt stays in its box until the log has it. */

import { fixPrompt } from './bridge.js';
import { keep, keepTab } from './keep.js';
import { SHOWN_FOR, hiddenSecrets, readClone, readEnv } from './secrets.js';
import { dragSplit, splitForKey } from './split.js';
import { blocked } from './components/composer.js';

const COPIED_FOR = 2000;
const isSend = (event) => event.key === 'Enter' && (event.ctrlKey || event.metaKey) && !event.isComposing;

/** Actions of the home page. `app` is the controller of app.js. */
function homeActions(app) {
  const begin = () => {
    if (app.ui.begun || app.homeSession()) return;
    app.set({ begun: true });
    app.flush();
  };
  const write = (text) => {
    keep.set('draft', text);
    app.set({ draft: text });
    if (text.trim() && !app.ui.refusal) begin(); // what was refused is asked for again by Build, not by every key
  };
  const build = () => {
    const text = app.ui.draft.trim();
    if (!text || app.ui.building) return;
    app.set({ building: text, refusal: null });
    begin();
    app.flush();
  };
  return {
    typeSentence: (event) => write(event.target.value),
    example: (text) => {
      write(text);
      document.getElementById('sentence')?.focus();
    },
    sentenceKey: (event) => {
      if (!isSend(event)) return;
      event.preventDefault();
      build();
    },
    build: (event) => {
      event.preventDefault();
      build();
    },
  };
}

/** Actions of the conversation. */
function promptActions(app) {
  const write = (text) => {
    app.write(text);
    app.set({ refusal: null });
  };
  const enqueue = (text) => {
    keepTab.set(`queued.${app.slug}`, text);
    app.set({ queued: text });
  };
  const submit = () => {
    const model = app.model();
    const text = app.ui.prompt.trim();
    if (!text || app.ui.sending || blocked(model)) return;
    if (model.session.running) {
      if (app.ui.queued) return;
      enqueue(text);
      write('');
    } else app.outbox.send(text);
  };
  const stop = () => {
    const { running } = app.model().session ?? {};
    if (!running || app.ui.stoppingTurn === running.number) return;
    if (app.connection.send({ type: 'cancel' })) app.set({ stoppingTurn: running.number });
  };
  return {
    typePrompt: (event) => write(event.target.value),
    promptKey: (event) => {
      if (!isSend(event)) return;
      event.preventDefault();
      submit();
    },
    submitPrompt: (event) => {
      event.preventDefault();
      submit();
    },
    stop,
    sendQueued: () => {
      if (!app.ui.sending && app.outbox.send(app.ui.queued)) enqueue('');
    },
    editQueued: () => {
      const rest = app.ui.prompt.trim();
      write(rest ? `${app.ui.queued}\n${rest}` : app.ui.queued);
      enqueue('');
      document.getElementById('prompt')?.focus();
    },
    dropQueued: () => enqueue(''),
    proposeFix: () => {
      const fix = fixPrompt(app.ui.preview.errors);
      const rest = app.ui.prompt.trim();
      write(rest ? `${rest}\n\n${fix}` : fix);
      if (app.narrow()) app.go('conversation');
      requestAnimationFrame(() => document.getElementById('prompt')?.focus());
    },
  };
}

/** Actions on versions, services and the session as a whole. */
function sessionActions(app) {
  // Undo and redo ask for the version they named: a turn that ends while the question stands leads them elsewhere.
  const frameOf = (ask) => (ask.kind === 'end' ? { type: 'end' } : { type: 'restore', number: ask.number });
  const copy = async (id, text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      return app.set({ refusal: { message: 'This browser does not let the page copy. Select the text and copy it yourself.' } });
    }
    app.set({ copied: id });
    return setTimeout(() => app.ui.copied === id && app.set({ copied: '' }), COPIED_FOR);
  };
  return {
    ask: (ask) => {
      document.querySelector('details.menu')?.removeAttribute('open');
      app.set({ ask });
    },
    dismiss: () => app.ui.ask && app.set({ ask: null }),
    confirm: () => {
      const { ask } = app.ui;
      const sent = ask !== null && app.connection.send(frameOf(ask));
      const [newest] = app.model().session.versions;
      const makes = ask?.kind !== 'end' && newest?.restores !== ask?.number; // what is repeated already becomes no other version
      const moving = sent && makes ? { target: ask.number, newest: newest?.number ?? 0 } : null;
      const refusal = sent ? null : { message: 'Nothing was changed: the line is down. Try again when it is back.' };
      app.set({ ask: null, moving, refusal });
    },
    retry: (provider) => {
      const sent = app.connection.send({ type: 'retry', provider });
      app.set({ refusal: sent ? null : { message: 'Nothing was retried: the line is down. Try again when it is back.' } });
    },
    revealSecrets: async () => {
      app.set({ secrets: { ...hiddenSecrets(), loading: true } });
      try {
        const read = await readEnv(app.slug);
        app.set({ secrets: { ...hiddenSecrets(), ...read, until: Date.now() + SHOWN_FOR } });
      } catch (error) {
        app.set({ secrets: { ...hiddenSecrets(), error: error.message } });
      }
    },
    hideSecrets: () => app.set({ secrets: hiddenSecrets() }),
    copy,
    copyClone: async () => {
      try {
        await copy('clone-key', await readClone(app.slug));
      } catch (error) {
        app.set({ refusal: { message: error.message } });
      }
    },
  };
}

/** Actions on what is shown and where. */
function layoutActions(app) {
  return {
    go: (id) => app.go(id),
    tabKey: (event) => {
      const tabs = [...event.currentTarget.querySelectorAll('[role=tab]')];
      const at = tabs.findIndex((tab) => tab.getAttribute('aria-selected') === 'true');
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const tab = tabs.at(to % tabs.length);
      tab.click();
      tab.focus();
    },
    setWidth: (width) => {
      keep.set('width', width);
      app.set({ width });
    },
    splitDown: (event) => dragSplit(event, app.setSplit),
    splitKey: (event) => {
      const next = splitForKey(event.key, app.ui.split);
      if (next === null) return;
      event.preventDefault();
      app.setSplit(next);
    },
    toggleRail: () => {
      const rail = !app.ui.rail;
      keep.set('rail', rail ? 'open' : '');
      app.set({ rail });
    },
    closeMenu: () => document.querySelector('details.menu')?.removeAttribute('open'),
    reconnect: () => app.connection.retryNow(),
    reloadPreview: () => app.previewer.reload(),
    frameLoaded: () => app.previewer.loaded(),
    probeNow: () => app.previewer.probe(),
  };
}

export const actions = (app) => ({ ...homeActions(app), ...promptActions(app), ...sessionActions(app), ...layoutActions(app) });
