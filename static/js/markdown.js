/* A small part of Markdown as a tree of plain objects. It never makes HTML: the components put the texts into text nodes,
   so whatever an agent writes stays text. */

const FENCE = /^\s*(```+|~~~+)\s*([\w+-]*)\s*$/;
const BULLET = /^\s*[-*+]\s+(.*)$/;
const ORDERED = /^\s*\d{1,3}[.)]\s+(.*)$/;
const HEADING = /^#{1,6}\s+(.*)$/;
// Every repetition is bounded: the time taken grows with the text and never faster.
const INLINE = new RegExp(
  [
    /(?<!`)(`{1,3})(?!`)([\s\S]{1,400}?)(?<!`)\1(?!`)/, /(?<!\*)\*\*([^*\n]{1,400}?)\*\*/, /(?<![\w*])\*([^*\s][^*\n]{0,400}?)\*(?![\w*])/,
    /\[([^\]\n]{1,300})\]\((https?:\/\/[^\s)]{1,500})\)/,
  ].map((part) => part.source).join('|'),
  'g',
);

/** Pieces of one line of text: {kind: text | code | strong | em | link, text, href?}. */
export function inline(source) {
  const pieces = [];
  let from = 0;
  for (const match of source.matchAll(INLINE)) {
    if (match.index > from) pieces.push({ kind: 'text', text: source.slice(from, match.index) });
    if (match[2] !== undefined) pieces.push({ kind: 'code', text: match[2] });
    else if (match[3] !== undefined) pieces.push({ kind: 'strong', text: match[3] });
    else if (match[4] !== undefined) pieces.push({ kind: 'em', text: match[4] });
    else pieces.push({ kind: 'link', text: match[5], href: match[6] });
    from = match.index + match[0].length;
  }
  if (from < source.length) pieces.push({ kind: 'text', text: source.slice(from) });
  return pieces;
}

function fenced(rows, start) {
  const [, mark] = rows[start].match(FENCE);
  let end = start + 1;
  while (end < rows.length && rows[end].trim() !== mark) end += 1;
  return [{ kind: 'pre', text: rows.slice(start + 1, end).join('\n') }, end + 1];
}

function listed(rows, start, pattern, kind) {
  const items = [];
  let at = start;
  while (at < rows.length) {
    const match = rows[at].match(pattern);
    if (match) items.push(match[1]);
    else if (items.length > 0 && /^\s{2,}\S/.test(rows[at])) items[items.length - 1] += ` ${rows[at].trim()}`;
    else break;
    at += 1;
  }
  return [{ kind, items: items.map(inline) }, at];
}

const startsBlock = (row) => row.trim() === '' || FENCE.test(row) || BULLET.test(row) || ORDERED.test(row) || HEADING.test(row);

/** Blocks: {kind: p | h | pre | ul | ol, ...}. An unfinished fence runs to the end, as text does while it streams in. */
export function parse(source) {
  const rows = source.replaceAll('\r\n', '\n').split('\n');
  const blocks = [];
  let at = 0;
  while (at < rows.length) {
    const row = rows[at];
    let block = null;
    if (row.trim() === '') at += 1;
    else if (FENCE.test(row)) [block, at] = fenced(rows, at);
    else if (BULLET.test(row)) [block, at] = listed(rows, at, BULLET, 'ul');
    else if (ORDERED.test(row)) [block, at] = listed(rows, at, ORDERED, 'ol');
    else if (HEADING.test(row)) {
      block = { kind: 'h', pieces: inline(row.match(HEADING)[1]) };
      at += 1;
    } else {
      const start = at;
      at += 1;
      while (at < rows.length && !startsBlock(rows[at])) at += 1;
      block = { kind: 'p', pieces: inline(rows.slice(start, at).join('\n')) };
    }
    if (block) blocks.push(block);
  }
  return blocks;
}
