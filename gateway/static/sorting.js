/** In which order the market matrix lists its instruments. Pure. */

/** The orders there are; the first is the one of the settings. */
export const ORDERS = ["as listed", "crossed first", "widest first", "stalest first"];

/**
 * @param {string[]} names as listed
 * @param {string} order one of ORDERS
 * @param {Market} market
 * @param {number} nowMs
 * @returns {string[]}
 */
export function sortedNames(names, order, market, nowMs) {
  if (order === ORDERS[0]) return names;
  const keys = new Map(names.map((name) => [name, weight(name, order, market, nowMs)]));
  return [...names].sort((one, other) => keys.get(other) - keys.get(one));
}

/** What is to come first has more of it. */
function weight(name, order, market, nowMs) {
  const quote = market.quotes.get(name);
  const spread = quote?.mid ? (Number(quote.ask) - Number(quote.bid)) / Number(quote.mid) : 0;
  if (order === "crossed first") return -spread;
  if (order === "widest first") return spread;
  const cells = market.instrument(name).venues.map((venue) => market.cell(name, venue));
  const ages = cells.map((cell) => (cell.state === "live" ? (market.age(cell, nowMs) ?? 0) : Number.MAX_SAFE_INTEGER));
  return Math.max(0, ...ages);
}
