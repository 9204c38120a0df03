/** Which channels the page wants: only what a visible panel shows. Pure. */

const DEPTH = 25; // the smallest the protocol offers that fills a panel
const AXIS_DEPTH = 50; // where dense and thin books share an axis
const FULL_DEPTH = 200; // all there is: charts, wide rows and walks through books
const SLOW_MS = 250; // the matrix and small screens
const FAST_MS = 100; // the focused instrument

/**
 * @param {object} view
 * @param {string} view.instrument the focused one
 * @param {string[]} view.venues those that list it
 * @param {string[]} view.instruments all names
 * @param {Set<string>} view.panels the visible ones: market ladder books trades depth edges latency
 * @param {boolean} view.hidden the tab is in the background
 * @param {boolean} view.small one panel at a time
 * @param {boolean} [view.grouped] rows hold several prices, so that more of them are needed
 * @returns {Map<string, {depth: number, rate_ms: number}>}
 */
export function channels({ instrument, venues, instruments, panels, hidden, small, grouped = false }) {
  const wanted = new Map([["status", { depth: DEPTH, rate_ms: SLOW_MS }]]);
  if (hidden) return wanted;
  const add = (ch, rate_ms, depth = DEPTH) => wanted.set(ch, { depth, rate_ms });
  const rate = small ? SLOW_MS : FAST_MS;
  const shown = panels.has("market") || panels.has("edges") ? instruments : [instrument];
  const walked = panels.has("depth") || panels.has("edges");
  const bookDepth = walked || grouped ? FULL_DEPTH : AXIS_DEPTH;
  for (const name of shown) add(`bbo:*:${name}`, SLOW_MS);
  if (panels.has("ladder")) add(`cbook:${instrument}`, rate, grouped ? FULL_DEPTH : DEPTH);
  if (panels.has("books") || walked) for (const venue of venues) add(`book:${venue}:${instrument}`, rate, bookDepth);
  if (panels.has("trades")) add(`trades:*:${instrument}`, rate);
  if (panels.has("latency")) add("metrics", SLOW_MS);
  return wanted;
}
