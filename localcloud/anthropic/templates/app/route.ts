import { Hono } from 'hono'
import { z } from 'zod'
import { sql } from '../db'
import { AppError } from '../errors'
import { field } from '../fields'
%%NOTIFY_IMPORT%%import { body, id } from '../validate'

const entry = z.object({
%%SCHEMA%%
})

const missing = () => new AppError(%%MISSING%%, 404)

/** /api/%%TABLE%%: list, add, change and delete. */
const entries = new Hono()

entries.get('/', async (c) => c.json(await sql`select * from %%TABLE%% order by %%ORDER%%`))

entries.get('/:id', async (c) => {
  const [row] = await sql`select * from %%TABLE%% where id = ${id(c)}`
  if (!row) throw missing()
  return c.json(row)
})

entries.post('/', async (c) => {
  const data = await body(c, entry)
  const [row] = await sql`insert into %%TABLE%% ${sql(data)} returning *`
  return c.json(%%CREATED%%, 201)
})

entries.put('/:id', async (c) => {
  const data = await body(c, entry)
  const [row] = await sql`update %%TABLE%% set ${sql(data)} where id = ${id(c)} returning *`
  if (!row) throw missing()
  return c.json(row)
})
%%TOGGLE%%
entries.delete('/:id', async (c) => {
  const [row] = await sql`delete from %%TABLE%% where id = ${id(c)} returning id`
  if (!row) throw missing()
  return c.body(null, 204)
})

export default entries
