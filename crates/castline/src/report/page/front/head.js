// The top of the page: which workflow, how far it is, what it costs, what is wrong with the file.

let head = null;

function makeHead() {
  const part = (name) => el('span', { 'data-part': name });
  head = {
    title: el('h1'),
    file: el('span', { class: 'soft file-name' }),
    status: el('span', { class: 'pill', 'data-part': 'status' }),
    counts: part('counts'),
    money: part('money'),
    limits: part('limits'),
    provider: part('provider'),
    time: part('time'),
    link: el('span', { class: 'link', hidden: true }),
    meter: el('progress', { class: 'meter', 'aria-label': 'legs done', max: 1, value: 0 }),
    others: el('nav', { class: 'others', 'aria-label': 'other workflows' }),
  };
  const { title, file, status, counts, money, limits, provider, time, link, meter, others } = head;
  return el('header', { class: 'top' }, el('div', { class: 'line' }, title, status, file, link), el('p', { class: 'line stats' }, counts, money, limits, provider, time), others, meter);
}

function drawHead() {
  const { workflow, run, watch } = store.state;
  const legs = [...store.legs.values()];
  const total = Math.max(legs.length, store.state.steps.reduce((sum, step) => sum + (step.legs ?? 0), 0));
  const done = legs.filter(isDone).length;
  const [word, tone] = RUN_WORDS[run.status] ?? ['never ended', 'warn'];
  write(head.title, workflow.name);
  write(head.file, workflow.file);
  write(head.status, word);
  head.status.dataset.tone = tone;
  write(head.counts, countsWords(run, done, total, legs));
  write(head.money, run.money ?? '');
  write(head.limits, limitsOf(run));
  // Nothing is known before the first plan.
  const on = run.provider ? `on ${run.provider}` : '';
  write(head.provider, run.sandbox ? 'on the sandbox: stand-ins, no model was asked' : on);
  head.provider.dataset.live = Boolean(on) && !run.sandbox;
  head.meter.max = Math.max(1, total);
  head.meter.value = done;
  toggle(head.meter, 'hidden', run.status !== 'running');
  drawTime();
  drawOthers(store.state.others ?? []);
  const title = `${run.status === 'running' ? `${done}/${total} ` : ''}${workflow.name}: ${word}`;
  if (document.title !== title) document.title = title;
  drawIcon(watch?.state === 'broken' ? 'bad' : tone);
}

function countsWords(run, done, total, legs) {
  if (!run.provider) return '';
  return run.status === 'running' ? `${done} of ${counted(total, 'leg')}` : `${counted(total, 'leg')}: ${countsOf(legs)}`;
}

function countsOf(legs) {
  const counts = countStates(legs);
  return Object.keys(WORDS).filter((state) => counts[state]).map((state) => `${counts[state]} ${wordOf(state)}`).join(', ') || 'nothing to do';
}

function limitsOf({ reserved_usd: reserved }) {
  return reserved > 0 ? `${usd(reserved)} reserved` : '';
}

/** How long it takes so far; written again every second while it runs. */
function drawTime() {
  const { run } = store.state;
  const isRunning = run.status === 'running' && store.state.live;
  const now = isRunning && run.started ? Math.max(0, (Date.now() - Date.parse(run.started)) / 1000) : run.elapsed_seconds;
  write(head.time, [run.started && typeof now === 'number' && (isRunning ? `${Math.round(now)} s` : seconds(now)), run.started && clock(run.started)].filter(Boolean).join(' · '));
}

const COLORS = { good: '#2c7a4b', bad: '#b3372b', warn: '#b98300', busy: '#2f73ad', calm: '#8a857c' };
let iconTone = null;

/** The state as a dot in the tab. */
function drawIcon(tone) {
  if (tone === iconTone) return;
  iconTone = tone;
  const dot = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6" fill="${COLORS[tone]}"/></svg>`;
  document.querySelector('link[rel=icon]').href = `data:image/svg+xml,${encodeURIComponent(dot)}`;
}

/** Other workflows that are watched too. */
function drawOthers(others) {
  const sign = JSON.stringify(others);
  if (head.others.dataset.sign === sign) return;
  head.others.dataset.sign = sign;
  toggle(head.others, 'hidden', others.length === 0);
  put(head.others, others.map(({ name, href }) => el('a', { href: safeUrl(href) }, name)));
}

let notesSign = null;

/** What the file says wrong, what has changed, what is warned of. */
function drawNotes(into) {
  const { diagnostics = [], watch, run } = store.state;
  const sign = JSON.stringify([diagnostics, watch, run.warnings]);
  if (sign === notesSign) return;
  notesSign = sign;
  const broken = watch?.state === 'broken';
  put(
    into,
    broken && el('p', { class: 'note', 'data-tone': 'bad' }, store.legs.size > 0 ? 'The file has mistakes. What is below is of the last good one.' : 'The file has mistakes.'),
    diagnostics.map(diagnosticOf),
    watch && watchNote(watch),
    (run.warnings ?? []).map((text) => el('p', { class: 'note', 'data-tone': 'warn' }, ticked(text))),
  );
}

function diagnosticOf(found) {
  const place = [found.file, found.span?.line, found.span?.column].filter((part) => part !== undefined && part !== null).join(':');
  return el(
    'div',
    { class: 'note diagnostic', 'data-tone': found.severity === 'warning' ? 'warn' : 'bad' },
    el('p', {}, el('strong', {}, `${found.severity}[${found.code}]`), ': ', ticked(found.message)),
    // The lines of the file begin with the same.
    place && !found.text && el('p', { class: 'soft' }, el('code', {}, place)),
    found.text && el('pre', { tabindex: 0 }, found.text),
    found.hint && el('p', { class: 'cure' }, ticked(found.hint)),
  );
}

const WATCH_WORDS = { idle: 'Waiting for the next edit.', running: 'Running.', paused: 'Paused: edits are planned and not run.', broken: '' };
const WATCH_TONES = { waiting: 'warn', paused: 'warn', refused: 'bad' };

function watchNote({ state, message, changes = [] }) {
  const words = message ?? WATCH_WORDS[state];
  if (!words && changes.length === 0) return null;
  return el(
    'div',
    { class: 'note', 'data-tone': WATCH_TONES[state] ?? 'calm', 'data-watch': state },
    words && el('p', {}, ticked(words)),
    changes.length > 0 && el('ul', {}, changes.slice(0, 6).map((change) => el('li', {}, ticked(change))), changes.length > 6 && el('li', {}, `and ${changes.length - 6} more`)),
  );
}

/** Whether the page still hears of news. */
function drawLink(word, tone) {
  toggle(head.link, 'hidden', !word);
  write(head.link, word ?? '');
  head.link.dataset.tone = tone ?? 'calm';
}
