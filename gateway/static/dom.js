/** The few ways this page touches the document: text only as text, and only where it changed. */

const STEPS = 1_000; // of a track: less is not seen; a tenth of a percent

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

/**
 * Fill a bar from `from` to `to` of its track, both in 0..1, without a layout. It is a background that is placed, for a
 * transform of its own for each of hundreds of bars would have the browser sort out its layers anew with every frame.
 */
export function setSpan(node, from, to) {
  const [at, width] = [Math.round(from * STEPS), Math.round(Math.max(0, to - from) * STEPS)];
  if (node.shownAt === at && node.shownWidth === width) return;
  node.shownAt = at;
  node.shownWidth = width;
  node.style.backgroundSize = `${(width * 100) / STEPS}% 100%`;
  if (at || node.style.backgroundPositionX) node.style.backgroundPositionX = `${width < STEPS ? (at * 100) / (STEPS - width) : 0}%`;
}

/**
 * Fill one bar with several parts, one after the other from the left.
 * @param {Array<[string, number]>} parts colour and share of the track, in 0..1
 */
export function setParts(node, parts) {
  let sum = 0;
  const stops = [];
  for (const [colour, share] of parts) {
    const from = Math.round(sum * STEPS);
    const to = Math.round((sum += share) * STEPS);
    if (to > from) stops.push(`${colour} ${from / 10}% ${to / 10}%`);
  }
  const shown = stops.length ? `linear-gradient(90deg, ${stops.join(", ")}, transparent 0)` : "none";
  if (node.shownParts === shown) return;
  node.shownParts = shown;
  node.style.backgroundImage = shown;
}
