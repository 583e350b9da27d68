// News while castline runs: whole documents and patches, as they come.

/** After so long in the background the connection is given up: browsers allow few of them to one host. */
const HIDDEN_MS = 60_000;
const AGAIN_MS = 1_000;

const live = { source: null, hidden: null, again: null, over: false };

/** Listens to `events`. Every connection begins with a whole document. */
function listen() {
  clearTimeout(live.again);
  live.source?.close();
  const source = new EventSource('events');
  live.source = source;
  const on = (type, take) => source.addEventListener(type, (event) => live.source === source && take(event.data));
  on('state', (data) => {
    drawLink('live', 'good');
    news(JSON.parse(data), true);
  });
  on('patch', (data) => {
    // One was missed: only a whole document helps.
    if (!news(JSON.parse(data), false)) listen();
  });
  on('end', () => {
    live.over = true;
    source.close();
    drawLink('castline has ended', 'calm');
  });
  source.addEventListener('error', () => {
    if (live.source !== source || live.over) return;
    drawLink('not connected', 'warn');
    if (source.readyState === EventSource.CLOSED) live.again = setTimeout(listen, AGAIN_MS);
  });
}

function watchVisibility() {
  document.addEventListener('visibilitychange', () => {
    clearTimeout(live.hidden);
    if (document.hidden) {
      live.hidden = setTimeout(() => {
        live.source?.close();
        live.source = null;
        clearTimeout(live.again);
      }, HIDDEN_MS);
    } else if (!live.source && !live.over) {
      listen();
    }
  });
}
