import { type FormEvent, useEffect, useRef, useState } from 'react'
import type { Draft } from './entries'
import { ApiError } from './lib/api'
import { %%UI%% } from './ui'

type Props = { initial: Draft; action: string; onSave: (draft: Draft) => Promise<void>; onCancel?: () => void }

/** The form of one entry. It empties itself after a successful save and keeps what was typed after a failed one. */
export function EntryForm({ initial, action, onSave, onCancel }: Props) {
  const [draft, setDraft] = useState(initial)
  const [errors, setErrors] = useState<Record<string, string>>({})
  const [problem, setProblem] = useState('')
  const [busy, setBusy] = useState(false)
  const form = useRef<HTMLFormElement>(null)
  const set = (change: Partial<Draft>) => setDraft((before) => ({ ...before, ...change }))

  useEffect(() => {
    form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus()
  }, [errors])

  async function submit(event: FormEvent) {
    event.preventDefault()
    setBusy(true)
    setProblem('')
    setErrors({})
    try {
      await onSave(draft)
      setDraft(initial)
    } catch (reason) {
      if (reason instanceof ApiError && Object.keys(reason.fields).length > 0) setErrors(reason.fields)
      else setProblem(reason instanceof Error ? reason.message : String(reason))
    } finally {
      setBusy(false)
    }
  }

  return (
    <form ref={form} onSubmit={submit} noValidate className="@container grid gap-4">
      <div className="grid items-start gap-4 @lg:grid-cols-2">
%%INPUTS%%
      </div>
      {problem ? <Notice>{problem}</Notice> : null}
      <div className="flex gap-2">
        <Button type="submit" kind="primary" busy={busy} className={onCancel ? '' : 'w-full'}>
          {action}
        </Button>
        {onCancel ? <Button onClick={onCancel}>%%CANCEL%%</Button> : null}
      </div>
    </form>
  )
}
