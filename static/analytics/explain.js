/** Two contexts side by side: the prompts that they would make, where those differ, and the model's answers. */

import { h } from '../chat/dom.js';
import { hunks, lines, within } from './compare.js';

const AROUND = 2, LONG = 8;
const WORDS = {
  verified_key_kept: 'Kept out', verified_only: 'Kept out', locked_key_kept: 'Kept out',
  value_masked: 'Masked', key_stripped: 'Taken out', schema_violation: 'Not allowed', page_content_cut: 'Cut',
};
const form = document.getElementById('what-if');
const compared = document.getElementById('compared');
const said = document.getElementById('what-if-said');
const sides = [...form.querySelectorAll('[data-side]')];
const count = new Intl.NumberFormat('en');

form.hidden = false;
form.addEventListener('submit', (event) => {
  event.preventDefault();
  run(event.submitter?.name === 'ask');
});
form.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit(form.elements.compare);
});
for (const side of sides) side.querySelector('textarea').addEventListener('input', () => tell(side, ''));

async function run(asks) {
  if (!sides.map(check).every(Boolean)) {
    form.querySelector('[aria-invalid]').focus();
    return;
  }
  for (const button of form.querySelectorAll('button')) button.disabled = true;
  say(asks ? 'Composing…' : 'Comparing…');
  const focused = document.activeElement;
  const told = await Promise.all(sides.map((side) => send(side, false)));
  const answers = show(told, asks);
  if (asks) {
    say('The model is answering…');
    await Promise.all(sides.map((side, number) => answer(side, told[number], answers[number])));
    say(`${summary(told)} Both answers are in.`);
  } else say(summary(told));
  for (const button of form.querySelectorAll('button')) button.disabled = false;
  if (focused?.isConnected && document.activeElement === document.body) focused.focus();
}

function say(words) {
  said.textContent = words;
}

/** Whether a side's context is an object; what is wrong is told beside it. */
function check(side) {
  let fault = '';
  try {
    const value = JSON.parse(side.querySelector('textarea').value);
    if (value === null || typeof value !== 'object' || Array.isArray(value)) fault = 'A context is a JSON object: {…}.';
  } catch (error) {
    fault = `This is not JSON: ${error.message}.`;
  }
  tell(side, fault);
  return !fault;
}

function tell(side, fault) {
  const field = side.querySelector('textarea');
  side.querySelector('.fault').textContent = fault;
  if (fault) field.setAttribute('aria-invalid', 'true');
  else field.removeAttribute('aria-invalid');
}

/** The body as text: what was typed keeps its spelling, and what was not touched is not sent. */
function body(side) {
  const context = side.querySelector('textarea');
  const verified = side.querySelector('[name=verified]').checked;
  const delivery = side.querySelector('[name=delivery]').value;
  const question = form.elements.prompt;
  const members = [`"message_id":${JSON.stringify(form.dataset.message)}`, `"verified":${verified}`];
  if (verified || context.value !== context.defaultValue) members.push(`"metadata":${context.value}`);
  if (question.value !== question.defaultValue) members.push(`"prompt":${JSON.stringify(question.value)}`);
  if (delivery) members.push(`"include_metadata_in_prompt":${delivery}`);
  return `{${members.join(',')}}`;
}

/** What the API tells, or `{fault, errors}`. */
async function send(side, asks) {
  const headers = { 'X-CSRFToken': form.dataset.csrf, 'Content-Type': 'application/json' };
  try {
    const reply = await fetch(form.dataset.path + (asks ? '?answer=true' : ''), { method: 'POST', headers, body: body(side) });
    const told = await reply.json();
    return reply.ok ? told : { fault: told.detail, errors: told.errors ?? [] };
  } catch {
    return { fault: 'The server could not be reached. Try again.', errors: [] };
  }
}

function summary(told) {
  if (told.some(({ fault }) => fault)) return 'One side is refused.';
  const differ = hunks(...told.map(({ request }) => lines(request))).filter((one) => !one.same);
  const most = differ.reduce((sum, one) => sum + Math.max(one.a.length, one.b.length), 0);
  if (!most) return 'Both prompts are the same.';
  return `${count.format(most)} ${most === 1 ? 'line differs' : 'lines differ'}.`;
}

