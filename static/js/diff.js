/* Lines that went and lines that came, from the two texts of an edit. Pure. */

const LIMIT = 600; // lines on a side; beyond it the longest-common-subsequence table is not worth its memory

const lines = (value) => (value === '' ? [] : value.replace(/\n$/, '').split('\n'));

function common(before, after) {
  const table = Array.from({ length: before.length + 1 }, () => new Uint16Array(after.length + 1));
  for (let i = before.length - 1; i >= 0; i -= 1) {
    for (let j = after.length - 1; j >= 0; j -= 1) {
      table[i][j] = before[i] === after[j] ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1]);
    }
  }
  return table;
}

/** Rows of {kind: ' ' | '+' | '-', text} in reading order. */
export function diffLines(oldText, newText) {
  const before = lines(oldText);
  const after = lines(newText);
  if (before.length > LIMIT || after.length > LIMIT || before.length === 0 || after.length === 0) {
    return [...before.map((text) => ({ kind: '-', text })), ...after.map((text) => ({ kind: '+', text }))];
  }
  const table = common(before, after);
  const rows = [];
  let i = 0;
  let j = 0;
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      rows.push({ kind: ' ', text: before[i] });
      i += 1;
      j += 1;
    } else if (i < before.length && (j >= after.length || table[i + 1][j] >= table[i][j + 1])) {
      rows.push({ kind: '-', text: before[i] });
      i += 1;
    } else {
      rows.push({ kind: '+', text: after[j] });
      j += 1;
    }
  }
  return rows;
}

/** How many lines came and went. */
export function tally(rows) {
  let added = 0;
  let removed = 0;
  for (const row of rows) {
    if (row.kind === '+') added += 1;
    else if (row.kind === '-') removed += 1;
  }
  return { added, removed };
}
