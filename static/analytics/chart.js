/** Draws the points over time with uPlot; the table beside it has the same numbers and links. */

const HEIGHT = 240;
const SECONDS = { hour: 3600, day: 86400, week: 604800, month: 2592000 };
// What is counted is whole.
const WHOLE = Array.from({ length: 13 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat();

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A token's colour as a canvas takes it: light-dark() is only understood by CSS. */
function colour(name) {
  const probe = document.createElement('i');
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

export function drawChart(node, data) {
  node.hidden = false;
  if (!data.at.length) return;
  let plot;
  const draw = () => {
    plot?.destroy();
    node.replaceChildren();
    plot = new uPlot(options(node, data), [data.at, data.values], node);
  };
  draw();
  new ResizeObserver(() => plot.setSize({ width: node.clientWidth, height: HEIGHT })).observe(node);
  // Canvas does not follow the theme by itself.
  new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ['data-theme'] });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
}

function options(node, data) {
  const ink = colour('--ink-soft'), line = colour('--line'), accent = colour('--accent');
  const font = `12px ${token('--font')}`;
  const grid = { stroke: line, width: 1 };
  const axis = { stroke: ink, font, grid, ticks: { ...grid, size: 4 } };
  return {
    width: node.clientWidth,
    height: HEIGHT,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), data.zone),
    padding: [12, 8, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: true, y: false, setScale: false }, points: { size: 7 } },
    select: { show: true },
    scales: { x: { range: () => widened(data) }, y: { range: (_, __, most) => [0, (most || 1) * 1.08] } },
    axes: [{ ...axis, grid: { show: false }, size: 32, space: data.interval === 'hour' ? 112 : 64, values: (_, marks) => marks.map((mark) => moment(mark, data)) }, { ...axis, size: 56, ...(data.bars && { incrs: WHOLE }), values: (_, marks) => marks.map((mark) => shortly(mark, data)) }],
    series: [{}, {
      stroke: accent,
      width: data.bars ? 0 : 1.75,
      fill: data.bars ? accent : undefined,
      paths: data.bars ? uPlot.paths.bars({ size: [0.8, 48] }) : undefined,
      points: { show: !data.bars && data.at.length < 100, size: 5, fill: accent },
    }],
    hooks: { setCursor: [tell(node, data)], setSelect: [choose(data)] },
  };
}

/** Half a period of room on both sides, so that the first and last bar are whole. */
function widened({ at, interval }) {
  const step = at.length > 1 ? (at.at(-1) - at[0]) / (at.length - 1) : SECONDS[interval];
  return [at[0] - step / 2, at.at(-1) + step / 2];
}

const FORMATS = {
  hour: '{D} {MMM}, {HH}:{mm}', day: '{D} {MMM}', week: '{D} {MMM}', month: '{MMM} {YYYY}',
};

function moment(mark, { interval, zone }) {
  return uPlot.fmtDate(FORMATS[interval])(uPlot.tzDate(new Date(mark * 1000), zone));
}

const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

function shortly(mark, data) {
  if (!/ s$| ms$/.test(data.texts.find((text) => text !== '–') ?? '')) return compact.format(mark);
  return mark >= 1000 ? `${compact.format(mark / 1000)} s` : `${mark} ms`;
}

/** The point under the pointer in words, at the top of the chart. */
function tell(node, data) {
  const words = document.createElement('p');
  words.className = 'told';
  return (plot) => {
    if (!words.isConnected) node.append(words);
    const at = plot.cursor.idx;
    words.textContent = at == null ? '' : `${data.labels[at]}: ${data.texts[at]}`;
  };
}

/** A click or a drag over the chart narrows the page to those periods. */
function choose(data) {
  return (plot) => {
    const { left, width } = plot.select;
    if (width < 4) return;
    const first = plot.posToIdx(left), last = plot.posToIdx(left + width);
    location.href = between(data.links[first], data.links[last]);
  };
}

function between(first, last) {
  const address = new URL(first, location.href), end = new URL(last, location.href).searchParams.get('to');
  if (end) address.searchParams.set('to', end);
  else address.searchParams.delete('to');
  return address.href;
}
