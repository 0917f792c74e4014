
const marks = z.object({ %%MARKS%% }).partial()

entries.patch('/:id', async (c) => {
  const data = await body(c, marks)
  if (Object.keys(data).length === 0) throw new AppError('There is nothing to change.', 422)
  const [row] = await sql`update %%TABLE%% set ${sql(data)} where id = ${id(c)} returning *`
  if (!row) throw missing()
  return c.json(row)
})
