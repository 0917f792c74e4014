import type { ComponentProps } from 'react'

type Props = ComponentProps<'button'> & { kind?: 'primary' | 'plain' | 'quiet' | 'danger'; busy?: boolean }

const classes = { primary: 'btn btn-primary', plain: 'btn', quiet: 'btn btn-quiet', danger: 'btn btn-danger' }

/** A button. `busy` disables it while work goes on and says so to a screen reader. */
export function Button({ kind = 'plain', busy = false, className = '', type = 'button', disabled, ...rest }: Props) {
  return (
    <button
      type={type}
      className={`${classes[kind]} ${className}`}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      {...rest}
    />
  )
}
