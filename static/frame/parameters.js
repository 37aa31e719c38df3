/** The address of a frame: what is not ours in it is metadata of the session that it begins. */

const PREFIX = 'meta.';
// Ours, and those that ibl.ai's pages and its embed element write for themselves.
const RESERVED = new Set([
  'theme', 'lang', 'embed', 'mode', 'extra-body-classes', 'chat', 'component', 'modal', 'hide_side_nav',
  'hide_header', 'ibl-data', 'token', 'redirect-token', 'metadata_token',
]);

/** `?stateCode=CA&meta.theme=x` → {metadata: {stateCode: "CA", theme: "x"} or undefined, warnings}. */
export function parametersOf(search) {
  const found = new Map();
  const warnings = [];
  for (const [name, value] of new URLSearchParams(search)) {
    if (name === 'metadata_token') warnings.push(inTheQuery());
    const key = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name;
    if (name === '' || (key === name && RESERVED.has(name))) continue;
    if (found.has(key)) warnings.push(twice(key));
    found.set(key, value);
  }
  return { metadata: found.size ? Object.fromEntries(found) : undefined, warnings };
}

/** `#closed&metadata_token=eyJ…` → {closed, token}. A browser keeps the fragment to itself. */
export function fragmentOf(hash) {
  const found = new URLSearchParams(hash.slice(1));
  return { closed: found.has('closed'), token: found.get('metadata_token') };
}

function inTheQuery() {
  const message = 'A token in a query stands in every log on the way: it is not used. Put it into the fragment.';
  return { code: 'token_in_query', pointer: '?metadata_token', message };
}

function twice(key) {
  const message = 'This parameter is there more than once: its last value counts.';
  return { code: 'repeated_parameter', pointer: `?${key}`, message };
}
