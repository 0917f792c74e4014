/* Follows an undertaking: asks every second how far it is and writes what has changed into its row, until it is finished.
   Aloud it says little: each quarter, the first failure, the end. Without script the page loads itself again. */

const WAIT = 1000, LONGEST = 10_000; // milliseconds
const part = document.getElementById('undertaking');
const rows = new Map([...part.querySelectorAll('[data-number]')].map((row) => [Number(row.dataset.number), row]));
const glyphs = new Map([...document.querySelectorAll('template[data-glyph]')].map((one) => [one.dataset.glyph, one]));
const link = document.getElementById('link');
const bar = document.getElementById('bar');
const said = document.getElementById('said');

let quarter = Math.floor((4 * bar.value) / bar.max);
let failures = Number(part.querySelector('.order-states [data-state="failed"] b').textContent);
let wait = WAIT;

function draw({ number, state, words, link: address }) {
  const row = rows.get(number);
  if (!row) return;
  if (row.dataset.state !== state) {
    const its = glyphs.get(state);
    row.dataset.state = state;
    row.querySelector('.order-glyph').replaceChildren(its.content.cloneNode(true));
    row.querySelector('.order-word').textContent = its.dataset.word;
  }
  const cell = row.querySelector('.order-words');
  if (cell.textContent !== words) cell.textContent = words;
  const at = row.lastElementChild;
  if (address && at.querySelector('a')?.getAttribute('href') !== address) {
    const made = link.content.cloneNode(true);
    made.firstElementChild.setAttribute('href', address);
    at.replaceChildren(made);
  }
}

function tell(tally, finished) {
  const ended = bar.max - tally.waiting - tally.working;
  for (const [state, count] of Object.entries(tally)) {
    const shown = part.querySelector(`.order-states [data-state="${state}"] b`);
    if (shown && shown.textContent !== String(count)) shown.textContent = count;
  }
  bar.value = ended;
  document.getElementById('ended').textContent = ended;
  const passed = Math.floor((4 * ended) / bar.max);
  const troubles = tally.failed ? `, ${tally.failed} failed` : '';
  if (finished) said.textContent = `Finished: ${tally.done} done, ${tally.nothing} had nothing to do${troubles}.`;
  else if (passed > quarter || (tally.failed && !failures)) said.textContent = `${ended} of ${bar.max} ended${troubles}.`;
  quarter = passed;
  failures = tally.failed;
}

async function look() {
  try {
    const answer = await fetch(part.dataset.state, { cache: 'no-store', credentials: 'same-origin', redirect: 'error' });
    if (!answer.ok) throw new Error(answer.status);
    const { finished, tally, errands } = await answer.json();
    errands.forEach(draw);
    tell(tally, finished);
    document.getElementById('away').hidden = true;
    wait = WAIT;
    if (finished) {
      part.dataset.finished = finished;
      document.getElementById('progress-h').textContent = 'Finished';
      return;
    }
  } catch {
    wait = Math.min(2 * wait, LONGEST);
    document.getElementById('away').hidden = false;
  }
  setTimeout(look, wait);
}

setTimeout(look, WAIT);
