// Puts the page together, draws it once, and again whenever there is news.

const search = { box: null, kinds: null };
const page = {};

/** News that come together are drawn together. */
const SOON_MS = 16;

/** What is to be drawn soon: names of legs, or null for everything. */
let pending = new Set();
let isAsked = false;

/** Takes news and draws it soon. False when it does not fit to what is known. */
function news(sent, isWhole) {
  if (isWhole) {
    takeState(sent);
    pending = null;
  } else {
    if (!takePatch(sent)) return false;
    for (const leg of sent.legs ?? []) pending?.add(leg.name);
    if (sent.steps) pending = null;
  }
  if (!isAsked) {
    isAsked = true;
    // Not at the next frame: those are late while large pictures are painted, and none come out of sight.
    setTimeout(drawNews, SOON_MS);
  }
  return true;
}

function drawNews() {
  const changed = pending;
  pending = new Set();
  isAsked = false;
  draw(changed);
  announce();
}

function draw(changed) {
  drawHead();
  drawNotes(page.notes);
  drawGraph(page.graph);
  drawKinds();
  drawOutputs(page.outputs);
  drawSteps(page.steps, changed);
  keepOneStop();
  if (detail.name) drawDetail();
  drawFoot();
}

function drawFoot() {
  const { run, workflow, made_by: maker } = store.state;
  write(page.foot, `${run.id ? `run ${run.id} of ` : ''}${workflow.file}, made by ${maker}`);
}

function drawKinds() {
  const legs = [...store.legs.values()];
  for (const [kind, button] of search.kinds) {
    const n = legs.filter(KINDS[kind][1]).length;
    write(button, `${KINDS[kind][0]} ${n}`);
    button.setAttribute('aria-pressed', String(filter.kind === kind));
    toggle(button, 'hidden', n === 0 && kind !== 'all' && filter.kind !== kind);
  }
  const nothing = legs.length > 0 && shownLegs().length === 0;
  toggle(page.none, 'hidden', !nothing);
}

function makeTools() {
  search.box = el('input', { type: 'search', placeholder: 'search legs and prompts  /', 'aria-label': 'search legs and prompts', autocomplete: 'off', spellcheck: 'false' });
  search.box.addEventListener('input', () => {
    searchFor(search.box.value);
    draw(null);
  });
  const choose = (kind) => {
    filter.kind = kind;
    draw(null);
  };
  search.kinds = new Map(Object.keys(KINDS).map((kind) => [kind, el('button', { type: 'button', 'data-kind': kind, on: { click: () => choose(kind) } })]));
  const size = el('input', { type: 'range', min: 88, max: 400, step: 8, value: 176, 'aria-label': 'size of the pictures' });
  size.addEventListener('input', () => {
    page.root.style.setProperty('--card', `${size.value}px`);
    drawLong();
  });
  return el(
    'div',
    { class: 'toolbar', role: 'search' },
    search.box,
    el('span', { class: 'segments', role: 'group', 'aria-label': 'which legs' }, [...search.kinds.values()]),
    el('label', { class: 'size' }, el('span', { 'aria-hidden': 'true' }, '▫'), size, el('span', { 'aria-hidden': 'true' }, '◻')),
    el('button', { type: 'button', class: 'icon', 'aria-label': 'keys', title: 'keys', on: { click: openHelp } }, '?'),
  );
}

function clearSearch() {
  search.box.value = '';
  searchFor('');
  draw(null);
}

let said = { text: '', at: 0, later: null };
const SAY_EVERY_MS = 3_000;

/** Says for those who listen how far it is; not more often than can be followed. */
function announce() {
  clearTimeout(said.later);
  const wait = said.at + SAY_EVERY_MS - Date.now();
  if (wait > 0) {
    said.later = setTimeout(announce, wait);
    return;
  }
  const legs = [...store.legs.values()];
  const done = legs.filter(isDone).length;
  const bad = legs.filter(isBad).length;
  const faults = store.state.diagnostics?.length ?? 0;
  const [word] = RUN_WORDS[store.state.run.status] ?? ['never ended'];
  const text = [faults > 0 && counted(faults, 'finding'), word, `${done} of ${counted(legs.length, 'leg')} done`, bad > 0 && `${bad} went wrong`].filter(Boolean).join(', ');
  said = { text, at: Date.now(), later: null };
  write(document.getElementById('voice'), text);
}

function build() {
  page.root = document.getElementById('app');
  page.notes = el('div', { class: 'notes' });
  page.graph = el('nav', { class: 'graph', 'aria-label': 'steps' });
  page.outputs = el('section', { class: 'outs' });
  page.steps = el('div', { class: 'steps' });
  page.none = el('p', { class: 'empty', hidden: true }, 'No leg is like that. Escape empties the search.');
  page.foot = el('footer');
  const main = el('main', { id: 'main', tabindex: -1 }, page.notes, page.graph, page.outputs, makeTools(), page.none, page.steps);
  append(page.root, [makeHead(), main, page.foot, makeDetail(), makeHelp()]);
  page.steps.addEventListener('click', (event) => {
    const card = event.target.closest('.card');
    if (card && event.target.closest('.open')) openDetail(card.dataset.leg);
  });
  page.steps.addEventListener('focusin', (event) => {
    const card = event.target.closest('.card');
    if (card) setCurrent(cards.get(card.dataset.leg));
  });
  page.graph.addEventListener('click', (event) => {
    const name = event.target.closest('[data-step]')?.dataset.step;
    if (!name) return;
    event.preventDefault();
    const title = document.getElementById(`step-${name}`);
    title?.focus();
    title?.scrollIntoView({ block: 'start' });
  });
  document.addEventListener('keydown', onKey);
  watchScrolling();
}

/** Opens the leg that the address names, as after a reload. */
function openAddressed() {
  const named = new URLSearchParams(location.hash.slice(1)).get('leg');
  if (named) openDetail(named);
}

function start() {
  for (const shown of document.querySelectorAll('#plain [data-file]')) {
    store.shown.set(shown.dataset.file, shown.getAttribute('src') ?? shown.getAttribute('href'));
  }
  takeState(JSON.parse(document.getElementById('state').textContent));
  build();
  page.root.hidden = false;
  document.getElementById('plain').remove();
  draw(null);
  openAddressed();
  if (store.state.live) {
    listen();
    watchVisibility();
    setInterval(() => live.over || drawTime(), 1_000);
  }
}

try {
  start();
} catch (error) {
  // The plain list is all there; whoever cannot see the page reads that.
  document.getElementById('app').remove();
  document.documentElement.classList.add('plainly');
  throw error;
}
