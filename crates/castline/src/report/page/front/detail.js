// One leg, whole: its pictures beside the earlier ones, what it was sent, why it ran, what it cost.

const detail = { dialog: null, name: null, mode: null, number: 0, leg: null, parts: null };

function makeDetail() {
  const parts = {
    title: el('h2', { id: 'detail-title', tabindex: -1 }),
    badge: el('span', { class: 'pill' }),
    place: el('span', { class: 'soft place' }),
    modes: el('div', { class: 'modes' }),
    stage: el('div', { class: 'stage' }),
    strip: el('div', { class: 'strip' }),
    side: el('div', { class: 'sheet', tabindex: -1 }),
  };
  const button = (word, name, act) => el('button', { type: 'button', class: 'icon', 'aria-label': name, title: name, on: { click: act } }, word);
  detail.parts = parts;
  detail.dialog = el(
    'dialog',
    { class: 'detail', 'aria-labelledby': 'detail-title', on: { close: closed, click: (event) => event.target === detail.dialog && detail.dialog.close() } },
    el('div', { class: 'bar' }, parts.title, parts.badge, parts.place, button('←', 'earlier leg', () => step(-1)), button('→', 'next leg', () => step(1)), button('✕', 'close', () => detail.dialog.close())),
    el('div', { class: 'panes' }, el('div', { class: 'pane' }, parts.modes, parts.stage, parts.strip), parts.side),
  );
  return detail.dialog;
}

function openDetail(name) {
  if (!store.legs.has(name)) return;
  if (detail.name !== name) Object.assign(detail, { name, mode: null, number: 0, leg: null });
  drawDetail();
  if (!detail.dialog.open) {
    detail.dialog.showModal();
    detail.parts.title.focus();
  }
  history.replaceState(null, '', `#leg=${encodeURIComponent(name)}`);
}

function closed() {
  const { name } = detail;
  Object.assign(detail, { name: null, leg: null });
  put(detail.parts.stage);
  history.replaceState(null, '', location.pathname + location.search);
  reveal(name);
  const card = cards.get(name);
  if (card?.root.isConnected) focusCard(card);
}

/** Goes to another of the legs that are shown. */
function step(by) {
  const legs = shownLegs();
  const at = legs.findIndex((leg) => leg.name === detail.name);
  const next = legs[at + by];
  if (next) openDetail(next.name);
}

/** Draws the leg that is open, if it is another one than before. */
function drawDetail() {
  const leg = store.legs.get(detail.name);
  if (!leg) {
    if (detail.dialog?.open) detail.dialog.close();
    return;
  }
  if (detail.leg === leg) return;
  const stays = detail.leg?.name === leg.name && sameOutput(detail.leg.output, leg.output) && sameOutput(detail.leg.before, leg.before);
  detail.leg = leg;
  const { title, badge, place, side } = detail.parts;
  write(title, leg.name);
  write(badge, badgeOf(leg, stateOf(leg)));
  badge.dataset.tone = toneOf(stateOf(leg));
  const legs = shownLegs();
  write(place, `${legs.findIndex((one) => one.name === leg.name) + 1} of ${legs.length}`);
  if (!stays) drawStage();
  const open = [...side.querySelectorAll('details[open]')].map((part) => part.dataset.part);
  put(side, sheetOf(leg));
  for (const part of open) side.querySelector(`details[data-part="${part}"]`)?.setAttribute('open', '');
}

/** The outputs of a leg and the earlier ones, as files or texts. */
function sidesOf(leg) {
  const old = leg.before && { files: filesIn(leg.before.output), text: textIn(leg.before.output) };
  return { now: { files: filesIn(leg.output), text: textIn(leg.output) }, old };
}

function drawStage() {
  const { leg, parts } = detail;
  const { now, old } = sidesOf(leg);
  const many = Math.max(now.files.length, old?.files.length ?? 0);
  detail.number = Math.min(detail.number, Math.max(0, many - 1));
  const after = now.files[detail.number];
  const before = old?.files[detail.number];
  const modes = modesOf(leg, after, before, now, old);
  const mode = modes.includes(detail.mode) ? detail.mode : modes.includes('slider') ? 'slider' : modes.at(-1);
  const choose = (one) => el('button', { type: 'button', 'aria-pressed': String(one === mode), 'data-mode': one, on: { click: () => setMode(one) } }, MODES[one]);
  put(parts.modes, modes.length > 1 && el('span', { class: 'segments', role: 'group', 'aria-label': 'before and after' }, modes.map(choose)), downloads(leg, after));
  put(parts.stage, stageOf(mode, { leg, after, before, now, old }));
  put(parts.strip, many > 1 && Array.from({ length: many }, (_, i) => thumbOf(now.files[i] ?? old.files[i], i)));
}

function modesOf(leg, after, before, now, old) {
  const hasNow = after || now.text !== null;
  const hasOld = before || (old?.text ?? null) !== null;
  if (!hasOld) return ['after'];
  if (!hasNow) return ['before'];
  const canSlide = after?.kind === 'image' && before?.kind === 'image';
  return ['after', 'before', canSlide && 'slider', 'sides'].filter(Boolean);
}

function setMode(mode) {
  detail.mode = mode;
  drawStage();
  detail.parts.modes.querySelector(`[data-mode="${mode}"]`)?.focus();
}

/** The next way of comparing. */
function turnMode() {
  const modes = [...detail.parts.modes.querySelectorAll('[data-mode]')];
  const at = modes.findIndex((button) => button.getAttribute('aria-pressed') === 'true');
  if (modes.length > 0) setMode(modes[(at + 1) % modes.length].dataset.mode);
}

function stageOf(mode, { leg, after, before, now, old }) {
  const names = { after: altOf(leg, leg.request), before: `before: ${altOf(leg, leg.before?.request)}` };
  const one = (file, text, name) => (file ? showFile(file, name) : text !== null && text !== undefined ? el('pre', { class: 'answer', tabindex: 0 }, text) : null);
  if (mode === 'slider') return slider(before, after, names);
  const afterShown = () => one(after, now.text, names.after);
  const beforeShown = () => one(before, old.text, names.before);
  if (mode === 'sides') {
    const isText = !after && !before;
    const changes = () => el('pre', { class: 'answer', tabindex: 0 }, wordChanges(old.text, now.text));
    return sides(beforeShown(), isText ? changes() : afterShown());
  }
  if (mode === 'before') return [beforeShown(), el('span', { class: 'tag left' }, 'before')];
  return afterShown() ?? emptyStage(leg);
}

function emptyStage(leg) {
  return el('p', { class: 'empty' }, isDone(leg) ? 'no output' : badgeOf(leg, stateOf(leg)));
}

function thumbOf(file, i) {
  const choose = () => {
    detail.number = i;
    drawStage();
    detail.parts.strip.children[i]?.focus();
  };
  return el('button', { type: 'button', 'aria-pressed': String(i === detail.number), 'aria-label': `output ${i + 1}`, on: { click: choose } }, smallFile(file, `output ${i + 1}`));
}

function downloads(leg, file) {
  if (!file) return null;
  const url = safeUrl(file.url);
  const link = linkTo(file);
  return el(
    'span',
    { class: 'links' },
    el('span', { class: 'soft' }, noteOf(file)),
    link && el('a', { href: link, target: '_blank', rel: 'noopener' }, 'open'),
    url && el('a', { href: url, download: nameOf(file, leg, detail.number), 'data-download': true }, 'download'),
  );
}
