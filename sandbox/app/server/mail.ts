import { Resend } from 'resend'
import { env } from './env'
import { AppError } from './errors'

export type Mail = { to: string | string[]; subject: string; text: string; html?: string; replyTo?: string }

/** Can mail be sent? True when both a key and a sender are in `.env`. */
export function mailConnected(): boolean {
  return Boolean(env('RESEND_API_KEY') && env('RESEND_FROM'))
}

/** Sends one mail from RESEND_FROM and returns its id. Throws an AppError with a readable reason when it cannot. */
export async function sendMail(mail: Mail): Promise<string> {
  const from = env('RESEND_FROM')
  if (!mailConnected() || !from) throw new AppError('Mail is not connected, so nothing was sent.', 503)
  const resend = new Resend(env('RESEND_API_KEY'), { baseUrl: env('RESEND_BASE_URL') || 'https://api.resend.com' })
  const { data, error } = await resend.emails.send({ from, ...mail })
  if (error) throw new AppError(`The mail was not sent: ${error.message}`, 502)
  return data.id
}
