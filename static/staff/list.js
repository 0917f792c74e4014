/* A list: one box ticks all that are shown, and what is ordered for nothing cannot be ordered. Without this script every
   box is ticked by hand, and the server says when nothing was. */

const form = document.getElementById('changelist-form');
const boxes = [...form.querySelectorAll('input[name="_selected_action"]')];
const every = document.getElementById('action-toggle');
const across = form.querySelector('input[name="select_across"]');
const told = document.getElementById('chosen');

function show() {
  const chosen = boxes.filter((box) => box.checked).length;
  if (across && chosen < boxes.length) across.checked = false;
  if (every) {
    every.checked = chosen === boxes.length && chosen > 0;
    every.indeterminate = chosen > 0 && chosen < boxes.length;
  }
  for (const box of boxes) box.closest('tr').classList.toggle('selected', box.checked);
  for (const button of form.querySelectorAll('button[name="action"]')) button.disabled = chosen === 0;
  if (told) told.textContent = across?.checked ? 'All that match are chosen' : chosen ? `${chosen} chosen` : 'None chosen';
}

form.addEventListener('change', (event) => {
  const all = event.target === every ? every.checked : event.target === across && across.checked ? true : null;
  if (all !== null) for (const box of boxes) box.checked = all;
  show();
});
window.addEventListener('pageshow', show); // the browser's Back brings ticks along
