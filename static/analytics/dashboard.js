/** What makes the dashboard quicker to use; without it everything but the drawn chart is there. */

import { drawChart } from './chart.js';
import { exportsPanel } from './exports.js';
import { h } from '../chat/dom.js';

const chart = document.getElementById('chart');
if (chart && globalThis.uPlot) drawChart(chart, JSON.parse(document.getElementById('points').textContent));
else document.getElementById('twin')?.setAttribute('open', '');

// A choice is made by choosing; text is sent with its button or Enter.
for (const select of document.querySelectorAll('#controls select, .by select')) {
  select.addEventListener('change', () => select.form.requestSubmit());
}
for (const button of document.querySelectorAll('.by button')) button.hidden = true;

for (const facet of document.querySelectorAll('details[data-asks]')) {
  facet.addEventListener('toggle', () => read(facet), { once: true });
}

async function read(facet) {
  const place = h('div', { 'aria-live': 'polite' }, h('p', { class: 'note' }, 'Counting…'));
  facet.querySelector('summary').after(place);
  try {
    const answer = await fetch(facet.dataset.asks);
    // Our own page's piece, escaped by the server; its sentence where something is wrong.
    const piece = new DOMParser().parseFromString(await answer.text(), 'text/html').body;
    if (answer.status >= 500 || answer.redirected) throw new Error();
    place.replaceChildren(...piece.childNodes);
  } catch {
    place.replaceChildren(h('p', { class: 'fault' }, 'The values could not be read. Load the page again.'));
  }
}

const panel = document.getElementById('exports');
if (panel) exportsPanel(panel);
