import { api } from './lib/api'

export type Entry = {
  id: number
%%ENTRY_TYPE%%
  created_at: string
}

/** What the form holds: values as they are typed. */
export type Draft = {
%%DRAFT_TYPE%%
}

export const emptyDraft: Draft = {
%%DRAFT_EMPTY%%
}

export function draftOf(entry: Entry): Draft {
  return {
%%DRAFT_OF%%
  }
}

function payload(draft: Draft) {
  return {
    ...draft,
%%PAYLOAD%%  }
}

%%SAVED%%
export const listEntries = () => api<Entry[]>('%%TABLE%%')
export const addEntry = (draft: Draft) => api<%%ADDED%%>('%%TABLE%%', { method: 'POST', body: payload(draft) })
export const changeEntry = (id: number, draft: Draft) => api<Entry>(`%%TABLE%%/${id}`, { method: 'PUT', body: payload(draft) })
%%MARK%%export const deleteEntry = (id: number) => api<void>(`%%TABLE%%/${id}`, { method: 'DELETE' })

/** The words an entry is known by, for headings and questions. */
export function nameOf(entry: Entry): string {
  return %%NAME_OF%%
}
%%MATCHES%%
