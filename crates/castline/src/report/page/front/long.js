// Long galleries and tables: only the cards near what is seen are in the page.

/** Up to so many cards of a step stand in the page as they are. */
const FEW = 120;
/** So far beyond the edge of what is seen they are there already, in heights of it. */
const AHEAD = 0.75;

/** Galleries of which only a part is there. */
const longOnes = new Set();

/** A gallery of any length. */
function galleryOf(step, legs) {
  const inner = el('div', { class: 'gallery', role: 'group', 'aria-label': `legs of ${step.name}` });
  if (legs.length <= FEW) return put(inner, legs.map(cardOf));
  const probe = el('div', { class: 'probe', 'aria-hidden': 'true' });
  const root = el('div', { class: 'long' }, inner, probe);
  const gallery = { root, inner, probe, legs: legs.map((leg) => leg.name), at: new Map(legs.map((leg, i) => [leg.name, i])), part: '' };
  longOnes.add(gallery);
  return root;
}

/** How many cards stand in a line, and how far it is from line to line. */
function measure({ root, inner, probe }) {
  const card = probe.getBoundingClientRect();
  const gap = Number.parseFloat(getComputedStyle(inner).columnGap) || 0;
  const columns = Math.max(1, Math.floor((root.clientWidth + gap) / (card.width + gap)));
  return { columns, line: card.height + gap, gap };
}

function drawLong() {
  for (const gallery of longOnes) {
    if (gallery.root.isConnected) drawPart(gallery);
    else longOnes.delete(gallery);
  }
}

/** Puts those cards into the page that are near; the lines above are room. */
function drawPart(gallery) {
  const { root, inner, legs } = gallery;
  const { columns, line, gap } = measure(gallery);
  const lines = Math.ceil(legs.length / columns);
  root.style.height = `${lines * line - gap}px`;
  const top = -root.getBoundingClientRect().top;
  const from = Math.max(0, Math.min(lines, Math.floor((top - innerHeight * AHEAD) / line)));
  const to = Math.max(0, Math.min(lines, Math.ceil((top + innerHeight * (1 + AHEAD)) / line)));
  const part = `${columns} ${from} ${to} ${line}`;
  if (gallery.part === part) return;
  gallery.part = part;
  inner.style.transform = `translateY(${from * line}px)`;
  exchange(inner, legs.slice(from * columns, to * columns).map((name) => cardOf(store.legs.get(name))));
}

/** Leaves those that stay where they are, so that the focus stays too. */
function exchange(inner, wanted) {
  const stays = new Set(wanted);
  for (const node of [...inner.children]) if (!stays.has(node)) node.remove();
  wanted.forEach((node, i) => {
    if (inner.children[i] !== node) inner.insertBefore(node, inner.children[i] ?? null);
  });
}

/** Brings the card of a leg into the page, and says whether it is there. */
function reveal(name) {
  for (const gallery of longOnes) {
    const at = gallery.at.get(name);
    if (at === undefined || !gallery.root.isConnected || gallery.root.closest('[hidden]')) continue;
    const { columns, line } = measure(gallery);
    const top = gallery.root.getBoundingClientRect().top + Math.floor(at / columns) * line;
    if (top < 0 || top + line > innerHeight) scrollBy({ top: top - innerHeight / 3, behavior: 'instant' });
    drawPart(gallery);
  }
  return Boolean(cards.get(name)?.root.isConnected);
}

/** Lines of long tables get their cards when they come near, and give them back. */
const nearLines = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) target.fillLine();
      else target.emptyLine();
    }
  },
  { rootMargin: '60% 0px', scrollMargin: '60% 0px' },
);

/** Fills a line of a table with cards: at once when there are few, else when it comes near. */
function fillLine(row, legsByCell, isLong) {
  const inner = [...row.querySelectorAll('td')];
  row.fillLine = () => inner.forEach((cell, i) => put(cell, legsByCell[i].map((leg) => cardOf(store.legs.get(leg.name) ?? leg))));
  row.emptyLine = () => inner.forEach((cell) => cell.contains(document.activeElement) || put(cell));
  if (isLong) nearLines.observe(row);
  else row.fillLine();
  return row;
}

let isScrolled = false;

function watchScrolling() {
  const soon = () => {
    if (isScrolled) return;
    isScrolled = true;
    requestAnimationFrame(() => {
      isScrolled = false;
      drawLong();
    });
  };
  addEventListener('scroll', soon, { passive: true });
  addEventListener('resize', soon, { passive: true });
  new ResizeObserver(soon).observe(page.steps);
}
