/** The few ways this page touches the document: text only as text, and only where it changed. */

const STEPS = 1_000; // of a track: less is not seen

/** @returns {HTMLElement} a new element */
export function element(tag, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

/** Append children and give the parent back. */
export function within(parent, ...children) {
  parent.append(...children);
  return parent;
}

/** An element of a drawing, with its attributes. */
export function drawn(tag, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

/*
 * What a node was last told is kept beside it: to ask the document costs more than to compare, and most of what is told
 * ten times a second is what was told before. So a node's text, attribute or span is only ever changed through here.
 */

/** Show this text, if another is shown; the text node there is reused, so that nothing is left to collect. */
export function setText(node, text) {
  if (node.shownText === text) return;
  node.shownText = text;
  const only = node.firstChild;
  if (only?.nodeType !== Node.TEXT_NODE || only.nextSibling) {
    if (node.textContent !== text) node.textContent = text;
  } else if (only.nodeValue !== text) only.nodeValue = text;
}

/** Carry this data attribute, if another is carried. "" removes it. */
export function setData(node, name, value) {
  const shown = (node.shownData ??= {});
  if (shown[name] === value) return;
  shown[name] = value;
  if (value === "") delete node.dataset[name];
  else node.dataset[name] = value;
}

/** Move and stretch a bar to [from, to] of its track, both in 0..1, without a layout. */
export function setSpan(node, from, to) {
  const [at, width] = [Math.round(from * STEPS), Math.round(Math.max(0, to - from) * STEPS)];
  if (node.shownAt === at && node.shownWidth === width) return;
  node.shownAt = at;
  node.shownWidth = width;
  node.style.transform = `translateX(${(at * 100) / STEPS}%) scaleX(${width / STEPS})`;
}
