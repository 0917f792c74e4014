import { sql } from './db'

/** Resend's own test inbox: mail goes there until somebody puts an address in. */
const TEST_INBOX = 'delivered@resend.dev'
const FIRST_ADDRESS = %%ADDRESS%%

/** The address that mails about new entries go to. */
export async function ownerEmail(): Promise<string> {
  const [row] = await sql<{ value: string }[]>`select value from app_settings where name = 'owner_email'`
  return row?.value || FIRST_ADDRESS || TEST_INBOX
}

/** Keeps the address for mails about new entries. */
export async function setOwnerEmail(value: string): Promise<void> {
  await sql`insert into app_settings (name, value) values ('owner_email', ${value})
    on conflict (name) do update set value = excluded.value`
}
