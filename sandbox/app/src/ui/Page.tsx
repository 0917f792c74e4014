import type { ReactNode } from 'react'

type Props = { title: string; lead?: ReactNode; actions?: ReactNode; narrow?: boolean; children: ReactNode }

/** The frame of a page: title, a line below it, actions to the right, content in one centred column. */
export function Page(props: Props) {
  return (
    <div className={`mx-auto w-full ${props.narrow ? 'max-w-md' : 'max-w-5xl'} px-4 pt-8 pb-16 sm:px-6 sm:pt-12`}>
      <header className="mb-6 flex flex-wrap items-end justify-between gap-x-6 gap-y-3 sm:mb-8">
        <div className="grid gap-1">
          <h1 className="text-[1.625rem] leading-tight font-semibold tracking-tight">{props.title}</h1>
          {props.lead ? <p className="text-ink-3">{props.lead}</p> : null}
        </div>
        {props.actions ? <div className="flex flex-wrap gap-2">{props.actions}</div> : null}
      </header>
      <main>{props.children}</main>
    </div>
  )
}
