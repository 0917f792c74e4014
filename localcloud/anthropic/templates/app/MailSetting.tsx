import { type FormEvent, useEffect, useState } from 'react'
import { ApiError, api } from './lib/api'
import { Button, Input } from './ui'

type Settings = { owner_email: string; connected: boolean }

/** Says where mails about new entries go, and lets that be changed. */
export function MailSetting() {
  const [settings, setSettings] = useState<Settings | null>(null)
  const [address, setAddress] = useState<string | null>(null)
  const [error, setError] = useState('')

  useEffect(() => {
    api<Settings>('settings').then(setSettings, () => setSettings(null))
  }, [])

  async function save(event: FormEvent) {
    event.preventDefault()
    try {
      setSettings(await api<Settings>('settings', { method: 'PUT', body: { owner_email: address } }))
      setAddress(null)
      setError('')
    } catch (problem) {
      setError(problem instanceof ApiError ? (problem.fields.owner_email ?? problem.message) : String(problem))
    }
  }

  if (!settings) return null
  if (address !== null) {
    return (
      <form onSubmit={save} noValidate className="grid gap-2">
        <Input label=%%MAIL_LABEL%% type="email" required value={address} error={error} onChange={(event) => setAddress(event.target.value)} />
        <div className="flex gap-2">
          <Button type="submit" kind="primary">%%SAVE%%</Button>
          <Button onClick={() => setAddress(null)}>%%CANCEL%%</Button>
        </div>
      </form>
    )
  }
  return (
    <p className="text-[0.875rem] text-ink-3">
      %%MAIL_GOES%% <span className="font-medium text-ink-2">{settings.owner_email}</span>
      {settings.owner_email.endsWith('@resend.dev') ? %%MAIL_TEST%% : ''}
      {settings.connected ? '' : %%MAIL_OFF%%}{' '}
      <Button kind="quiet" onClick={() => setAddress(settings.owner_email.endsWith('@resend.dev') ? '' : settings.owner_email)}>
        %%CHANGE%%
      </Button>
    </p>
  )
}
