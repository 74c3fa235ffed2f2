// @ts-check
/** Making elements. Text enters the page only as text nodes, so nothing that people or agents write can become markup. */

/** @typedef {Node | string | null | false | undefined} Child */
/** @typedef {string | number | boolean | null | undefined | ((event: any) => void)} Prop */

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, Prop>} [props] `on…` are listeners; true sets an empty attribute; false and null set none
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** @param {string} id */
export function byId(id) {
  const node = document.getElementById(id);
  if (!node) throw new Error(`No element "${id}".`);
  return node;
}

/**
 * Puts new children in place of old ones, keeping the nodes whose version did not change, what is focused and what is
 * unfolded: an edit of a card must not take the button away under somebody's finger.
 *
 * @param {HTMLElement} parent
 * @param {{ key: string, version: string, make: () => HTMLElement }[]} items
 */
export function keyed(parent, items) {
  /** @type {Map<string, HTMLElement>} */
  const old = new Map();
  for (const child of parent.children) if (child instanceof HTMLElement) old.set(child.dataset.key ?? "", child);
  const nodes = items.map(({ key, version, make }) => {
    const known = old.get(key);
    if (known && known.dataset.version === version) return known;
    const node = make();
    node.dataset.key = key;
    node.dataset.version = version;
    if (known) keepPlace(known, node);
    return node;
  });
  if (nodes.length === parent.children.length && nodes.every((node, i) => parent.children[i] === node)) return;
  const focus = focusIn(parent);
  // Moves only what moved: taking a node out and in again would drop its focus and its animation.
  nodes.forEach((node, i) => {
    if (parent.children[i] !== node) parent.insertBefore(node, parent.children[i] ?? null);
  });
  while (parent.children.length > nodes.length) parent.lastElementChild?.remove();
  focus?.();
}

// What a person folded or unfolded stays so; the rest follows the app.
document.addEventListener("click", (event) => {
  const fold = event.target instanceof Element ? event.target.closest("summary")?.parentElement : null;
  if (fold) fold.dataset.touched = "";
});

/** @param {HTMLElement} before @param {HTMLElement} after */
function keepPlace(before, after) {
  for (const fold of before.querySelectorAll("details[data-touched]")) {
    if (!(fold instanceof HTMLDetailsElement)) continue;
    const same = after.querySelector(`details[data-fold="${CSS.escape(fold.dataset.fold ?? "")}"]`);
    if (!(same instanceof HTMLDetailsElement)) continue;
    same.open = fold.open;
    same.dataset.touched = "";
  }
}

/**
 * How to focus again what has the focus inside `parent`, after its nodes were replaced.
 * @param {HTMLElement} parent
 * @returns {(() => void) | null}
 */
export function focusIn(parent) {
  const active = document.activeElement;
  if (!(active instanceof HTMLElement) || !parent.contains(active)) return null;
  const row = active.closest("[data-key]");
  const key = row instanceof HTMLElement ? row.dataset.key : undefined;
  const name = active.dataset.focus;
  return () => {
    if (parent.contains(active) && document.activeElement === active) return;
    const rowNow = key === undefined ? parent : parent.querySelector(`[data-key="${CSS.escape(key)}"]`);
    const again = name === undefined ? null : rowNow?.querySelector(`[data-focus="${CSS.escape(name)}"]`);
    // The button is gone, as after a decision: stay at its message, not at the top of the page.
    const target = again ?? rowNow;
    if (target instanceof HTMLElement) target.focus({ preventScroll: true });
  };
}
