// The schema of a context as a form, beside its text. The text is what is saved: the form changes the members that it
// shows, and leaves all others of the schema as they are.
const READERS = ['model', 'operator', 'export', 'webhook', 'user'];
const TYPES = ['', 'string', 'number', 'integer', 'boolean', 'object', 'array'];
const MASKS = { '': 'shown as it is', shown: 'shown by its end', stored: 'never stored whole' };

const element = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) made.addEventListener(key.slice(2), value);
    else if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
};
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const labelled = (text, control, hint = '') =>
  element('label', { className: 'schema-field', title: hint }, element('span', {}, text), control);

/** The schema of a text, or null where it is none that the form can show. */
export const read = (text) => {
  if (!text.trim()) return {};
  try {
    const schema = JSON.parse(text);
    return isObject(schema) && isObject(schema.properties ?? {}) ? schema : null;
  } catch {
    return null;
  }
};

/** The object with a member set, or without it where the value says nothing. */
export const withMember = (object, key, value) => {
  const { [key]: _, ...others } = object;
  const nothing = value === '' || value === false || value === undefined;
  if (nothing) return others;
  return key in object ? { ...object, [key]: value } : { ...others, [key]: value };
};

/** What was typed as allowed values: JSON where it is, else text. */
export const valuesOf = (text) =>
  text.split(',').map((one) => one.trim()).filter(Boolean).map((one) => {
    try {
      return JSON.parse(one);
    } catch {
      return one;
    }
  });
const textOf = (values) =>
  (values ?? []).map((one) => {
    const plain = typeof one === 'string' && valuesOf(one).length === 1 && valuesOf(one)[0] === one;
    return plain ? one : JSON.stringify(one);
  }).join(', ');

class SchemaForm {
  constructor(textarea) {
    this.textarea = textarea;
    this.rows = element('div', { className: 'schema-rows' });
    this.told = element('p', { className: 'quiet', role: 'status' });
    this.others = element('input', { type: 'checkbox', onchange: () => this.closeOrOpen() });
    this.add = element('button', { type: 'button', className: 'button', onclick: () => this.addKey() }, 'Add a key');
    const form = element('div', { className: 'schema-form' }, this.told, this.rows,
      element('p', { className: 'schema-foot' }, this.add,
        element('label', {}, this.others, ' Other keys are allowed')));
    textarea.before(form);
    textarea.addEventListener('input', () => this.show());
    this.show();
  }

  get schema() {
    return read(this.textarea.value);
  }

  write(schema) {
    const properties = schema.properties ?? {};
    const { required = [], ...others } = schema;
    const known = required.filter((key) => key in properties || !this.shown.has(key));
    const whole = known.length ? { ...others, required: known } : others;
    this.textarea.value = Object.keys(whole).length ? JSON.stringify(whole, null, 2) : '';
    this.show({ quietly: true });
  }

  change(how) {
    const schema = this.schema;
    if (schema) this.write(how(schema));
  }

  closeOrOpen() {
    this.change((schema) => {
      const { additionalProperties: _, ...open } = schema;
      return this.others.checked ? open : { ...open, additionalProperties: false };
    });
  }

  property(key, how) {
    this.change((schema) => {
      const property = isObject(schema.properties?.[key]) ? schema.properties[key] : {};
      return { ...schema, properties: { ...schema.properties, [key]: how(property) } };
    });
  }

  rename(key, name, input) {
    const schema = this.schema;
    if (!name || name === key || name in (schema.properties ?? {})) {
      input.value = key;
      return;
    }
    const entries = Object.entries(schema.properties).map(([one, value]) => [one === key ? name : one, value]);
    const required = schema.required?.map((one) => (one === key ? name : one));
    this.write({ ...schema, properties: Object.fromEntries(entries), ...(required && { required }) });
    this.show();
  }

  remove(key) {
    this.change((schema) => {
      const { [key]: _, ...properties } = schema.properties;
      return { ...schema, properties };
    });
    this.show();
    this.add.focus();
  }

