// A leg as a card: its picture or text, its state, its words. One card for each leg, wherever it stands.

/** Cards by the name of their leg. */
const cards = new Map();

function cardOf(leg) {
  let card = cards.get(leg.name);
  if (!card) {
    card = newCard(leg);
    cards.set(leg.name, card);
  }
  updateCard(card, leg);
  return card.root;
}

function newCard(leg) {
  const thumb = el('span', { class: 'thumb' });
  const badge = el('span', { class: 'pill' });
  const title = el('span', { class: 'title' });
  const prompt = el('span', { class: 'words' });
  const facts = el('span', { class: 'facts' });
  const open = el('button', { class: 'open', type: 'button', tabindex: -1 }, thumb, title, prompt, facts, badge);
  const root = el('div', { class: 'card', 'data-leg': leg.name }, open);
  return { root, open, thumb, badge, title, prompt, facts, face: null, sign: null };
}

/** What a card shows of a leg: while it is made anew, what stood there before. */
function faceOf(leg) {
  if (leg.output !== null && leg.output !== undefined) return { value: leg.output, request: leg.request, old: false };
  const isComing = UNDER_WAY.has(leg.status) || leg.status === 'canceled' || isBad(leg);
  if (isComing && leg.before) return { value: leg.before.output, request: leg.before.request, old: true };
  return { value: null, request: leg.request, old: false };
}

/** Writes into a card what is new about its leg, and nothing else. */
function updateCard(card, leg) {
  if (card.leg === leg) return;
  const isFirst = !card.leg;
  card.leg = leg;
  const state = stateOf(leg);
  const face = faceOf(leg);
  const files = filesIn(face.value);
  // What went wrong takes the place of the picture where there is none at all.
  const text = textIn(face.value) ?? (files.length === 0 ? leg.error?.message : null) ?? null;
  drawFace(card, leg, face, files, text, isFirst);
  card.root.dataset.tone = toneOf(state);
  card.root.dataset.state = state;
  toggle(card.root, 'data-old', face.old);
  toggle(card.root, 'data-changed', isChanged(leg));
  if (isFirst) put(card.title, titleOf(leg));
  const words = promptOf(leg.request?.input) ?? leg.why ?? '';
  write(card.prompt, files.length > 0 ? (leg.error?.message ?? words) : words);
  write(card.facts, factsLine(leg));
  write(card.badge, badgeOf(leg, state));
  card.open.setAttribute('aria-label', spoken(leg, state, face));
}

function drawFace(card, leg, face, files, text, isFirst) {
  const sign = files.length > 0 ? files.map((file) => file.digest + file.kind).join() : `text ${text}`;
  const name = (i) => altOf(leg, face.request, files.length > 1 ? ` (${i + 1} of ${files.length})` : '');
  if (card.sign === sign) {
    card.thumb.querySelectorAll('img').forEach((image, i) => image.setAttribute('alt', name(i)));
    return;
  }
  card.sign = sign;
  if (!isFirst && !face.old && face.value !== null) flash(card.root);
  const images = [...card.thumb.children];
  const isSwap = images.length === files.length && images.every((node, i) => node.tagName === 'IMG' && files[i].kind === 'image');
  if (isSwap && images.length > 0) {
    images.forEach((image, i) => {
      aim(image, files[i], true);
      image.setAttribute('alt', name(i));
    });
    return;
  }
  const faces = files.slice(0, MOST_ON_CARD).map((file, i) => smallFile(file, name(i)));
  put(card.thumb, faces, faces.length === 0 && text ? el('span', { class: 'excerpt' }, text.slice(0, 600)) : null);
  card.thumb.dataset.count = Math.max(1, faces.length);
  if (files.length > MOST_ON_CARD) card.thumb.append(el('span', { class: 'more' }, `+${files.length - MOST_ON_CARD}`));
}

/** A sign that something has changed here; it goes by itself. */
function flash(node) {
  node.classList.remove('fresh');
  requestAnimationFrame(() => node.classList.add('fresh'));
  node.addEventListener('animationend', () => node.classList.remove('fresh'), { once: true });
}

/** The values of its axes. Of long ones each is cut, so that all are seen. */
function titleOf(leg) {
  const values = Object.values(leg.leg).map(label);
  return values.length > 0 ? values.map((value) => el('span', {}, value)) : leg.step;
}

function factsLine(leg) {
  const took = tookOf(leg);
  return [took !== null && seconds(took), leg.cost].filter(Boolean).join(' · ');
}

function badgeOf(leg, state) {
  if (leg.status === 'running') {
    const { status, fraction } = leg.progress ?? {};
    if (typeof fraction === 'number') return `${Math.round(fraction * 100)} %`;
    return status ?? wordOf(state);
  }
  return wordOf(state);
}

function spoken(leg, state, face) {
  return [leg.name, badgeOf(leg, state), isChanged(leg) && 'changed', leg.error?.message, short(promptOf(face.request?.input) ?? '', 160)]
    .filter(Boolean)
    .join(', ');
}
