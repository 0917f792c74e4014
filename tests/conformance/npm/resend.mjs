/* Resend's Node client, over an ordinary life. */

import { Resend } from 'resend';
import { given, step } from './step.mjs';

const resend = new Resend(given.key, { baseUrl: given.base_url });
const { data } = await step('emails.send', async () => {
  const sent = await resend.emails.send({ from: given.from, to: 'ada@example.com', subject: 'Hello', text: 'Hello' });
  if (sent.error) throw new Error(sent.error.message);
  return sent;
});
await step('emails.get', async () => {
  const read = await resend.emails.get(data.id);
  if (read.data?.subject !== 'Hello') throw new Error(JSON.stringify(read));
});
