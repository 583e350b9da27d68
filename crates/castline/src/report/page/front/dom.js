// Making elements. Data becomes text and checked addresses here, and never markup.

/** An element with attributes, and with handlers under `on`. Text among the children stays text. */
function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for a drawing. */
function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'on') {
      for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    } else {
      node.setAttribute(name, value === true ? '' : value);
    }
  }
  append(node, children);
  return node;
}

function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === '') continue;
    node.append(child);
  }
}

/** Replaces what is in a node. */
function put(node, ...children) {
  node.replaceChildren();
  append(node, children);
  return node;
}

/** Writes a text where it is another one: what stays the same is not read out again. */
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** What stands between backticks is code. */
function ticked(text) {
  return String(text).split(/`([^`]+)`/).map((part, i) => (i % 2 === 1 ? el('code', {}, part) : part));
}

function toggle(node, name, is) {
  if (node.hasAttribute(name) !== Boolean(is)) node.toggleAttribute(name, Boolean(is));
}

const DATA = /^data:(image\/(png|jpeg|webp|gif|avif|bmp|svg\+xml)|video\/(mp4|webm|quicktime)|audio\/(wav|mpeg|ogg|flac|mp4)|text\/plain|application\/(json|pdf|zip|octet-stream))[;,]/;

/** The address of a file when the page may use it: beside the page, or within it. Else none. */
function safeUrl(url) {
  if (typeof url !== 'string' || url === '') return null;
  if (DATA.test(url)) return url;
  let whole;
  try {
    whole = new URL(url, location.href);
  } catch {
    return null;
  }
  if (location.protocol === 'file:') return whole.protocol === 'file:' ? url : null;
  const isWeb = whole.protocol === 'http:' || whole.protocol === 'https:';
  return isWeb && whole.origin === location.origin ? url : null;
}

/** A browser runs what stands in such a file when it is opened; in an `img` it does not. */
const RUNS = new Set(['image/svg+xml', 'text/html', 'application/xhtml+xml', 'text/xml', 'application/xml']);

/** An address that may be opened in a tab of its own, else none. */
function linkTo(file) {
  const url = safeUrl(file.url);
  return url && !url.startsWith('data:') && !RUNS.has(file.media_type) ? url : null;
}
