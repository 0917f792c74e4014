import { type Entry, nameOf } from './entries'
%%FORMAT_IMPORT%%import { Button } from './ui'

type Props = {
  entries: Entry[]
%%MARK_PROP%%  onEdit: (entry: Entry) => void
  onDelete: (entry: Entry) => void
}

/** Every entry with its values and what can be done with it. */
export function EntryList({ entries, %%MARK_ARG%%onEdit, onDelete }: Props) {
  return (
    <ul className="sheet divide-y divide-line">
      {entries.map((entry) => (
        <li key={entry.id} className="flex items-start gap-3 px-4 py-3.5">
%%LEADING%%          <div className="grid min-w-0 flex-1 gap-1.5">
            <div className="flex flex-wrap items-baseline justify-between gap-x-4">
              <span className=%%NAME_CLASS%%>{nameOf(entry)}</span>
%%FIGURE%%            </div>
%%DETAILS%%          </div>
          <div className="-my-1 -mr-2 flex shrink-0 flex-col sm:flex-row">
            <Button kind="quiet" aria-label={`%%EDIT_OF%% ${nameOf(entry)}`} onClick={() => onEdit(entry)}>
              %%EDIT%%
            </Button>
            <Button kind="quiet" aria-label={`%%DELETE_OF%% ${nameOf(entry)}`} onClick={() => onDelete(entry)}>
              %%DELETE%%
            </Button>
          </div>
        </li>
      ))}
    </ul>
  )
}
