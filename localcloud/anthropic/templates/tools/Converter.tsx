import { useEffect, useState } from 'react'
import { Button, Input, Page, Select } from './ui'

/** value in the base unit = value × factor + offset */
const units: Record<string, { factor: number; offset: number }> = {
%%UNITS%%
}
const names = Object.keys(units)

function convert(value: number, from: string, to: string): number {
  return (value * units[from].factor + units[from].offset - units[to].offset) / units[to].factor
}

export default function App() {
  const [value, setValue] = useState('1')
  const [from, setFrom] = useState(%%FROM_UNIT%%)
  const [to, setTo] = useState(%%TO_UNIT%%)

  useEffect(() => {
    document.title = %%TITLE_STRING%%
  }, [])

  const number = Number(value.replace(',', '.'))
  const result = value.trim() === '' || !Number.isFinite(number) ? null : Number(convert(number, from, to).toPrecision(8))

  return (
    <Page narrow title=%%TITLE_ATTR%%>
      <div className="sheet grid gap-4 p-5">
        <Input label=%%VALUE_ATTR%% inputMode="decimal" value={value} error={result === null && value.trim() !== '' ? '0–9' : undefined} onChange={(event) => setValue(event.target.value)} />
        <div className="grid grid-cols-2 gap-3">
          <Select label=%%FROM_ATTR%% options={names} value={from} onChange={(event) => setFrom(event.target.value)} />
          <Select label=%%TO_ATTR%% options={names} value={to} onChange={(event) => setTo(event.target.value)} />
        </div>
        <div className="flex flex-wrap items-end justify-between gap-3 rounded-md bg-well px-4 py-3">
          <output aria-live="polite" aria-label=%%RESULT_ATTR%% className="num text-[1.75rem] leading-tight font-semibold">
            {result === null ? '–' : result.toLocaleString(undefined, { maximumFractionDigits: 8 })}
            <span className="ml-2 text-[1rem] font-normal text-ink-3">{to}</span>
          </output>
          <Button
            onClick={() => {
              setFrom(to)
              setTo(from)
            }}
          >
            %%SWAP%%
          </Button>
        </div>
      </div>
    </Page>
  )
}
