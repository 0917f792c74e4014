import { useEffect, useState } from 'react'
import { api } from './lib/api'

type Service = { name: string; ready: boolean; settings: string[] }

/** Stands here until the first version of the app does. */
export default function App() {
  const [services, setServices] = useState<Service[]>([])

  useEffect(() => {
    const load = () => api<{ services: Service[] }>('status').then((status) => setServices(status.services), () => setServices([]))
    void load()
    const timer = setInterval(load, 5000)
    return () => clearInterval(timer)
  }, [])

  return (
    <main className="mx-auto grid min-h-dvh max-w-xl content-center gap-8 px-6 py-12">
      <header className="grid gap-1.5">
        <h1 className="text-[1.625rem] leading-tight font-semibold tracking-tight">Your app appears here</h1>
        <p className="text-ink-3">This page is its empty starting point. What it is connected to so far:</p>
      </header>
      <ul className="sheet divide-y divide-line">
        {services.map((service) => (
          <li key={service.name} className="grid gap-0.5 px-4 py-3">
            <div className="flex items-baseline justify-between gap-4">
              <span className="font-medium">{service.name}</span>
              <span className={`text-[0.8125rem] ${service.ready ? 'text-good' : 'text-ink-3'}`}>
                {service.ready ? '✓ connected' : '○ not connected'}
              </span>
            </div>
            {service.settings.length > 0 ? (
              <p className="font-mono text-[0.75rem] text-ink-3">{service.settings.join('  ')}</p>
            ) : null}
          </li>
        ))}
        {services.length === 0 ? <li className="px-4 py-3 text-ink-3">Asking the server half …</li> : null}
      </ul>
    </main>
  )
}
