import { Component, type ReactNode } from 'react'
import { reportError } from '../lib/bridge'
import { Button } from './Button'

/** What stands where entries will be. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="grid justify-items-center gap-1 rounded-[10px] border border-dashed border-line px-6 py-14 text-center">
      <p className="font-medium">{title}</p>
      {children ? <p className="max-w-sm text-ink-3">{children}</p> : null}
    </div>
  )
}

/** A message that stays until it is answered. `tone` is bad for errors and good for what went well. */
export function Notice(props: { tone?: 'bad' | 'good'; children: ReactNode; action?: ReactNode }) {
  const tone = props.tone === 'good' ? 'bg-good-soft text-good' : 'bg-bad-soft text-bad'
  return (
    <div role={props.tone === 'good' ? 'status' : 'alert'} className={`flex flex-wrap items-center justify-between gap-3 rounded-md px-3.5 py-2.5 ${tone}`}>
      <span>{props.children}</span>
      {props.action}
    </div>
  )
}

/** Grey lines while a list is on its way. */
export function Loading({ label = 'Loading', rows = 3 }: { label?: string; rows?: number }) {
  return (
    <div role="status" aria-label={label} className="grid gap-2.5">
      {Array.from({ length: rows }, (_, index) => (
        <div key={index} className="h-16 animate-pulse rounded-[10px] bg-line/60" />
      ))}
    </div>
  )
}

/** Shows a readable page instead of a blank one when a component throws, and tells the frame around the app. */
export class Boundary extends Component<{ children: ReactNode }, { message: string }> {
  state = { message: '' }

  static getDerivedStateFromError(problem: unknown) {
    return { message: problem instanceof Error ? problem.message : String(problem) }
  }

  componentDidCatch(problem: unknown) {
    reportError(problem, 'render')
  }

  render() {
    if (!this.state.message) return this.props.children
    return (
      <div className="mx-auto max-w-xl px-4 py-16">
        <Notice action={<Button onClick={() => this.setState({ message: '' })}>Show the page again</Button>}>
          This page stopped: {this.state.message}
        </Notice>
      </div>
    )
  }
}
