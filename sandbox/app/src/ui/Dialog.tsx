import { type ReactNode, useEffect, useId, useRef } from 'react'
import { Button } from './Button'

/** A modal dialog on the browser's own `<dialog>`: Escape closes it, focus stays inside and returns afterwards. */
export function Dialog(props: { title: string; onClose: () => void; children: ReactNode }) {
  const ref = useRef<HTMLDialogElement>(null)
  const titleId = useId()
  useEffect(() => {
    const dialog = ref.current
    if (dialog && !dialog.open) dialog.showModal()
    return () => dialog?.close()
  }, [])
  return (
    <dialog
      ref={ref}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault()
        props.onClose()
      }}
      className="sheet m-auto max-h-[90dvh] w-[min(32rem,calc(100vw-2rem))] overflow-y-auto p-5 text-ink shadow-xl backdrop:bg-black/40"
    >
      <h2 id={titleId} className="mb-4 text-[1.125rem] font-semibold">
        {props.title}
      </h2>
      {props.children}
    </dialog>
  )
}

/** Asks before something that cannot be taken back. */
export function Confirm(props: { title: string; text: string; action: string; keep?: string; busy?: boolean; onConfirm: () => void; onClose: () => void }) {
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <p className="text-ink-2">{props.text}</p>
      <div className="mt-5 flex justify-end gap-2">
        <Button onClick={props.onClose}>{props.keep ?? 'Keep it'}</Button>
        <Button kind="danger" busy={props.busy} onClick={props.onConfirm}>
          {props.action}
        </Button>
      </div>
    </Dialog>
  )
}
