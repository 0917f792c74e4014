/* Follows a page of the console: fetches it again every ten seconds and puts what has changed in place of the old, part
   by part (`data-follow`, each with an id). Whoever reads, tabs or has scrolled a table sideways is left where they are;
   nothing is asked for while the page is hidden. Without script the page stays as it is. */

const WAIT = 10_000; // milliseconds

let timer = 0;
let looking = false;

/* Where the focus is within a part: the way down to it by positions, which a new drawing of the same part shares. */
function way(part, element) {
  const steps = [];
  for (let one = element; one !== part; one = one.parentElement) steps.unshift([...one.parentElement.children].indexOf(one));
  return steps;
}

function found(part, steps, like) {
  const links = like.href ? [...part.querySelectorAll('a')].filter((one) => one.href === like.href) : [];
  if (links.length === 1) return links[0];
  const there = steps.reduce((one, step) => one?.children[step], part);
  return there?.tagName === like.tagName ? there : null;
}

function selecting(part) {
  const selection = document.getSelection();
  return selection && !selection.isCollapsed && selection.anchorNode && part.contains(selection.anchorNode);
}

function replace(part, next) {
  if (part.innerHTML === next.innerHTML || selecting(part)) return;
  const focused = part.contains(document.activeElement) && document.activeElement !== part ? document.activeElement : null;
  const steps = focused && way(part, focused);
  const scrolled = new Map([...part.querySelectorAll('[data-keep]')].map((one) => [one.dataset.keep, one.scrollLeft]));
  part.replaceChildren(...next.childNodes);
  for (const one of part.querySelectorAll('[data-keep]')) one.scrollLeft = scrolled.get(one.dataset.keep) ?? 0;
  if (focused) found(part, steps, focused)?.focus({ preventScroll: true });
}

async function look() {
  if (looking || document.hidden) return;
  looking = true;
  clearTimeout(timer);
  try {
    const answer = await fetch(location.href, { cache: 'no-store', credentials: 'same-origin', redirect: 'error' });
    if (answer.ok) {
      const next = new DOMParser().parseFromString(await answer.text(), 'text/html');
      for (const part of document.querySelectorAll('[data-follow]')) {
        const its = next.getElementById(part.id);
        if (its) replace(part, its);
      }
    }
  } catch {
    // The server is away, or the sign-in is over: the next look, or the next click, will tell.
  }
  looking = false;
  timer = setTimeout(look, WAIT);
}

document.addEventListener('visibilitychange', look);
timer = setTimeout(look, WAIT);
