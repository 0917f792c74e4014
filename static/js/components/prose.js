/* An agent's text: the tree of markdown.js as elements. Every text lands in a text node. */

import { html } from '../lit.js';
import { parse } from '../markdown.js';

const cache = new Map(); // source -> tree, of the texts on the page
const MOST = 200;

function tree(source) {
  const known = cache.get(source);
  if (known) return known;
  if (cache.size >= MOST) cache.delete(cache.keys().next().value);
  const made = parse(source);
  cache.set(source, made);
  return made;
}

function piece(one) {
  switch (one.kind) {
    case 'code': return html`<code>${one.text}</code>`;
    case 'strong': return html`<strong>${one.text}</strong>`;
    case 'em': return html`<em>${one.text}</em>`;
    case 'link': return html`<a href=${one.href} target="_blank" rel="noopener noreferrer nofollow">${one.text}</a>`;
    default: return one.text;
  }
}

const line = (pieces) => pieces.map(piece);

function block(one) {
  switch (one.kind) {
    case 'h': return html`<p class="prose-h">${line(one.pieces)}</p>`;
    case 'pre': return html`<pre class="lines" tabindex="0">${one.text}</pre>`;
    case 'ul': return html`<ul>${one.items.map((item) => html`<li>${line(item)}</li>`)}</ul>`;
    case 'ol': return html`<ol>${one.items.map((item) => html`<li>${line(item)}</li>`)}</ol>`;
    default: return html`<p>${line(one.pieces)}</p>`;
  }
}

export const prose = (source) => html`<div class="prose">${tree(source).map(block)}</div>`;
