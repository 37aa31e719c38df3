/** The context panel: what is in force, and what goes with the next message: nothing, a new object, or {}. */

import { h, icon, time } from './dom.js';
import { assemble, compare, kind, parse, read, rowsOf, summary } from './metadata.js';
import { brief, mark, rows, UNKNOWN } from './snapshot.js';
import { contextOf } from './turns.js';

const NOTHING = 'Take an example or write your own, and send it with a message: the mentor is told with each one.';

const find = (id) => document.getElementById(id);

export class Panel {
  #session;
  #shown = 0;
  #json = false;

  /** `limit` is in bytes; `changed()` is called when the choice or the draft changed. */
  constructor({ limit, examples, changed }) {
    Object.assign(this, { limit, examples, changed });
    find('next').addEventListener('change', ({ target }) => this.choose(target.value));
    find('version').addEventListener('change', ({ target }) => this.look(Number(target.value)));
    find('views').addEventListener('change', ({ target }) => this.#view(target.value === 'json'));
    find('add').addEventListener('click', () => this.#add());
    find('json').addEventListener('input', ({ target }) => this.#typedJson(target.value));
    for (const [label, metadata] of examples) {
      const take = () => this.edit(JSON.stringify(metadata, null, 2));
      find('examples').append(h('button', { type: 'button', class: 'chip', onclick: take }, label));
    }
  }

  /** Shows a session: its newest version, and the draft it was left with. */
  show(session) {
    this.#session = session;
    session.draft ??= { mode: 'keep', text: null, rows: null };
    this.look(session.version);
    this.#drawEditor();
  }

  /** What the next message carries: {mode, metadata, error}; metadata is a JSON text, or undefined to keep. */
  get next() {
    const { mode } = this.#draft;
    if (mode !== 'replace') return { mode, metadata: mode === 'clear' ? '{}' : undefined };
    const { error } = this.#judged();
    return { mode, metadata: this.#draft.text, error };
  }

  /** One sentence on what the next message does to the context. */
  get sentence() {
    const { mode, error } = this.next;
    const version = this.#session.version;
    if (error) return 'The metadata needs a correction before it can be sent';
    if (mode === 'clear') return 'Next message clears the context';
    if (mode === 'keep') return version ? `Next message keeps context version ${version}` : 'No context is set';
    return `Next message replaces the context: ${summary(this.#changes())}`;
  }

  /** The server accepted what was sent: from now on it is kept. */
  accepted() {
    this.#session.draft = { mode: 'keep', text: null, rows: null };
    this.show(this.#session);
    this.changed();
  }

  choose(mode) {
    this.#draft.mode = mode;
    this.#drawEditor();
    this.changed();
  }

  /** Puts a JSON text into the editor, to go with the next message. */
  edit(text) {
    Object.assign(this.#draft, { mode: 'replace', text, rows: null });
    this.#drawEditor();
    this.changed();
  }

  look(version) {
    const { versions, version: inForce } = this.#session;
    this.#shown = version;
    const numbers = Object.keys(versions).map(Number);
    const all = [...new Set([...numbers, inForce])].sort((a, b) => b - a);
    find('version').replaceChildren(...all.map((number) =>
      h('option', { value: number, selected: number === version }, number ? `Version ${number}` : 'None')));
    find('version').hidden = all.length < 2;
    const place = version === inForce ? 'In force' : 'Earlier';
    find('in-force').textContent = `${place}: ${version ? `version ${version}` : 'nothing yet'}`;
    find('version-line').replaceChildren(...this.#versionLine(version));
    this.#drawVersion();
  }

  /** Shows what the server said about the last message: [{message, code?, pointer?}]. */
  warn(warnings) {
    const where = ({ pointer, code }) => h('code', {}, [pointer, code].filter(Boolean).join(' · '));
    find('warnings').replaceChildren(...warnings.map((warning) =>
      h('p', { class: 'warning' }, icon('warning'), h('span', {}, warning.message, ' ', where(warning)))));
  }

  get #draft() {
    return this.#session.draft;
  }

  get #inForce() {
    return contextOf(this.#session, this.#session.version) ?? {};
  }

  #versionLine(version) {
    if (!version) return [NOTHING];
    const [value, before] = [contextOf(this.#session, version), contextOf(this.#session, version - 1)];
    const at = this.#session.versions[version]?.at;
    const changes = version > 1 && value && before && summary(compare(before, value));
    return [at && 'Set ', at && time(at), changes && ` · ${changes} since version ${version - 1}`].filter(Boolean);
  }

  #drawVersion() {
    const value = contextOf(this.#session, this.#shown);
    const before = this.#shown > 1 ? contextOf(this.#session, this.#shown - 1) : undefined;
    const raw = () => h('pre', { tabindex: 0 }, JSON.stringify(value, null, 2));
    const known = () => (this.#json ? raw() : rows(value, before));
    const view = value ? known() : h('p', { class: 'quiet' }, UNKNOWN);
    find('force').replaceChildren(...(this.#shown ? [view] : []));
  }

  #view(json) {
    this.#json = json;
    this.#drawVersion();
    this.#drawEditor();
  }

  #drawEditor() {
    const draft = this.#draft;
    find('next').elements.next.value = draft.mode;
    find('editor').hidden = draft.mode !== 'replace';
    draft.text ??= JSON.stringify(this.#inForce, null, 2);
    const parsed = parse(draft.text, this.limit);
    // What is not an object yet can only be shown as it was typed.
    const json = this.#json || (!draft.rows && !parsed.value);
    find('json').hidden = !json;
    find('rows').hidden = find('add').hidden = json;
    find('json').value = draft.text;
    if (!json) {
      draft.rows ??= rowsOf(parsed.value);
      if (!draft.rows.length) draft.rows.push({ key: '', typed: '' });
      find('rows').replaceChildren(...draft.rows.map((row) => this.#row(row)));
    }
    this.#remark();
  }

  #row(row) {
    const input = (name, label) => h('input', {
      class: name,
      value: row[name],
      'aria-label': label,
      placeholder: label.toLowerCase(),
      spellcheck: 'false',
      autocomplete: 'off',
      oninput: ({ target }) => this.#typedRow(row, name, target.value),
    });
    const label = `Remove ${row.key || 'this row'}`;
    const remove = () => this.#remove(row);
    return h('li', {},
      input('key', 'Key'),
      h('span', { class: 'typed' }, input('typed', 'Value'), h('span', { class: 'kind' })),
      h('button', { type: 'button', class: 'plain', 'aria-label': label, onclick: remove }, icon('close')),
      h('p', { class: 'note' }));
  }

  #typedRow(row, name, text) {
    row[name] = text;
    this.#assembled();
  }

  #typedJson(text) {
    Object.assign(this.#draft, { text, rows: null });
    this.#remark();
    this.changed();
  }

  #assembled() {
    this.#draft.text = assemble(this.#draft.rows).text;
    this.#remark();
    this.changed();
  }

  #add() {
    this.#draft.rows.push({ key: '', typed: '' });
    this.#drawEditor();
    find('rows').lastElementChild.querySelector('input').focus();
  }

  #remove(row) {
    const at = this.#draft.rows.indexOf(row);
    this.#draft.rows.splice(at, 1);
    this.#draft.text = assemble(this.#draft.rows).text;
    this.#drawEditor();
    this.changed();
    const near = find('rows').children[Math.min(at, this.#draft.rows.length - 1)];
    (near?.querySelector('input') ?? find('add')).focus();
  }

  #judged() {
    const { text, rows: typed } = this.#draft;
    const fault = typed && assemble(typed).faults.find(Boolean);
    return fault ? { error: fault } : parse(text, this.limit);
  }

  #changes() {
    const { value } = this.#judged();
    return value ? compare(this.#inForce, value) : [];
  }

  // Beside nothing, everything is new: that needs no marks.
  get #marked() {
    return this.#session.version > 0;
  }

  // Only the marks are drawn anew while one types: the inputs keep their place and their caret.
  #remark() {
    const { error } = this.#judged();
    const changes = this.#changes();
    const faults = find('json').hidden ? this.#remarkRows(changes) : [];
    find('json').setAttribute('aria-invalid', String(Boolean(error)));
    find('fault').textContent = error && !faults.some(Boolean) ? error : '';
    const listed = find('json').hidden ? changes.filter(({ word }) => word === 'removed') : changes;
    const before = Object.fromEntries(listed.filter((c) => c.before !== undefined).map((c) => [c.key, c.before]));
    const after = Object.fromEntries(listed.filter((c) => c.after !== undefined).map((c) => [c.key, c.after]));
    const unchanged = !error && !changes.length;
    const equal = unchanged && h('p', { class: 'quiet' }, 'Equal to what is in force: no new version.');
    const list = this.#marked && listed.length && brief(before, after, 12);
    find('changes').replaceChildren(...[equal, list].filter(Boolean));
  }

  #remarkRows(changes) {
    const { rows: typed } = this.#draft;
    const { faults } = assemble(typed);
    [...find('rows').children].forEach((node, at) => {
      const change = changes.find(({ key, word }) => key === typed[at].key && word !== 'removed');
      const value = read(typed[at].typed);
      node.className = faults[at] ? 'faulty' : ((this.#marked && change?.word) || '');
      // What is not named is text.
      const named = 'value' in value && kind(value.value);
      node.querySelector('.kind').textContent = named && named !== 'text' ? named : '';
      node.querySelector('.typed input').setAttribute('aria-invalid', String(Boolean(faults[at])));
      const note = faults[at] ?? (change && this.#marked && mark(change));
      node.querySelector('.note').replaceChildren(...(note ? [note] : []));
    });
    return faults;
  }
}
