/* Fetches a value, shows it while its time runs, and forgets it: when that is over, when the page is hidden or left, or
   when somebody says so. It is held by one text node and nothing else. */

const form = document.getElementById('reveal');
const shown = document.getElementById('reveal-shown');
const place = document.getElementById('reveal-value');
const left = document.getElementById('reveal-left');
const said = document.getElementById('reveal-said');
const password = document.getElementById('reveal-password');
const input = password.querySelector('input');
const button = form.querySelector('button');
let timer = 0;

function say(text) {
  said.textContent = text;
}

function askPassword(wanted) {
  password.hidden = !wanted;
  input.required = wanted;
  if (wanted) input.focus();
}

function forget(text) {
  clearInterval(timer);
  timer = 0;
  place.textContent = '';
  left.textContent = '';
  if (shown.hidden) return;
  shown.hidden = true;
  form.hidden = false;
  if (text) say(text);
}

function show(value, seconds) {
  const until = performance.now() + seconds * 1000;
  place.textContent = value;
  form.hidden = true;
  shown.hidden = false;
  say(`Shown for ${seconds} s.`);
  const tick = () => {
    const rest = Math.ceil((until - performance.now()) / 1000);
    if (rest <= 0) forget('Time is up: the value is forgotten here.');
    else left.textContent = `${rest} s`;
  };
  tick();
  timer = setInterval(tick, 250);
  place.focus();
}

async function ask() {
  const body = new FormData(form);
  input.value = '';
  const answer = await fetch(location.href, {
    method: 'POST',
    body,
    headers: { Accept: 'application/json', [form.dataset.header]: '1' },
    cache: 'no-store',
    credentials: 'same-origin',
    redirect: 'error',
  });
  const told = await answer.json();
  if (answer.ok) {
    askPassword(false);
    show(told.value, told.seconds);
    return;
  }
  if (told.password) askPassword(true);
  say(told.error || 'mk0r refused, without saying why.');
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  button.disabled = true;
  say('');
  try {
    await ask();
  } catch {
    say('No value came: you may be signed out, or mk0r does not answer. Reload and try again.');
  } finally {
    button.disabled = false;
  }
});

document.getElementById('reveal-copy').addEventListener('click', async () => {
  try {
    await navigator.clipboard.writeText(place.textContent);
    say('Copied. It stays in your clipboard until you copy something else.');
  } catch {
    getSelection().selectAllChildren(place);
    say('The browser does not let it be copied from here. It is selected: copy it with the keyboard.');
  }
});

document.getElementById('reveal-hide').addEventListener('click', () => forget('Hidden and forgotten here.'));
addEventListener('pagehide', () => forget(''));
document.addEventListener('visibilitychange', () => {
  if (document.hidden) forget('The page was hidden, so the value is forgotten here.');
});
