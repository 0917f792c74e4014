import { z } from 'zod'

/**
 * Checks for the usual kinds of value. Each takes `required`: the sentence to show when the value is missing; without
 * it an empty value is stored as null. `invalid` replaces the sentence for a value of the wrong form.
 */
type Rule = { required?: string; invalid?: string }
type NumberRule = Rule & { min?: number; max?: number }

function text(pattern: RegExp | null, max: number, rule: Rule, invalid: string) {
  return z.unknown().optional().transform((value, context): string | null => {
    const words = typeof value === 'string' || typeof value === 'number' ? String(value).trim() : ''
    const wrong = value !== null && value !== undefined && typeof value !== 'string' && typeof value !== 'number'
    const problem =
      wrong || words.includes('\0') || (words !== '' && pattern !== null && !pattern.test(words))
        ? (rule.invalid ?? invalid)
        : words.length > max
          ? (rule.invalid ?? `At most ${max} characters fit here.`)
          : words === ''
            ? rule.required
            : undefined
    if (problem) context.addIssue({ code: 'custom', message: problem })
    return words === '' ? null : words
  })
}

function number(rule: NumberRule, decimals: number | null) {
  return z.unknown().optional().transform((value, context): number | null => {
    const empty = value === null || value === undefined || (typeof value === 'string' && value.trim() === '')
    const amount = typeof value === 'number' ? value : typeof value === 'string' ? Number(value) : Number.NaN
    const { min = -1e15, max = 1e15 } = rule
    if (empty) {
      if (rule.required) context.addIssue({ code: 'custom', message: rule.required })
      return null
    }
    if (!Number.isFinite(amount)) context.addIssue({ code: 'custom', message: rule.invalid ?? 'This needs to be a number.' })
    else if (amount < min || amount > max) {
      const message = rule.min !== undefined && rule.max !== undefined ? `Between ${min} and ${max}, please.` : 'This number is out of range.'
      context.addIssue({ code: 'custom', message: rule.invalid ?? message })
    }
    return decimals === null ? amount : Math.round(amount * 10 ** decimals) / 10 ** decimals
  })
}

function realDate(words: string): boolean {
  const date = new Date(`${words}T00:00:00Z`)
  // Postgres knows of no year 0 and takes no NUL (above).
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(words) && !words.startsWith('0000')
}

export const field = {
  text: (rule: Rule = {}) => text(null, 300, rule, 'This needs to be text.'),
  longText: (rule: Rule = {}) => text(null, 20_000, rule, 'This needs to be text.'),
  email: (rule: Rule = {}) => text(/^[^\s@]{1,64}@[^\s@.]+(\.[^\s@.]+)+$/, 254, rule, 'This is no e-mail address.'),
  phone: (rule: Rule = {}) => text(/^[+\d][\d\s()./-]{2,30}$/, 32, rule, 'This is no phone number.'),
  url: (rule: Rule = {}) => text(/^https?:\/\/[^\s]+\.[^\s]+$/i, 2000, rule, 'A web address starts with https://'),
  time: (rule: Rule = {}) => text(/^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$/, 8, rule, 'A time looks like 14:30.'),
  date: (rule: Rule = {}) =>
    text(/^\d{4}-\d{2}-\d{2}$/, 10, rule, 'This is no date.').refine(
      (value) => value === null || realDate(value),
      rule.invalid ?? 'This day does not exist.',
    ),
  number: (rule: NumberRule = {}) => number(rule, null),
  money: (rule: NumberRule = {}) => number({ min: -9_999_999_999, max: 9_999_999_999, ...rule }, 2),
  yesNo: () => z.boolean('Yes or no, please.').nullish().transform((value) => value ?? false),
  choice: (options: readonly string[], rule: Rule = {}) =>
    z.unknown().optional().transform((value, context): string | null => {
      if (value === null || value === undefined || value === '') {
        if (rule.required) context.addIssue({ code: 'custom', message: rule.required })
        return null
      }
      if (typeof value !== 'string' || !options.includes(value)) {
        context.addIssue({ code: 'custom', message: rule.invalid ?? `One of these, please: ${options.join(', ')}.` })
        return null
      }
      return value
    }),
}
