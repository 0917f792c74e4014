// Keeps the page fresh without a reload: fetches it again and swaps its live part when that changed.
// Nothing is swapped under a reader's hands: not while a fold is open, a field has focus, text is selected, or the tab is hidden.
const live = document.getElementById("live");

function busy() {
  return document.hidden
    || live.querySelector("details[open], iframe, .form")
    || live.contains(document.activeElement)
    || String(document.getSelection() ?? "") !== "";
}

async function refresh() {
  if (busy()) return;
  try {
    const answer = await fetch(location.href, { credentials: "same-origin" });
    if (!answer.ok || busy()) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
    if (fresh && fresh.innerHTML !== live.innerHTML) live.replaceChildren(...fresh.childNodes);
  } catch {
    // localcloud is away for a moment; the next round tries again.
  }
}

if (live) setInterval(refresh, 3000);
