/** Which origins a mentor's list names: "*", an origin, or one with "*" for its port or its first labels. */

export function allows(list, origin) {
  // A sandboxed page has none.
  if (origin === 'null') return false;
  // Browsers write origins in lower case.
  const patterns = list.map((pattern) => pattern.toLowerCase());
  return patterns.some((pattern) => pattern === '*' || pattern === origin || matches(pattern, origin));
}

function matches(pattern, origin) {
  if (!pattern.includes('*') || !URL.canParse(origin)) return false;
  const [, scheme, starred, host, port] = /^([a-z][a-z0-9+.-]*:)\/\/(\*\.)?(\[[^\]]+\]|[^*/:]+)(?::(\*|\d+))?$/.exec(pattern) ?? [];
  const url = new URL(origin);
  const named = starred ? url.hostname.endsWith(`.${host}`) : url.hostname === host;
  return scheme === url.protocol && named && (port === '*' || (port ?? '') === url.port);
}
