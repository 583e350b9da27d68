// The words about one leg: why it ran, its prompt, its input, its cost, its log.

function sheetOf(leg) {
  return [failure(leg), promptPart(leg), facts(leg), inputPart(leg), logPart(leg), jsonPart(leg)];
}

/** What went wrong, and what to do. */
function failure({ error }) {
  if (!error) return null;
  return el('div', { class: 'failure', role: 'group', 'aria-label': 'error' }, el('p', {}, el('strong', {}, error.kind ?? 'error'), ': ', ticked(error.message)), error.hint && el('p', { class: 'cure' }, ticked(error.hint)));
}

function promptPart(leg) {
  const now = promptOf(leg.request?.input);
  const old = promptOf(leg.before?.request?.input);
  if (now === null) return null;
  const isOther = old !== null && old !== now;
  return [el('h3', {}, isOther ? 'Prompt, and what changed in it' : 'Prompt'), el('p', { class: 'prompt' }, isOther ? wordChanges(old, now) : now)];
}

function facts(leg) {
  const { request } = leg;
  const took = tookOf(leg);
  const running = typeof leg.predict_seconds === 'number' && `${seconds(leg.predict_seconds)} running`;
  const rows = [
    ['why', leg.why],
    ['cost', leg.cost],
    ['seed', request?.input?.seed],
    ['draw', request?.draw?.length > 0 && JSON.stringify(request.draw)],
    ['took', took !== null && [seconds(took), running].filter(Boolean).join(', ')],
    ['attempts', leg.attempts > 1 && leg.attempts],
    ['model', request && `${request.model} at ${request.provider}`],
    ['prediction', leg.prediction],
    ['started', leg.created && clock(leg.created)],
    ['key', request?.key],
    ['before', leg.before && beforeLine(leg.before)],
  ];
  const there = rows.filter(([, value]) => value !== null && value !== undefined && value !== false && value !== '');
  const axes = Object.entries(leg.leg).map(([axis, value]) => [axis, typeof value === 'string' ? value : JSON.stringify(value)]);
  return el('dl', { class: 'list' }, [...axes, ...there].map(([name, value]) => [el('dt', {}, name), el('dd', { 'data-fact': name }, String(value))]));
}

function beforeLine(before) {
  return [before.run && `run ${before.run}`, before.finished && clock(before.finished), before.request?.input?.seed !== undefined && `seed ${before.request.input.seed}`].filter(Boolean).join(', ') || 'an earlier output';
}

/** Every field that was sent; those that are other ones than before, with both values. */
function inputPart(leg) {
  const input = leg.request?.input;
  if (!input || Object.keys(input).length === 0) return null;
  const old = leg.before?.request?.input;
  const rows = Object.entries(input).map(([name, value]) => {
    const isOther = old && keyOf(old[name]) !== keyOf(value);
    return [el('dt', {}, el('code', {}, name)), el('dd', { 'data-input': name, 'data-other': isOther }, valueOf(value, name), isOther && name in old && el('div', { class: 'was' }, 'was ', valueOf(old[name], name)))];
  });
  const gone = old ? Object.keys(old).filter((name) => !(name in input)) : [];
  return [
    el('h3', {}, 'Input'),
    el('dl', { class: 'list' }, rows, gone.map((name) => [el('dt', {}, el('code', {}, name)), el('dd', { class: 'was' }, 'no longer sent; was ', valueOf(old[name], name))])),
  ];
}

/** A value that was sent: text as it is, files as small pictures. */
function valueOf(value, name) {
  const files = filesIn(value);
  if (files.length > 0) return el('span', { class: 'files' }, files.map((file) => inputFile(file, name)));
  return typeof value === 'string' ? value : JSON.stringify(value, null, 1);
}

function inputFile(file, name) {
  const shown = smallFile(file, `${name}, ${noteOf(file)}`);
  const link = linkTo(file);
  return link ? el('a', { href: link, target: '_blank', rel: 'noopener' }, shown) : shown;
}

function logPart({ logs }) {
  return logs ? [el('h3', {}, 'Log'), el('pre', { class: 'log', tabindex: 0 }, logs)] : null;
}

function jsonPart(leg) {
  const text = leg.request && JSON.stringify(leg.request, null, 2);
  return text ? el('details', { 'data-part': 'json' }, el('summary', {}, 'The request as JSON'), el('pre', { tabindex: 0 }, text)) : null;
}
