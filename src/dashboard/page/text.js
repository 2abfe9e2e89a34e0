// Elements and words. All text comes in by textContent: nothing that a pool is called, or an owner, is ever read as HTML.

/**
 * @param {string} tag
 * @param {Record<string, string | undefined>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Writes only what has changed, so that nothing is read out or drawn again for nothing. */
export function write(/** @type {Element} */ element, /** @type {string} */ text) {
  if (element.textContent !== text) element.textContent = text;
}

export function duration(/** @type {number} */ ms) {
  if (ms < 1) return '0 ms';
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  const s = Math.round(ms / 1000);
  if (s < 120) return `${s} s`;
  const minutes = Math.floor(s / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** The time of day, to the second. */
export function timeOfDay(/** @type {number} */ at) {
  return new Date(at).toTimeString().slice(0, 8);
}

export function many(/** @type {number} */ count, /** @type {string} */ one, more = `${one}s`) {
  return `${count.toLocaleString('en')} ${count === 1 ? one : more}`;
}

/**
 * Makes the children of a list those of these items. What is there stays the same element: what is focused or unfolded in it
 * remains so.
 *
 * @template Item
 * @param {Element} list
 * @param {readonly Item[]} items
 * @param {(item: Item) => string} keyOf
 * @param {(item: Item) => Element} make
 * @param {(element: Element, item: Item) => void} update
 */
export function listOf(list, items, keyOf, make, update) {
  const there = new Map(Array.from(list.children, child => [child.getAttribute('data-key') ?? '', child]));
  let place = list.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let element = there.get(key);
    if (element) there.delete(key);
    else {
      element = make(item);
      element.setAttribute('data-key', key);
    }
    if (element === place) place = place.nextElementSibling;
    else list.insertBefore(element, place);
    update(element, item);
  }
  for (const gone of there.values()) gone.remove();
}
