// The sections of the page: the outputs, then every step with its legs.

const sections = new Map();

/** Draws all steps. `changed` names the legs that are new or other ones; null means all. */
function drawSteps(into, changed) {
  const { steps } = store.state;
  const names = new Set(steps.map((step) => step.name));
  for (const [name, section] of sections) {
    if (names.has(name)) continue;
    section.root.remove();
    sections.delete(name);
  }
  const touched = changed && new Set([...changed].map((name) => store.legs.get(name)?.step));
  steps.forEach((step, i) => {
    if (!sections.has(step.name)) sections.set(step.name, newSection(step));
    const { root } = sections.get(step.name);
    if (into.children[i] !== root) into.insertBefore(root, into.children[i] ?? null);
    if (!touched || touched.has(step.name) || !sections.get(step.name).sign) drawStep(step, changed);
  });
  for (const name of cards.keys()) if (!store.legs.has(name)) cards.delete(name);
}

function newSection(step) {
  const title = el('h2', { id: `step-${step.name}`, tabindex: -1 });
  const about = el('span', { class: 'about' });
  const counts = el('span', { class: 'counts' });
  const tools = el('div', { class: 'tools' });
  const body = el('div', { class: 'body' });
  const root = el('section', { class: 'step', 'data-step': step.name }, el('div', { class: 'head' }, title, about, counts, tools), body);
  return { root, title, about, counts, tools, body, sign: null };
}

/** Writes what is new in a step. The cards are put in their places anew only when these are other ones. */
function drawStep(step, changed) {
  const section = sections.get(step.name);
  const legs = legsOf(step.name);
  const shown = legs.filter(isShown);
  write(section.title, step.name);
  const about = step.model && step.model !== step.uses ? `${step.uses} · ${step.model}` : step.uses;
  write(section.about, about);
  section.about.title = about;
  write(section.counts, countsLine(step, legs, shown));
  toggle(section.root, 'hidden', shown.length === 0 && legs.length > 0);
  const axes = axesWithValues(step);
  const sign = [viewSign(step), JSON.stringify(axes), shown.map((leg) => leg.name).join('\n')].join('\n');
  if (sign !== section.sign) {
    section.sign = sign;
    drawTools(step, axes, section);
    drawBody(step, axes, shown, section);
    return;
  }
  for (const leg of shown) if ((!changed || changed.has(leg.name)) && cards.has(leg.name)) cardOf(leg);
}

function viewSign(step) {
  return JSON.stringify(viewOf(step));
}

function drawTools(step, axes, section) {
  if (axes.length === 0) return put(section.tools);
  const view = viewOf(step);
  const redraw = () => {
    drawStep(step, null);
    keepOneStop();
  };
  const choose = (mode) => el('button', { type: 'button', 'aria-pressed': String(view.mode === mode), 'data-mode': mode, on: { click: () => { view.mode = mode; redraw(); } } }, mode);
  const focused = section.tools.contains(document.activeElement) && focusSign(document.activeElement);
  put(section.tools, el('span', { class: 'segments', role: 'group', 'aria-label': `how ${step.name} is shown` }, choose('gallery'), choose('grid')), view.mode === 'grid' && axisBar(step, axes, redraw));
  // The tools are new ones: whoever was at one of them is still there.
  if (focused) section.tools.querySelector(focused)?.focus();
}

function focusSign(node) {
  const choice = node.closest('[data-choice]');
  return choice ? `[data-choice="${CSS.escape(choice.dataset.choice)}"] select` : `[data-mode="${CSS.escape(node.dataset.mode ?? '')}"]`;
}

function drawBody(step, axes, shown, section) {
  const focused = section.body.contains(document.activeElement) ? document.activeElement : null;
  section.root.dataset.mode = axes.length > 0 ? viewOf(step).mode : 'gallery';
  toggle(section.root, 'data-long', shown.length > FEW);
  if (viewOf(step).mode === 'grid' && axes.length > 0) {
    put(section.body, el('div', { class: 'scroll' }, gridOf(step, axes, shown)));
  } else {
    put(section.body, galleryOf(step, shown));
    drawLong();
  }
  if (focused?.isConnected) focused.focus({ preventScroll: true });
}

function countsLine(step, legs, shown) {
  const counts = countStates(legs);
  const parts = Object.keys(WORDS).filter((state) => counts[state]).map((state) => `${counts[state]} ${wordOf(state)}`);
  const hidden = legs.length - shown.length;
  if (legs.length === 0) return step.legs ? counted(step.legs, 'leg') : 'its legs are not known yet';
  return parts.join(', ') + (hidden > 0 ? `; ${hidden} not shown` : '');
}

let outputsSign = null;

/** The outputs of the workflow, each with the leg that made it. */
function drawOutputs(into) {
  const outputs = store.state.outputs ?? [];
  const sign = JSON.stringify([outputs, outputs.flatMap((output) => filesIn(output.value)).map((file) => file.url)]);
  if (sign === outputsSign) return;
  outputsSign = sign;
  const makers = makersOf();
  toggle(into, 'hidden', outputs.length === 0);
  put(into, el('h2', {}, 'Outputs'), el('div', { class: 'outputs' }, outputs.map((output) => outputCard(output, makers))));
}

/** An output that is a long list is seen among the legs. */
const MOST_OF_OUTPUT = 12;

function outputCard({ name, value }, makers) {
  const files = filesIn(value);
  const hidden = files.length - MOST_OF_OUTPUT;
  const one = (file, i) => {
    const maker = store.legs.get(makers.get(file.digest));
    const place = files.length > 1 ? ` ${i + 1} of ${files.length}` : '';
    const alt = [`output ${name}${place}`, maker && altOf(maker, maker.request)].filter(Boolean).join(', ');
    const open = () => openDetail(maker.name);
    if (file.kind === 'audio') return el('span', { class: 'output-file' }, sound(file, alt));
    if (!maker) return el('span', { class: 'output-file' }, smallFile(file, alt));
    return el('button', { class: 'output-file', type: 'button', 'aria-label': alt, on: { click: open } }, smallFile(file, alt));
  };
  return el(
    'div',
    { class: 'output', 'data-output': name, 'data-many': files.length > 1 },
    el('h3', {}, name),
    files.length > 0 && el('div', { class: 'output-files' }, files.slice(0, MOST_OF_OUTPUT).map(one)),
    hidden > 0 && el('p', { class: 'soft' }, `and ${hidden} more below`),
    files.length === 0 && el('pre', { class: 'answer', tabindex: 0 }, value === null ? 'nothing' : textIn(value)),
  );
}

/** Which leg gave a file, by digest; of several the last, because it stands nearest to the output. */
function makersOf() {
  const makers = new Map();
  for (const leg of store.legs.values()) for (const file of filesIn(leg.output)) makers.set(file.digest, leg.name);
  return makers;
}
