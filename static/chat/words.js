/** The page's words in its user's language: Django's catalogue for it stands in the page. */

const { catalog = {} } = JSON.parse(document.getElementById('words')?.textContent || '{}');

export const language = document.documentElement.lang || 'en';

// A catalogue numbers a language's plurals in the order of their names here.
const rules = new Intl.PluralRules(language);
const named = rules.resolvedOptions().pluralCategories;
const order = ['zero', 'one', 'two', 'few', 'many', 'other'].filter((name) => named.includes(name));

/** The words for these English ones; they themselves where nobody has translated them. */
export function gettext(text) {
  const found = catalog[text];
  return typeof found === 'string' ? found : text;
}

export function ngettext(one, many, count) {
  const found = catalog[one];
  if (!Array.isArray(found)) return count === 1 ? one : many;
  return found[order.indexOf(rules.select(count))] ?? found.at(-1);
}

/** Fills `%(name)s` in, once: what was filled in is not looked at again. */
export function interpolate(text, values) {
  return text.replace(/%\((\w+)\)s/g, (all, name) => (Object.hasOwn(values, name) ? String(values[name]) : all));
}
