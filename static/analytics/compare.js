/** What differs between two prompts, line by line. Pure: no page. */

const MOST_CELLS = 4_000_000;

/** A request's messages as lines; `head` names whose message begins. */
export function lines(request) {
  return request.messages.flatMap(({ role, content }) => [
    { text: role, head: true },
    ...content.split('\n').map((text) => ({ text, head: false })),
  ]);
}

/** In order: `{same: [...]}` for lines that both have, `{a: [...], b: [...]}` for those that one has. */
export function hunks(a, b) {
  let first = 0, endA = a.length, endB = b.length;
  while (first < endA && first < endB && alike(a[first], b[first])) first += 1;
  while (endA > first && endB > first && alike(a[endA - 1], b[endB - 1])) { endA -= 1; endB -= 1; }
  const middle = differing(a.slice(first, endA), b.slice(first, endB));
  return joined([{ same: a.slice(0, first) }, ...middle, { same: a.slice(endA) }]);
}

/** [before, changed, after] of both lines: what they begin and end with is theirs in common, up to whole words. */
export function within(a, b) {
  let head = 0, tail = 0;
  const most = Math.min(a.length, b.length);
  while (head < most && a[head] === b[head]) head += 1;
  while (tail < most - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1;
  while (head > 0 && /[\p{L}\p{N}\uDC00-\uDFFF]/u.test(a[head - 1])) head -= 1;
  while (tail > 0 && /[\p{L}\p{N}\uDC00-\uDFFF]/u.test(a[a.length - tail])) tail -= 1;
  return [a, b].map((text) => [text.slice(0, head), text.slice(head, text.length - tail), text.slice(text.length - tail)]);
}

function alike(one, other) {
  return one.text === other.text && one.head === other.head;
}

/** By the longest common subsequence; of very long texts all is told as changed. */
function differing(a, b) {
  if (!a.length || !b.length || a.length * b.length > MOST_CELLS) return [{ a, b }];
  const wide = b.length + 1;
  const length = new Uint32Array((a.length + 1) * wide);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      length[i * wide + j] = alike(a[i], b[j])
        ? length[(i + 1) * wide + j + 1] + 1
        : Math.max(length[(i + 1) * wide + j], length[i * wide + j + 1]);
    }
  }
  const found = [];
  for (let i = 0, j = 0; i < a.length || j < b.length;) {
    if (i < a.length && j < b.length && alike(a[i], b[j])) { found.push({ same: [a[i]] }); i += 1; j += 1; }
    else if (j >= b.length || (i < a.length && length[(i + 1) * wide + j] >= length[i * wide + j + 1])) {
      found.push({ a: [a[i]], b: [] }); i += 1;
    } else { found.push({ a: [], b: [b[j]] }); j += 1; }
  }
  return found;
}

function joined(parts) {
  const found = [];
  for (const part of parts) {
    const last = found.at(-1);
    if (part.same ? !part.same.length : !part.a.length && !part.b.length) continue;
    if (last && Boolean(last.same) === Boolean(part.same)) {
      for (const name of Object.keys(part)) last[name] = [...last[name], ...part[name]];
    } else found.push({ ...part });
  }
  return found;
}
