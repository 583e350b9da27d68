// Before and after: an earlier output beside the new one.

const MODES = { after: 'after', before: 'before', slider: 'slider', sides: 'side by side' };

/** Pictures lie upon each other; an input of the browser moves the cut, by pointer and by keys. */
function slider(before, after, names) {
  const range = el('input', { type: 'range', min: 0, max: 100, step: 1, value: 50, 'aria-label': 'how much of the earlier picture is seen' });
  const box = el(
    'div',
    { class: 'slider' },
    el('div', { class: 'under' }, picture(after, names.after, false)),
    el('div', { class: 'over' }, picture(before, names.before, false)),
    el('span', { class: 'cut', 'aria-hidden': 'true' }),
    el('span', { class: 'tag left', 'aria-hidden': 'true' }, 'before'),
    el('span', { class: 'tag right', 'aria-hidden': 'true' }, 'after'),
    range,
  );
  const move = () => {
    box.style.setProperty('--cut', `${range.value}%`);
    range.setAttribute('aria-valuetext', `${range.value} % before`);
  };
  range.addEventListener('input', move);
  move();
  setRatio(box, after);
  return box;
}

function setRatio(node, file) {
  if (file.width && file.height) node.style.setProperty('--ratio', file.width / file.height);
}

function sides(before, after) {
  return el('div', { class: 'sides' }, side('before', before), side('after', after));
}

function side(word, shown) {
  return el('figure', { 'data-side': word }, shown ?? el('p', { class: 'soft' }, 'nothing'), el('figcaption', {}, word));
}

/** The longest texts that are compared word by word. */
const MOST_WORDS = 1500;

/** A text with what was taken out and what was put in. */
function wordChanges(before, after) {
  const [from, to] = [before, after].map((text) => text.split(/(\s+|[^\p{L}\p{N}\s]+)/u).filter(Boolean));
  if (from.length > MOST_WORDS || to.length > MOST_WORDS) return [el('del', {}, before), ' ', el('ins', {}, after)];
  const parts = [];
  const say = (tag, word) => {
    const last = parts.at(-1);
    if (last?.tag === tag) last.text += word;
    else parts.push({ tag, text: word });
  };
  walk(common(from, to), from, to, say);
  return parts.map(({ tag, text }) => (tag ? el(tag, {}, text) : text));
}

/** How long the longest common sequence of the rests is, for each pair of places. */
function common(from, to) {
  const width = to.length + 1;
  const table = new Uint16Array((from.length + 1) * width);
  for (let i = from.length - 1; i >= 0; i -= 1) {
    for (let j = to.length - 1; j >= 0; j -= 1) {
      const at = i * width + j;
      table[at] = from[i] === to[j] ? table[at + width + 1] + 1 : Math.max(table[at + width], table[at + 1]);
    }
  }
  return (i, j) => table[i * width + j];
}

function walk(length, from, to, say) {
  let [i, j] = [0, 0];
  while (i < from.length || j < to.length) {
    if (i < from.length && j < to.length && from[i] === to[j]) {
      say(null, from[i]);
      i += 1;
      j += 1;
    } else if (i < from.length && (j === to.length || length(i + 1, j) >= length(i, j + 1))) {
      say('del', from[i]);
      i += 1;
    } else {
      say('ins', to[j]);
      j += 1;
    }
  }
}
