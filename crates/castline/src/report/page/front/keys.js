// The keyboard: one stop for all cards, arrows between them, and letters for the rest.

const KEYS = [
  ['arrows', 'go from leg to leg; in the details to the earlier and the next one'],
  ['Home, End', 'the first and the last leg'],
  ['Enter', 'the details of a leg'],
  ['Escape', 'close; empty the search'],
  ['/', 'search'],
  ['g', 'gallery or grid, for the step of the leg'],
  ['c', 'in the details: the next way to compare before and after'],
  ['d', 'in the details: download'],
  ['?', 'this list'],
];

let current = null;

function visibleCards() {
  return [...document.querySelectorAll('.steps section:not([hidden]) .card')];
}

/** All cards are one stop of the tabulator: the one that was used last, else the first. */
function keepOneStop() {
  const isThere = current?.root.isConnected && !current.root.closest('[hidden]');
  // Of a long gallery it may be far away just now.
  const isFar = current && longOnes.size > 0 && [...longOnes].some(({ at }) => at.has(current.leg.name));
  if (!isThere && !isFar) setCurrent(cards.get(document.querySelector('.steps section:not([hidden]) .card')?.dataset.leg));
}

function setCurrent(card) {
  if (current === card) return;
  if (current) current.open.tabIndex = -1;
  current = card ?? null;
  if (current) current.open.tabIndex = 0;
}

function focusCard(card) {
  reveal(card.leg.name);
  setCurrent(card);
  card.open.focus();
  card.root.scrollIntoView({ block: 'nearest', inline: 'nearest' });
}

/** The card of a leg, wherever in a long gallery it is. */
function cardAnywhere(leg) {
  reveal(leg.name);
  return cards.get(leg.name)?.root;
}

/** The card to go to from one, by an arrow. Up and down look for the nearest one in the next line. */
function nextCard(from, key) {
  if (key === 'Home') return cardAnywhere(shownLegs()[0]);
  if (key === 'End') return cardAnywhere(shownLegs().at(-1));
  const all = visibleCards();
  const at = all.indexOf(from);
  if (key === 'ArrowRight') return all[at + 1];
  if (key === 'ArrowLeft') return all[at - 1];
  const by = key === 'ArrowDown' ? 1 : -1;
  const middle = (box) => box.left + box.width / 2;
  const here = from.getBoundingClientRect();
  let best = null;
  for (let i = at + by; all[i]; i += by) {
    const there = all[i].getBoundingClientRect();
    if (Math.abs(there.top - here.top) < 4) continue;
    if (best && Math.abs(there.top - best.top) >= 4) break;
    const off = Math.abs(middle(there) - middle(here));
    if (!best || off < best.off) best = { top: there.top, off, card: all[i] };
  }
  return best?.card;
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
  const isTyping = event.target.closest?.('input:not([type=range]), select, textarea');
  const used = detail.dialog.open ? keyInDetail(event, isTyping) : keyOnPage(event, isTyping);
  if (used) event.preventDefault();
}

function keyInDetail({ key, target }, isTyping) {
  // Films, sounds and the slider have arrows of their own.
  const hasArrows = target.closest?.('input, video, audio, pre');
  if (key === 'ArrowLeft' && !hasArrows) return step(-1), true;
  if (key === 'ArrowRight' && !hasArrows) return step(1), true;
  if (isTyping) return false;
  if (key === 'c') return turnMode(), true;
  if (key === 'd') return detail.parts.modes.querySelector('[data-download]')?.click(), true;
  if (key === '?') return openHelp(), true;
  return false;
}

function keyOnPage({ key, target }, isTyping) {
  if (key === 'Escape' && target === search.box) return clearSearch(), true;
  if (isTyping) return false;
  if (key === '/') return search.box.focus(), search.box.select(), true;
  if (key === '?') return openHelp(), true;
  if (key === 'Escape' && filter.words.length > 0) return clearSearch(), true;
  const card = target.closest?.('.card');
  if (key === 'g') return turnView(card ?? current?.root), true;
  if (!key.startsWith('Arrow') && !(card && (key === 'Home' || key === 'End'))) return false;
  if (!card) {
    // Up and down scroll the page until somebody is among the cards.
    if (target !== document.body || key === 'ArrowUp' || key === 'ArrowDown' || !current) return false;
    return focusCard(current), true;
  }
  const next = nextCard(card, key);
  if (next) focusCard(cards.get(next.dataset.leg));
  return true;
}

function turnView(card) {
  const name = card?.closest('section')?.dataset.step;
  const found = store.state.steps.find((one) => one.name === name);
  if (!found || found.axes.length === 0) return;
  const view = viewOf(found);
  view.mode = view.mode === 'grid' ? 'gallery' : 'grid';
  drawStep(found, null);
  keepOneStop();
}

let help = null;

function makeHelp() {
  const rows = KEYS.map(([key, words]) => [el('dt', {}, key.split(', ').map((one, i) => [i > 0 && ' ', el('kbd', {}, one)])), el('dd', {}, words)]);
  const close = el('button', { type: 'button', class: 'icon', 'aria-label': 'close', on: { click: () => help.close() } }, '✕');
  help = el('dialog', { class: 'help', 'aria-labelledby': 'help-title' }, el('div', { class: 'bar' }, el('h2', { id: 'help-title' }, 'Keys'), close), el('dl', { class: 'list' }, rows));
  return help;
}

function openHelp() {
  if (!help.open) help.showModal();
}
