/* Follows the receipt of a session that is still ending: fetches the page again and puts its lines in place of the old
   ones, until all is settled. Without script the page loads itself again. */

const PARTS = ['.receipt-said', '.receipt-sum', '.receipt-lines', '.receipt-foot'];
const WAIT = 2000; // milliseconds

async function look() {
  const shown = document.getElementById('receipt');
  let next = null;
  try {
    const answer = await fetch(location.href, { cache: 'no-store', credentials: 'same-origin' });
    if (answer.ok) next = new DOMParser().parseFromString(await answer.text(), 'text/html').getElementById('receipt');
  } catch {
    // The next look may find the server again.
  }
  if (next && next.innerHTML !== shown.innerHTML) {
    for (const part of PARTS) shown.querySelector(part).replaceChildren(...next.querySelector(part).childNodes);
    shown.dataset.state = next.dataset.state;
  }
  if (shown.dataset.state !== 'closed') setTimeout(look, WAIT);
}

setTimeout(look, WAIT);
