import type { Context } from 'hono'
import type { z } from 'zod'
import { AppError } from './errors'

/** The request's JSON body, checked by `schema`. Throws an AppError (422) with one sentence per wrong field. */
export async function body<T extends z.ZodType>(c: Context, schema: T): Promise<z.output<T>> {
  const data: unknown = await c.req.json().catch(() => {
    throw new AppError('The request holds no valid JSON.', 400)
  })
  const result = schema.safeParse(data)
  if (result.success) return result.data
  const fields: Record<string, string> = {}
  for (const issue of result.error.issues) fields[issue.path.join('.') || 'form'] ??= issue.message
  throw new AppError('Some fields need another look.', 422, fields)
}

/** The `:id` of the path as a positive whole number. Throws an AppError (404) for anything else. */
export function id(c: Context): number {
  const value = Number(c.req.param('id'))
  if (!Number.isSafeInteger(value) || value < 1 || value > 2_147_483_647) throw new AppError('There is no such entry.', 404)
  return value
}
