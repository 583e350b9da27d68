// The steps as a drawing: layers from left to right, and how far each step is.

const BOX = { width: 132, height: 44, right: 44, below: 12 };

let drawn = { sign: null, boxes: new Map() };

/** Draws the steps, or only writes what has changed on them. */
function drawGraph(into) {
  const { steps } = store.state;
  const sign = JSON.stringify(steps.map((step) => [step.name, step.reads]));
  if (sign !== drawn.sign) {
    drawn = { sign, boxes: new Map() };
    put(into, steps.length > 1 ? wholeGraph(steps) : null);
  }
  for (const step of steps) updateBox(step);
}

function wholeGraph(steps) {
  const places = layOut(steps);
  const all = [...places.values()];
  const width = Math.max(...all.map((at) => at.x)) + BOX.width + 2;
  const height = Math.max(...all.map((at) => at.y)) + BOX.height + 2;
  const edges = steps.flatMap((step) => step.reads.filter((name) => places.has(name)).map((name) => edge(places, name, step.name)));
  return svg(
    'svg',
    { width, height, viewBox: `-1 -1 ${width} ${height}`, role: 'group', 'aria-label': 'steps' },
    svg('g', { class: 'edges' }, edges),
    steps.map((step) => box(step, places.get(step.name))),
  );
}

/** Puts each step behind the last one that it reads, and near the middle of those. */
function layOut(steps) {
  const layers = new Map();
  const byName = new Map(steps.map((step) => [step.name, step]));
  const layer = (name) => {
    if (layers.has(name)) return layers.get(name);
    layers.set(name, 0);
    const before = byName.get(name).reads.filter((read) => byName.has(read)).map(layer);
    layers.set(name, before.length > 0 ? Math.max(...before) + 1 : 0);
    return layers.get(name);
  };
  steps.forEach((step) => layer(step.name));
  const columns = [];
  for (const step of steps) (columns[layers.get(step.name)] ??= []).push(step);
  const rows = new Map();
  for (const column of columns) {
    const wish = (step) => {
      const reads = step.reads.filter((read) => rows.has(read)).map((read) => rows.get(read));
      return reads.length > 0 ? reads.reduce((sum, row) => sum + row, 0) / reads.length : 0;
    };
    const sorted = column.map((step) => [wish(step), step]).sort((one, other) => one[0] - other[0]);
    let free = -Infinity;
    // Around the wished place as a whole, so that a fan opens to both sides.
    const shift = sorted.length > 1 ? (sorted.length - 1) / 2 : 0;
    sorted.forEach(([wished, step], i) => {
      const row = Math.max(free, sorted[0][0] === sorted.at(-1)[0] ? wished - shift + i : wished);
      rows.set(step.name, row);
      free = row + 1;
    });
  }
  const top = Math.min(...rows.values());
  const at = ([name, row]) => [name, { x: layers.get(name) * (BOX.width + BOX.right), y: (row - top) * (BOX.height + BOX.below) }];
  return new Map([...rows].map(at));
}

function edge(places, from, to) {
  const [a, b] = [places.get(from), places.get(to)];
  const [x, y] = [a.x + BOX.width, a.y + BOX.height / 2];
  const [u, v] = [b.x - 5, b.y + BOX.height / 2];
  const half = Math.min((u - x) / 2, BOX.right);
  return [
    svg('path', { class: 'line', d: `M${x} ${y}C${x + half} ${y} ${u - half} ${v} ${u} ${v}` }),
    svg('path', { class: 'head', d: `M${b.x} ${v}l-6 -3.5v7z` }),
  ];
}

function box(step, { x, y }) {
  const state = svg('text', { class: 'state', x: x + 10, y: y + 32 });
  const bars = svg('g');
  const link = svg(
    'a',
    { class: 'box', href: `#step-${step.name}`, 'data-step': step.name },
    svg('rect', { class: 'sheet', x, y, width: BOX.width, height: BOX.height, rx: 7 }),
    svg('text', { class: 'name', x: x + 10, y: y + 17 }, short(step.name, 18)),
    state,
    bars,
  );
  drawn.boxes.set(step.name, { link, state, bars, x, y });
  return link;
}

const BAR = ['good', 'calm', 'busy', 'warn', 'bad'];

/** A bar for each tone, as long as there are legs of it. */
function updateBox(step) {
  const at = drawn.boxes.get(step.name);
  if (!at) return;
  const legs = legsOf(step.name);
  const done = legs.filter(isDone);
  const total = Math.max(step.legs ?? 0, legs.length);
  const bad = legs.filter(isBad).length;
  const text = bad > 0 ? `${done.length}/${total}, ${bad} bad` : `${done.length}/${total}`;
  write(at.state, text);
  at.link.setAttribute('aria-label', `${step.name}: ${done.length} of ${total} legs done${bad > 0 ? `, ${bad} went wrong` : ''}`);
  at.link.dataset.busy = legs.some((leg) => leg.status === 'running');
  const tones = {};
  for (const leg of legs) if (leg.status !== 'waiting') tones[toneOf(stateOf(leg))] = (tones[toneOf(stateOf(leg))] ?? 0) + 1;
  const sign = JSON.stringify([tones, total]);
  if (at.sign === sign) return;
  at.sign = sign;
  let x = at.x + 10;
  const full = BOX.width - 20;
  put(at.bars, BAR.filter((tone) => tones[tone]).map((tone) => {
    const width = (full * tones[tone]) / Math.max(1, total);
    const bar = svg('rect', { class: tone, x, y: at.y + BOX.height - 7, width, height: 3 });
    x += width;
    return bar;
  }));
}
