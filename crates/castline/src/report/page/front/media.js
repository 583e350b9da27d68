// Files as elements: pictures, films, sounds, and texts.

/** How many pictures of one leg a card shows. */
const MOST_ON_CARD = 4;

/** A picture. What cannot be loaded is said in words. */
function picture(file, alt, lazy = true) {
  const image = el('img', {
    alt,
    decoding: 'async',
    loading: lazy ? 'lazy' : false,
    width: file.width,
    height: file.height,
    on: { error: () => image.classList.add('lost'), load: () => image.classList.remove('lost') },
  });
  aim(image, file);
  return image;
}

/** Shows another file in the same element: the browser keeps the old one until the new one is there. */
function aim(media, file) {
  const url = safeUrl(file.url);
  if (!url) {
    media.removeAttribute('src');
    media.classList.add('lost');
  } else if (media.getAttribute('src') !== url) {
    media.setAttribute('src', url);
  }
  media.dataset.digest = file.digest;
}

function film(file, name) {
  return el('video', { src: safeUrl(file.url), controls: true, loop: true, playsinline: true, preload: 'metadata', 'aria-label': name, 'data-digest': file.digest });
}

function sound(file, name) {
  return el('audio', { src: safeUrl(file.url), controls: true, preload: 'metadata', 'aria-label': name, 'data-digest': file.digest });
}

/** A file at full size. */
function showFile(file, name) {
  if (file.kind === 'image') return picture(file, name, false);
  if (file.kind === 'video') return film(file, name);
  if (file.kind === 'audio') return sound(file, name);
  return el('p', { class: 'file' }, noteOf(file));
}

/** Films on cards get their address when they come near: a browser loads them all else. */
const nearby = new IntersectionObserver(
  (entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting)) {
      nearby.unobserve(entry.target);
      entry.target.src = entry.target.dataset.src;
    }
  },
  { rootMargin: '300px' },
);

/** A film on a card: still, and playing while the pointer is on it. */
function smallFilm(file, name) {
  const url = safeUrl(file.url);
  const isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  const video = el('video', { muted: true, loop: true, playsinline: true, preload: 'metadata', 'aria-label': name, 'data-src': url, 'data-digest': file.digest });
  video.muted = true;
  if (url) nearby.observe(video);
  if (!isCalm) {
    video.addEventListener('pointerenter', () => video.play().catch(() => {}));
    video.addEventListener('pointerleave', () => video.pause());
  }
  return video;
}

/** A file on a card. */
function smallFile(file, name) {
  if (file.kind === 'image') return picture(file, name);
  if (file.kind === 'video') return smallFilm(file, name);
  const sign = file.kind === 'audio' ? '♪' : '▤';
  return el('span', { class: 'sign', role: 'img', 'aria-label': name }, sign, el('small', {}, noteOf(file)));
}
