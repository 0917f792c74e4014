import { useEffect, useState } from 'react'
import { EntryForm } from './EntryForm'
import { EntryList } from './EntryList'
%%MAIL_COMPONENT%%import { type Draft, type Entry, addEntry, changeEntry, deleteEntry, draftOf, emptyDraft, listEntries, %%IMPORTS%%nameOf } from './entries'
import { capture } from './lib/analytics'
%%MONEY_IMPORT%%import { Button, Confirm, Dialog, Empty, Loading, Notice, Page } from './ui'

export default function App() {
  const [entries, setEntries] = useState<Entry[] | null>(null)
  const [problem, setProblem] = useState('')
  const [editing, setEditing] = useState<Entry | null>(null)
  const [deleting, setDeleting] = useState<Entry | null>(null)
  const [busy, setBusy] = useState(false)
%%STATES%%
  async function load() {
    try {
      setEntries(await listEntries())
      setProblem('')
    } catch (reason) {
      setProblem(reason instanceof Error ? reason.message : String(reason))
    }
  }

  useEffect(() => {
    document.title = %%TITLE_STRING%%
    void load()
  }, [])

  async function add(draft: Draft) {
    %%ADD_RESULT%%await addEntry(draft)
    capture('entry added')
%%AFTER_ADD%%    await load()
  }

  async function change(draft: Draft) {
    if (!editing) return
    await changeEntry(editing.id, draft)
    capture('entry changed')
    setEditing(null)
    await load()
  }

  async function remove() {
    if (!deleting) return
    setBusy(true)
    try {
      await deleteEntry(deleting.id)
      capture('entry deleted')
      await load()
    } catch (reason) {
      setProblem(reason instanceof Error ? reason.message : String(reason))
    } finally {
      setBusy(false)
      setDeleting(null)
    }
  }
%%MARK_FUNCTION%%
%%SHOWN%%
  return (
    <Page title=%%TITLE_ATTR%% lead={entries === null ? undefined : entries.length === 1 ? %%COUNT_ONE%% : `${entries.length} ${%%COUNT_MANY%%}`}>
      <div className="grid items-start gap-6 md:grid-cols-[17rem_1fr] lg:grid-cols-[20rem_1fr]">
        <section aria-label=%%NEW_ATTR%% className="sheet grid gap-4 p-4 sm:p-5 md:sticky md:top-6">
          <h2 className="text-[1.0625rem] font-semibold">%%NEW%%</h2>
          <EntryForm initial={emptyDraft} action=%%ADD_ATTR%% onSave={add} />
%%MAIL_SETTING%%        </section>
        <section aria-label=%%LIST_ATTR%% className="grid min-w-0 gap-3">
          {problem ? (
            <Notice action={<Button onClick={() => void load()}>%%RETRY%%</Button>}>{problem}</Notice>
          ) : null}
%%MAIL_NOTICE%%%%SEARCH_BOX%%          {entries === null && !problem ? <Loading label=%%LOADING_ATTR%% /> : null}
          {entries?.length === 0 ? <Empty title=%%EMPTY_ATTR%%>%%EMPTY_HINT%%</Empty> : null}
%%NO_MATCH%%          {shown.length > 0 ? <EntryList entries={shown} %%MARK_PASS%%onEdit={setEditing} onDelete={setDeleting} /> : null}
%%TOTALS%%        </section>
      </div>
      {editing ? (
        <Dialog title=%%EDIT_TITLE_ATTR%% onClose={() => setEditing(null)}>
          <EntryForm initial={draftOf(editing)} action=%%SAVE_ATTR%% onSave={change} onCancel={() => setEditing(null)} />
        </Dialog>
      ) : null}
      {deleting ? (
        <Confirm
          title={`%%DELETE_OF%% ${nameOf(deleting)}?`}
          text=%%DELETE_TEXT_ATTR%%
          action=%%DELETE_ATTR%%
          keep=%%KEEP_ATTR%%
          busy={busy}
          onConfirm={() => void remove()}
          onClose={() => setDeleting(null)}
        />
      ) : null}
    </Page>
  )
}
