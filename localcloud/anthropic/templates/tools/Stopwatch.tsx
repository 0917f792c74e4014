import { useEffect, useState } from 'react'
import { Button, Page } from './ui'

function clock(milliseconds: number): string {
  const hundredths = Math.floor(milliseconds / 10)
  const pad = (value: number) => String(value).padStart(2, '0')
  return `${pad(Math.floor(hundredths / 6000))}:${pad(Math.floor(hundredths / 100) % 60)}.${pad(hundredths % 100)}`
}

export default function App() {
  const [before, setBefore] = useState(0)
  const [since, setSince] = useState<number | null>(null)
  const [now, setNow] = useState(0)
  const [laps, setLaps] = useState<number[]>([])
  const elapsed = before + (since === null ? 0 : Math.max(0, now - since))

  useEffect(() => {
    document.title = %%TITLE_STRING%%
  }, [])

  useEffect(() => {
    if (since === null) return
    const timer = setInterval(() => setNow(Date.now()), 30)
    return () => clearInterval(timer)
  }, [since])

  function toggle() {
    if (since === null) {
      setNow(Date.now())
      setSince(Date.now())
    } else {
      setBefore(before + Date.now() - since)
      setSince(null)
    }
  }

  return (
    <Page narrow title=%%TITLE_ATTR%%>
      <div className="sheet grid gap-5 p-6 text-center">
        <output aria-label=%%TITLE_ATTR%% className="num text-[3.5rem] leading-none font-semibold">{clock(elapsed)}</output>
        <div className="flex justify-center gap-2">
          <Button kind="primary" onClick={toggle}>{since === null ? %%START_STRING%% : %%PAUSE_STRING%%}</Button>
          <Button disabled={elapsed === 0} onClick={() => setLaps([elapsed, ...laps])}>%%LAP%%</Button>
          <Button
            disabled={elapsed === 0}
            onClick={() => {
              setBefore(0)
              setSince(null)
              setLaps([])
            }}
          >
            %%RESET%%
          </Button>
        </div>
        {laps.length > 0 ? (
          <ol className="divide-y divide-line text-left">
            {laps.map((lap, index) => (
              <li key={laps.length - index} className="flex justify-between py-2">
                <span className="text-ink-3">{laps.length - index}</span>
                <span className="num">{clock(lap)}</span>
              </li>
            ))}
          </ol>
        ) : null}
      </div>
    </Page>
  )
}