  addKey() {
    let number = 1;
    const properties = this.schema?.properties ?? {};
    while (`key${number}` in properties) number += 1;
    this.property(`key${number}`, () => ({ type: 'string' }));
    this.show();
    this.rows.lastElementChild?.querySelector('input')?.select();
  }

  show({ quietly = false } = {}) {
    const schema = this.schema;
    this.told.textContent = schema ? '' : 'The text below is not a schema that this form can show.';
    this.add.disabled = this.others.disabled = !schema;
    this.others.checked = schema?.additionalProperties !== false;
    this.shown = new Set(Object.keys(schema?.properties ?? {}));
    if (quietly) return;
    const required = new Set(schema?.required ?? []);
    this.rows.replaceChildren(...Object.entries(schema?.properties ?? {}).map(([key, property]) =>
      this.row(key, isObject(property) ? property : {}, required.has(key))));
  }

  row(key, property, isRequired) {
    const set = (member) => (event) => this.property(key, (one) => withMember(one, member, event.target.value));
    const tick = (member) => (event) => this.property(key, (one) => withMember(one, member, event.target.checked));
    const name = element('input', { value: key, className: 'schema-key', spellcheck: false,
      onchange: (event) => this.rename(key, event.target.value.trim(), event.target) });
    const type = element('select', { onchange: set('type') },
      ...TYPES.map((one) => element('option', { value: one, selected: one === (property.type ?? '') }, one || 'any')));
    if (Array.isArray(property.type)) type.disabled = true;
    const values = element('input', { value: textOf(property.enum), placeholder: 'any', onchange: (event) =>
      this.property(key, (one) => withMember(one, 'enum', valuesOf(event.target.value).length
        ? valuesOf(event.target.value) : undefined)) });
    const required = element('input', { type: 'checkbox', checked: isRequired, onchange: (event) =>
      this.change((schema) => {
        const others = (schema.required ?? []).filter((one) => one !== key);
        return { ...schema, required: event.target.checked ? [...others, key] : others };
      }) });
    const seen = property['x-visible-to'] ?? READERS;
    const readers = READERS.map((reader) => element('label', {}, element('input', { type: 'checkbox',
      value: reader, checked: seen.includes(reader), onchange: () => {
        const chosen = READERS.filter((_, at) => readers[at].firstChild.checked);
        this.property(key, (one) => withMember(one, 'x-visible-to', chosen.length === READERS.length
          ? undefined : chosen));
      } }), ` ${reader}`));
    const mask = element('select', { onchange: set('x-masked') },
      ...Object.entries(MASKS).map(([value, text]) =>
        element('option', { value, selected: value === (property['x-masked'] ?? '') }, text)));
    const kept = element('input', { value: property['x-retention'] ?? '', placeholder: 'as long as its session',
      size: 12, onchange: set('x-retention') });
    const policy = [
      element('fieldset', { className: 'schema-readers' }, element('legend', {}, 'Seen by'), ...readers),
      element('label', {}, element('input', { type: 'checkbox', checked: property['x-verified-only'] === true,
        onchange: tick('x-verified-only') }), ' Only the tenant’s server sets it'),
      element('label', {}, element('input', { type: 'checkbox', checked: property['x-locked'] === true,
        onchange: tick('x-locked') }), ' Operators do not change it'),
      labelled('Masked', mask),
      labelled('Kept for', kept, 'A duration such as P30D'),
    ];
    return element('fieldset', { className: 'schema-row' },
      element('legend', { className: 'visually-hidden' }, key),
      element('div', { className: 'schema-line' }, labelled('Key', name), labelled('Type', type),
        labelled('Allowed values', values, 'Separated by commas'),
        element('label', {}, required, ' Required'),
        element('button', { type: 'button', className: 'schema-remove', ariaLabel: `Remove ${key}`,
          onclick: () => this.remove(key) }, '×')),
      element('details', { open: Object.keys(property).some((one) => one.startsWith('x-')) },
        element('summary', {}, 'Policy'), element('div', { className: 'schema-policy' }, ...policy)));
  }
}

const textarea = document.getElementById('id_context_schema');
if (textarea) new SchemaForm(textarea);
