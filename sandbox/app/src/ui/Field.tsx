import { type ComponentProps, type ReactNode, useId } from 'react'

type Common = { label: string; error?: string; hint?: string }

type Wiring = { id: string; 'aria-invalid': boolean | undefined; 'aria-describedby': string | undefined }

/** Label, control, hint and error in their usual places, wired together for assistive technology. */
export function Field(props: Common & { children: (wiring: Wiring) => ReactNode }) {
  const id = useId()
  const noteId = `${id}-note`
  const note = props.error ?? props.hint
  return (
    <div className="grid gap-1">
      <label htmlFor={id} className="text-[0.875rem] font-medium text-ink-2">
        {props.label}
      </label>
      {props.children({ id, 'aria-invalid': props.error ? true : undefined, 'aria-describedby': note ? noteId : undefined })}
      {note ? (
        <p id={noteId} role={props.error ? 'alert' : undefined} className={`text-[0.8125rem] ${props.error ? 'text-bad' : 'text-ink-3'}`}>
          {note}
        </p>
      ) : null}
    </div>
  )
}

/** A labelled one-line input: text, number, date, time, e-mail, telephone, web address, colour. */
export function Input({ label, error, hint, className = '', ...rest }: Common & ComponentProps<'input'>) {
  return (
    <Field label={label} error={error} hint={hint}>
      {(wiring) => <input className={`input ${className}`} {...wiring} {...rest} />}
    </Field>
  )
}

/** A labelled text of several lines. */
export function TextArea({ label, error, hint, className = '', ...rest }: Common & ComponentProps<'textarea'>) {
  return (
    <Field label={label} error={error} hint={hint}>
      {(wiring) => <textarea rows={3} className={`input resize-y ${className}`} {...wiring} {...rest} />}
    </Field>
  )
}

/** A labelled choice of one among `options`. */
export function Select(props: Common & ComponentProps<'select'> & { options: readonly string[]; empty?: string }) {
  const { label, error, hint, options, empty, className = '', ...rest } = props
  return (
    <Field label={label} error={error} hint={hint}>
      {(wiring) => (
        <select className={`input ${className}`} {...wiring} {...rest}>
          {empty === undefined ? null : <option value="">{empty}</option>}
          {options.map((option) => (
            <option key={option} value={option}>
              {option}
            </option>
          ))}
        </select>
      )}
    </Field>
  )
}

/** A checkbox with its label beside it. */
export function Checkbox({ label, error, hint, ...rest }: Common & ComponentProps<'input'>) {
  const note = error ?? hint
  return (
    <div className="grid gap-1">
      <label className="flex min-h-9 items-center gap-2.5">
        <input type="checkbox" className="check" {...rest} />
        <span className="text-[0.875rem] font-medium text-ink-2">{label}</span>
      </label>
      {note ? <p className={`text-[0.8125rem] ${error ? 'text-bad' : 'text-ink-3'}`}>{note}</p> : null}
    </div>
  )
}
