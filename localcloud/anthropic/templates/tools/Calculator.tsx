import { useEffect, useState } from 'react'
import { Page } from './ui'
import { type Calculation, press, start } from './calculation'

const keys = [
  ['C', '±', '%', '÷'],
  ['7', '8', '9', '×'],
  ['4', '5', '6', '−'],
  ['1', '2', '3', '+'],
  ['0', '.', '⌫', '='],
]
const typed: Record<string, string> = { Enter: '=', '=': '=', Escape: 'C', Backspace: '⌫', '*': '×', '/': '÷', '-': '−', ',': '.' }

export default function App() {
  const [state, setState] = useState<Calculation>(start)

  useEffect(() => {
    document.title = %%TITLE_STRING%%
    function onKey(event: KeyboardEvent) {
      const key = typed[event.key] ?? event.key
      if (!keys.flat().includes(key) || event.ctrlKey || event.metaKey) return
      event.preventDefault()
      setState((before) => press(before, key))
    }
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  }, [])

  return (
    <Page narrow title=%%TITLE_ATTR%%>
      <div className="sheet grid gap-4 p-4">
        <div className="rounded-md bg-well px-4 py-3 text-right">
          <p className="num min-h-6 text-ink-3">{state.story}</p>
          <output aria-live="polite" aria-label=%%RESULT_ATTR%% className="num block text-[2.25rem] leading-tight font-semibold">
            {state.shown}
          </output>
        </div>
        <div className="grid grid-cols-4 gap-2">
          {keys.flat().map((key) => (
            <button
              key={key}
              type="button"
              onClick={() => setState((before) => press(before, key))}
              className={`btn min-h-14 text-[1.125rem] ${key === '=' ? 'btn-primary' : /[÷×−+]/.test(key) ? 'text-accent' : ''}`}
            >
              {key}
            </button>
          ))}
        </div>
      </div>
    </Page>
  )
}
