// The words of the page: names of states, labels, alternatives of pictures, amounts.

const WORDS = {
  waiting: ['waiting', 'calm'],
  held: ['waits for Enter', 'warn'],
  running: ['running', 'busy'],
  succeeded: ['ran', 'good'],
  reused: ['reused', 'calm'],
  skipped: ['skipped', 'calm'],
  'not-run': ['not run', 'calm'],
  canceled: ['canceled', 'warn'],
  failed: ['failed', 'bad'],
  expired: ['expired', 'bad'],
  'in-doubt': ['in doubt', 'bad'],
  refused: ['refused', 'bad'],
};

const RUN_WORDS = {
  waiting: ['waiting', 'calm'],
  running: ['running', 'busy'],
  succeeded: ['succeeded', 'good'],
  failed: ['failed', 'bad'],
  refused: ['refused by the budget', 'bad'],
  'in-doubt': ['in doubt', 'bad'],
  interrupted: ['interrupted', 'warn'],
};

/** What a leg is, as one word of `WORDS`. */
function stateOf(leg) {
  return leg.status === 'succeeded' && leg.reused ? 'reused' : leg.status;
}

function wordOf(state) {
  return (WORDS[state] ?? [String(state), 'calm'])[0];
}

function toneOf(state) {
  return (WORDS[state] ?? [state, 'calm'])[1];
}

/** A value of an axis, short. A row is told by its first two fields. */
function label(value) {
  if (typeof value === 'string') return short(value, 60);
  if (value && typeof value === 'object' && !Array.isArray(value)) {
    const plain = Object.values(value).filter((part) => part !== null && typeof part !== 'object');
    if (plain.length > 0) return short(plain.slice(0, 2).join(', '), 60);
  }
  return short(JSON.stringify(value), 60);
}

/** One line of at most so many characters. */
function short(text, most) {
  const line = String(text).replace(/\s+/g, ' ').trim();
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}

/** The words that a leg sends. */
function promptOf(input) {
  for (const field of ['prompt', 'text', 'text_prompt', 'input']) {
    if (typeof input?.[field] === 'string') return input[field];
  }
  return null;
}

/** `style linocut, take 2`, empty without axes. */
function axesOf(leg) {
  return Object.entries(leg.leg).map(([axis, value]) => `${axis} ${label(value)}`).join(', ');
}

/** What stands for a picture where it is not seen. */
function altOf(leg, request, place = '') {
  const axes = axesOf(leg);
  const prompt = promptOf(request?.input);
  return [leg.step + place, axes, prompt && short(prompt, 160)].filter(Boolean).join(': ');
}

function usd(amount) {
  if (amount === 0) return '0 USD';
  const digits = amount < 0.01 ? 6 : amount < 1 ? 4 : 2;
  return `${amount.toFixed(digits).replace(/(\.\d\d\d*?)0+$/, '$1')} USD`;
}

function seconds(amount) {
  if (amount < 10) return `${amount.toFixed(1)} s`;
  if (amount < 60) return `${Math.round(amount)} s`;
  const minutes = Math.floor(amount / 60);
  const rest = Math.round(amount % 60);
  return minutes < 60 ? `${minutes} min ${rest} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** How long a leg took, in seconds; none when it did not. */
function tookOf(leg) {
  if (!leg.created || !leg.finished) return null;
  return (Date.parse(leg.finished) - Date.parse(leg.created)) / 1000;
}

/** `2026-11-26 18:32:38 UTC`. */
function clock(at) {
  return `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

function counted(n, noun) {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

const EXTENSIONS = { 'image/jpeg': 'jpg', 'image/svg+xml': 'svg', 'video/quicktime': 'mov', 'audio/mpeg': 'mp3', 'audio/mp4': 'm4a', 'text/plain': 'txt' };

function extensionOf(file) {
  return EXTENSIONS[file.media_type] ?? (/\/([a-z0-9]+)$/.exec(file.media_type)?.[1] ?? 'bin');
}

/** `1024 × 1024, png, 48 kB`. */
function noteOf(file) {
  const { bytes } = file;
  const size = bytes < 1000 ? `${bytes} B` : bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
  return [file.width && `${file.width} × ${file.height}`, extensionOf(file), size].filter(Boolean).join(', ');
}

/** The name under which a file is kept: the one that the run gave it, else the leg's. */
function nameOf(file, leg, number) {
  if (file.name) return file.name;
  const plain = leg.name.replace(/[^\p{L}\p{N}_-]+/gu, '-').replace(/^-+|-+$/g, '');
  return `${plain}${number > 0 ? `-${number + 1}` : ''}.${extensionOf(file)}`;
}
