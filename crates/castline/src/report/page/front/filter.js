// Which legs are shown: those that fit the words in the search box and the chosen kind.

const filter = { words: [], kind: 'all' };

const KINDS = {
  all: ['all', () => true],
  changed: ['changed', isChanged],
  running: ['under way', (leg) => UNDER_WAY.has(leg.status)],
  ran: ['ran', (leg) => stateOf(leg) === 'succeeded'],
  bad: ['went wrong', isBad],
};

const texts = new WeakMap();

/** All that can be searched of a leg. */
function textOf(leg) {
  if (!texts.has(leg)) {
    const parts = [leg.name, wordOf(stateOf(leg)), promptOf(leg.request?.input), leg.why, leg.error?.message, leg.request?.model];
    texts.set(leg, parts.filter(Boolean).join('\n').toLowerCase());
  }
  return texts.get(leg);
}

function isShown(leg) {
  if (!KINDS[filter.kind][1](leg)) return false;
  if (filter.words.length === 0) return true;
  const text = textOf(leg);
  return filter.words.every((word) => text.includes(word));
}

function searchFor(text) {
  filter.words = text.toLowerCase().split(/\s+/).filter(Boolean);
}

/** Every leg that is shown, in the order of the page. */
function shownLegs() {
  return store.state.steps.flatMap((step) => legsOf(step.name)).filter(isShown);
}
