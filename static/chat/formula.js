/** A formula's place: its source as code until the renderer, which is loaded with the first of them, has drawn it. */

import { h } from './dom.js';

// Formulas are drawn for so long at once; of a flood of them the rest waits for the next picture.
const AT_ONCE_MS = 12;

let render = null;
let loading = null;
let spent = 0;
const waiting = new Map();

/** `source` as it was written, `tex` without its marks, `display` for a line of its own. */
export function formula(source, tex, display) {
  const code = h('code', { class: 'maths' }, source);
  const place = h('span', { class: display ? 'formula display' : 'formula', dir: 'ltr' }, code);
  if (render && spent < AT_ONCE_MS) draw(place, tex, display);
  else wait(place, tex, display);
  return place;
}

// What cannot be drawn stays as it was written.
function draw(place, tex, display) {
  if (!spent) requestAnimationFrame(() => (spent = 0));
  const start = performance.now();
  const node = render(tex, display);
  if (node) place.replaceChildren(node);
  spent += performance.now() - start;
}

function wait(place, tex, display) {
  if (render && !waiting.size) requestAnimationFrame(drawWaiting);
  waiting.set(place, { tex, display });
  loading ??= import('./maths.js').then(loaded, () => waiting.clear());
}

function loaded(module) {
  render = module.render;
  drawWaiting();
}

function drawWaiting() {
  const end = performance.now() + AT_ONCE_MS;
  for (const [place, { tex, display }] of waiting) {
    if (performance.now() > end) return requestAnimationFrame(drawWaiting);
    waiting.delete(place);
    if (place.isConnected) draw(place, tex, display);
  }
}
