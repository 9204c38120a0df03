/** The depth chart's geometry: how much stands within how many basis points of the middle. Pure; floats are for pixels only. */

import { toText, toUnits } from "./decimals.js";

/** The nearest distance an axis begins at, in bps; what is nearer stands at the middle line. */
export const NEAREST_BPS = 0.1;
const ENDS = [1, 1.5, 2, 3, 5, 7, 10]; // where an axis may end, and their powers of ten
const DECADE_MARKS = [1, 2, 5];

/**
 * One side of one book as steps outward from the middle.
 * @param {Array<{price: string, size: string}>} levels best first
 * @param {"bids"|"asks"} side
 * @param {bigint} twiceMid best bid plus best ask, in price units
 * @param {{price: number, size: number}} decimals
 * @returns {{bps: Float64Array, sums: Array<bigint>}} distance of each level, and the exact size up to it
 */
export function steps(levels, side, twiceMid, decimals) {
  const bps = new Float64Array(levels.length);
  const sums = [];
  let sum = 0n;
  levels.forEach((level, index) => {
    const offset = 2n * toUnits(level.price, decimals.price) - twiceMid;
    bps[index] = Math.max(0, (Number(side === "bids" ? -offset : offset) / Number(twiceMid)) * 10_000);
    sums.push((sum += toUnits(level.size, decimals.size)));
  });
  return { bps, sums };
}

/** The size within this distance, in units. */
export function within({ bps, sums }, distance) {
  let [low, high] = [0, bps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (bps[middle] <= distance) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? 0n : sums[low - 1];
}

/**
 * Where a distance stands between the middle (0) and the edge (1), on a logarithmic scale.
 * @param {number} bps
 * @param {{nearest: number, furthest: number}} span
 */
export function position(bps, { nearest, furthest }) {
  if (bps <= nearest) return 0;
  return Math.min(1, Math.log(bps / nearest) / Math.log(furthest / nearest));
}

/** The distance that stands there. */
export function distanceAt(position, { nearest, furthest }) {
  return nearest * (furthest / nearest) ** Math.max(0, Math.min(1, position));
}

/** Marks of a logarithmic axis: 0.1 0.2 0.5 1 2 5 ... within the span. */
export function marks({ nearest, furthest }) {
  const found = [];
  for (let decade = NEAREST_BPS; decade <= furthest * 1.001; decade *= 10) {
    for (const step of DECADE_MARKS) found.push(Number((decade * step).toPrecision(1)));
  }
  return found.filter((bps) => bps >= nearest && bps <= furthest);
}

/** The least round number that is not less: one of these times a power of ten. */
export function roundUp(value, steps = [1, 2, 5, 10]) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return Number((steps.find((step) => step * power >= value * (1 - 1e-12)) * power).toPrecision(2));
}

/**
 * The span of the chart: round distances that hold all levels, kept while they still fit.
 * @param {Array<Float64Array>} sides the distances of each book's levels
 * @param {{nearest: number, furthest: number}} before what it was: it narrows only by half, so that it does not flicker
 */
export function spanOf(sides, before) {
  const held = sides.filter((bps) => bps.length);
  const furthest = roundUp(Math.max(1, ...held.map((bps) => bps[bps.length - 1])), ENDS);
  const nearest = Math.max(NEAREST_BPS, roundUp(Math.min(furthest / 10, ...held.map((bps) => bps[0])) / 2.5));
  return {
    furthest: furthest > before.furthest || furthest < before.furthest / 2 ? furthest : before.furthest,
    nearest: nearest < before.nearest || nearest > before.nearest * 5 ? nearest : before.nearest,
  };
}

/**
 * What the pointer reads: by venue and in all, what stands within the distance, exact.
 * @param {Map<string, {bids: object, asks: object}>} books steps by venue
 * @param {"bids"|"asks"} side
 * @param {number} distance in bps
 * @param {number} decimals of sizes
 * @returns {Array<{venue: string, size: string, reaches: boolean}>} the last is the sum, as venue ""
 */
export function reading(books, side, distance, decimals) {
  let total = 0n;
  const lines = [...books].map(([venue, book]) => {
    const size = within(book[side], distance);
    total += size;
    return { venue, size: toText(size, decimals), reaches: reachesTo(book[side]) >= distance };
  });
  return [...lines, { venue: "", size: toText(total, decimals), reaches: lines.every((line) => line.reaches) }];
}

/** How far from the middle a book's known levels go. */
export function reachesTo({ bps }) {
  return bps.length ? bps[bps.length - 1] : 0;
}
