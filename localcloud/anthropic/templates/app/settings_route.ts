import { Hono } from 'hono'
import { z } from 'zod'
import { field } from '../fields'
import { mailConnected } from '../mail'
import { ownerEmail, setOwnerEmail } from '../settings'
import { body } from '../validate'

const schema = z.object({ owner_email: field.email({ required: %%NEEDED%% }) })

/** /api/settings: where mails about new entries go. */
const settings = new Hono()

settings.get('/', async (c) => c.json({ owner_email: await ownerEmail(), connected: mailConnected() }))

settings.put('/', async (c) => {
  const data = await body(c, schema)
  await setOwnerEmail(data.owner_email ?? '')
  return c.json({ owner_email: await ownerEmail(), connected: mailConnected() })
})

export default settings
