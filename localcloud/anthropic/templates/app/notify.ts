import { sendMail } from './mail'
%%SETTINGS_IMPORT%%
const lines = [
%%LINES%%
] as const

/** Mails one new entry and says in a sentence how that went. An entry is never lost because its mail was not sent. */
export async function notify(row: Record<string, unknown>): Promise<{ sent: boolean; text: string }> {
  const to = %%RECIPIENT%%
  if (!to) return { sent: false, text: %%NO_ADDRESS%% }
  const text = lines.map(([name, label]) => `${label}: ${row[name] ?? '–'}`).join('\n')
  try {
    await sendMail({ to, subject: %%SUBJECT%%, text: `${%%GREETING%%}\n\n${text}\n` })
    return { sent: true, text: `${%%SENT%%} ${to}` }
  } catch (problem) {
    return { sent: false, text: problem instanceof Error ? problem.message : String(problem) }
  }
}
