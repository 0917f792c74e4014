import { useEffect, useState } from 'react'
import { Button, Input, Notice, Page } from './ui'

const first = %%SECONDS%%

function clock(seconds: number): string {
  const rest = Math.max(0, Math.ceil(seconds))
  const parts = [Math.floor(rest / 3600), Math.floor(rest / 60) % 60, rest % 60]
  return (parts[0] > 0 ? parts : parts.slice(1)).map((part) => String(part).padStart(2, '0')).join(':')
}

export default function App() {
  const [length, setLength] = useState(first)
  const [left, setLeft] = useState(first)
  const [end, setEnd] = useState<number | null>(null)

  useEffect(() => {
    document.title = end === null ? %%TITLE_STRING%% : clock(left)
  }, [end, left])

  useEffect(() => {
    if (end === null) return
    // Measured against the clock, so a tab that slept does not run slow.
    const timer = setInterval(() => {
      const rest = (end - Date.now()) / 1000
      setLeft(Math.max(0, rest))
      if (rest <= 0) setEnd(null)
    }, 200)
    return () => clearInterval(timer)
  }, [end])

  function setMinutes(words: string) {
    const seconds = Math.min(24 * 3600, Math.max(0, Math.round(Number(words) * 60)))
    if (!Number.isFinite(seconds)) return
    setLength(seconds)
    setLeft(seconds)
    setEnd(null)
  }

  return (
    <Page narrow title=%%TITLE_ATTR%%>
      <div className="sheet grid gap-5 p-6 text-center">
        <output aria-label=%%TITLE_ATTR%% className="num text-[4rem] leading-none font-semibold">{clock(left)}</output>
        <progress className="h-1.5 w-full accent-(--accent-fill)" aria-label=%%TITLE_ATTR%% max={length || 1} value={length - left} />
        {left <= 0 && length > 0 ? <Notice tone="good">%%DONE%%</Notice> : null}
        <div className="flex justify-center gap-2">
          <Button kind="primary" disabled={left <= 0} onClick={() => setEnd(end === null ? Date.now() + left * 1000 : null)}>
            {end === null ? %%START_STRING%% : %%PAUSE_STRING%%}
          </Button>
          <Button
            onClick={() => {
              setEnd(null)
              setLeft(length)
            }}
          >
            %%RESET%%
          </Button>
        </div>
        <Input label=%%MINUTES_ATTR%% type="number" min={0} step="any" value={String(length / 60)} onChange={(event) => setMinutes(event.target.value)} />
      </div>
    </Page>
  )
}
