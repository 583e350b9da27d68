// What the page knows: the state document, kept up to date by whole documents and patches.

const store = {
  state: null,
  /** Legs by name. */
  legs: new Map(),
  /** Names of legs by step, in order. */
  order: new Map(),
  /** Addresses of files that stand in the plain list, by digest: they are in the page only once. */
  shown: new Map(),
};

const KNOWN_VERSION = 1;

/** Takes a whole document. */
function takeState(state) {
  if (state.schema_version !== KNOWN_VERSION) throw new Error(`a state of version ${state.schema_version}`);
  store.state = state;
  store.legs = new Map();
  store.order = new Map(state.steps.map((step) => [step.name, []]));
  state.legs.forEach(takeLeg);
}

function takeLeg(leg) {
  if (!store.legs.has(leg.name)) {
    if (!store.order.has(leg.step)) store.order.set(leg.step, []);
    store.order.get(leg.step).push(leg.name);
  }
  store.legs.set(leg.name, leg);
}

/**
 * Takes a patch: what it has replaces what there is, legs one by one.
 * False when one before it was missed; then only a whole document helps.
 */
function takePatch(patch) {
  if (patch.seq !== store.state.seq + 1) return false;
  const { legs = [], files = {}, ...rest } = patch;
  Object.assign(store.state, rest);
  Object.assign(store.state.files, files);
  legs.forEach(takeLeg);
  return true;
}

/** The legs of a step, in order. */
function legsOf(step) {
  return (store.order.get(step) ?? []).map((name) => store.legs.get(name));
}

/** True for a value that stands for a file. */
function isFile(value) {
  return Boolean(value && typeof value === 'object' && value.digest && value.media_type && 'bytes' in value);
}

/** Every file in a value, each with its address and name. */
function filesIn(value) {
  if (isFile(value)) return [fileOf(value)];
  if (value && typeof value === 'object') return Object.values(value).flatMap(filesIn);
  return [];
}

function fileOf(value) {
  const more = store.state.files[value.digest] ?? {};
  return { ...value, ...more, url: more.url ?? store.shown.get(value.digest), kind: kindOf(value.media_type) };
}

function kindOf(mediaType) {
  const kind = mediaType.split('/')[0];
  return ['image', 'video', 'audio'].includes(kind) ? kind : 'file';
}

/** A value that is no file and has none in it, as text; none when there is nothing to show. */
function textIn(value) {
  if (value === null || value === undefined || filesIn(value).length > 0) return null;
  if (typeof value === 'string') return value;
  const isTexts = Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string');
  return isTexts ? value.join('\n\n') : JSON.stringify(value, null, 2);
}

/** How many legs there are of each state. */
function countStates(legs) {
  const counts = {};
  for (const leg of legs) counts[stateOf(leg)] = (counts[stateOf(leg)] ?? 0) + 1;
  return counts;
}

const UNDER_WAY = new Set(['waiting', 'held', 'running']);

function isDone(leg) {
  return !UNDER_WAY.has(leg.status);
}

function isBad(leg) {
  return toneOf(stateOf(leg)) === 'bad';
}

/** True where an earlier output stands beside a new one. */
function isChanged(leg) {
  return Boolean(leg.before) && leg.output !== null && !sameOutput(leg.output, leg.before.output);
}

function sameOutput(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** The axes of a step with their values, in the order of the legs unless the step says them. */
function axesWithValues(step) {
  const found = new Map(step.axes.map((axis) => [axis.name, new Map((axis.values ?? []).map((v) => [keyOf(v), v]))]));
  for (const leg of legsOf(step.name)) {
    for (const [axis, value] of Object.entries(leg.leg)) {
      if (!found.has(axis)) found.set(axis, new Map());
      const values = found.get(axis);
      if (!values.has(keyOf(value))) values.set(keyOf(value), value);
    }
  }
  return [...found].map(([name, values]) => ({ name, values: [...values.values()] }));
}

/** Two values of an axis are one when these are the same. */
function keyOf(value) {
  return JSON.stringify(value);
}