/** Draws both outcomes and prompts; the places of the answers, where some are asked for. */
function show(told, asks) {
  const [a, b] = told.map((one) => (one.fault ? null : lines(one.request)));
  const prompts = a && b ? hunks(a, b) : [{ a: a ?? [], b: b ?? [], alone: true }];
  const answers = told.map(() => h('div', { class: 'cell answered' }, asks && h('p', { class: 'note' }, 'Waiting for the model…')));
  compared.replaceChildren(
    row('outcomes', told.map((one, number) => outcome(one, sides[number].dataset.side))),
    ...prompts.flatMap((hunk) => (hunk.same ? alike(hunk.same) : [apart(hunk)])),
    ...(asks ? [row('answers', answers)] : []),
  );
  compared.hidden = false;
  compared.scrollIntoView({ block: 'nearest' });
  return answers;
}

function row(name, cells) {
  return h('div', { class: `row ${name}` }, cells);
}

function outcome(one, side) {
  const head = h('h3', {}, h('span', { class: `side ${side.toLowerCase()}` }, side), ' ', heading(one));
  if (one.fault) {
    return h('div', { class: 'cell' }, head, h('p', { class: 'fault' }, one.fault),
      h('ul', {}, one.errors.map(({ pointer, message }) => h('li', {}, h('code', {}, pointer), ' ', message))));
  }
  const out = Object.entries(one.left_out);
  return h('div', { class: 'cell' }, head, h('ul', {},
    one.context.warnings.map(({ code, pointer, message }) => h('li', { class: 'warned' }, h('b', {}, `${WORDS[code] ?? 'Note'} `), h('code', {}, pointer), ' ', message)),
    out.map(([key, reason]) => h('li', {}, h('b', {}, 'Left out '), h('code', {}, key), ` ${reason.replaceAll('_', ' ')}`))));
}

function heading(one) {
  if (one.fault) return 'Refused';
  return one.context.changed ? `A new version, ${one.context.version}` : `Version ${one.context.version}, unchanged`;
}

/** Lines that both have: once for who hears the page, twice for who sees it; the middle of many is folded. */
function alike(same) {
  if (same.length <= LONG) return [both(same)];
  const middle = same.slice(AROUND, -AROUND);
  return [
    both(same.slice(0, AROUND)),
    h('details', { class: 'folded' }, h('summary', {}, `${count.format(middle.length)} lines alike`), both(middle)),
    both(same.slice(-AROUND)),
  ];
}

function both(same) {
  const cells = [h('div', { class: 'cell' }, same.map(line)), h('div', { class: 'cell', 'aria-hidden': 'true' }, same.map(line))];
  return row('same', cells);
}

function line({ text, head }) {
  return h(head ? 'b' : 'span', { class: head ? 'line head' : 'line', dir: 'auto' }, text || '\u00a0');
}

function apart({ a, b, alone }) {
  if (alone) return row('same alone', [a, b].map((cell) => h('div', { class: 'cell' }, cell.map(line))));
  const pairs = a.length === b.length ? a.map((one, number) => within(one.text, b[number].text)) : null;
  const cells = [[a, 'A', '−'], [b, 'B', '+']].map(([some, side, sign], which) => h('div', { class: `cell only-${side.toLowerCase()}` },
    some.map(({ text, head }, number) => h(head ? 'b' : 'span', { class: head ? 'line head' : 'line', dir: 'auto' },
      h('span', { class: 'sign', 'aria-hidden': 'true' }, sign), h('span', { class: 'visually-hidden' }, `only in ${side}: `),
      pairs ? marked(pairs[number][which], which) : text || '\u00a0'))));
  return row('differs', cells);
}

function marked([before, changed, after], which) {
  return [before, changed && h(which ? 'ins' : 'del', {}, changed), after];
}

async function answer(side, told, place) {
  if (told.fault) {
    place.replaceChildren(h('p', { class: 'note' }, 'It is refused: nothing was asked.'));
    return;
  }
  const got = await send(side, true);
  if (got.fault) {
    place.replaceChildren(h('p', { class: 'fault' }, got.fault));
    return;
  }
  const { content, usage, duration_ms: took } = got.answer;
  const counts = usage ? `${count.format(usage.prompt_tokens)} + ${count.format(usage.completion_tokens)} tokens · ` : '';
  place.replaceChildren(
    h('h3', {}, `The model's answer to ${side.dataset.side}`),
    h('div', { class: 'words', dir: 'auto' }, content),
    h('p', { class: 'note' }, `${counts}${(took / 1000).toFixed(2)} s`));
}
