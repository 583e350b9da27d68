// News while castline runs: whole documents and patches, as they come.

/** After so long in the background the connection is given up: browsers allow few of them to one host. */
const HIDDEN_MS = 60_000;
const AGAIN_MS = 1_000;
/** Who does not answer for so long is gone. */
const GONE_MS = 8_000;

const live = { source: null, hidden: null, again: null, lost: null, over: false };

/** Listens to `events`. Every connection begins with a whole document. */
function listen() {
  clearTimeout(live.again);
  live.source?.close();
  const source = new EventSource('events');
  live.source = source;
  const on = (type, take) => source.addEventListener(type, (event) => live.source === source && take(event.data));
  on('state', (data) => {
    live.lost = null;
    drawLink('live', 'good');
    news(JSON.parse(data), true);
  });
  on('patch', (data) => {
    // One was missed: only a whole document helps.
    if (!news(JSON.parse(data), false)) listen();
  });
  on('end', async () => {
    live.over = true;
    drawLink('castline ends', 'calm');
    await fetchRest();
    // Castline waits for this.
    source.close();
    drawLink('castline has ended', 'calm');
  });
  source.addEventListener('error', () => {
    if (live.source !== source || live.over) return;
    live.lost ??= Date.now();
    if (Date.now() - live.lost > GONE_MS) {
      // Another one has another address.
      live.over = true;
      source.close();
      drawLink('castline is gone: this is what was known', 'bad');
      return;
    }
    drawLink('not connected', 'warn');
    if (source.readyState === EventSource.CLOSED) live.again = setTimeout(listen, AGAIN_MS);
  });
}

/** So many files are fetched at once: browsers allow six connections to one host, and the news have one. */
const AT_ONCE = 4;

/** Fetches what was not shown yet: the browser keeps it, and soon there is nobody to ask. */
async function fetchRest() {
  const rest = Object.values(store.state.files).map((file) => file.url).values();
  const some = async () => {
    for (const url of rest) {
      try {
        await (await fetch(url, { cache: 'force-cache' })).arrayBuffer();
      } catch {
        // It stays a gap in the page.
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, some));
}

/** Gives up the connection, but not while something runs: its end must not be missed. */
function giveUp() {
  if (store.state.run.status === 'running') {
    live.hidden = setTimeout(giveUp, HIDDEN_MS);
    return;
  }
  live.source?.close();
  live.source = null;
  clearTimeout(live.again);
}

function watchVisibility() {
  document.addEventListener('visibilitychange', () => {
    clearTimeout(live.hidden);
    if (document.hidden) {
      live.hidden = setTimeout(giveUp, HIDDEN_MS);
    } else if (!live.source && !live.over) {
      listen();
    }
  });
}
