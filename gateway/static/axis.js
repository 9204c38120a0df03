/** Several books on one price axis: the same row is the same price for every venue. Pure. */

import { toText, toUnits } from "./decimals.js";
import { rowOf } from "./grouping.js";

/**
 * One book's sizes by row of the axis, as far as the axis goes.
 * @param {Array<{price: string, size: string}>} levels
 * @param {"bids"|"asks"} side
 * @param {{step: bigint, price: number, size: number}} scale
 * @param {bigint} end the furthest row, for this side
 * @returns {Map<bigint, bigint>} row to size, in units
 */
export function rowSizes(levels, side, scale, end) {
  const sizes = new Map();
  for (const level of levels) {
    const row = rowOf(toUnits(level.price, scale.price), side, scale.step);
    if (side === "bids" ? row < end : row > end) break;
    sizes.set(row, (sizes.get(row) ?? 0n) + toUnits(level.size, scale.size));
  }
  return sizes;
}

/** The row nearest to the middle of the two best prices. */
export function middleRow(bid, ask, scale) {
  const twice = toUnits(bid, scale.price) + toUnits(ask, scale.price);
  return ((twice + scale.step) / (2n * scale.step)) * scale.step;
}

/**
 * The axis from the highest price down, with each venue's size at it.
 * @param {Map<string, {bids: Array, asks: Array}>} books
 * @param {bigint} centre the middle row, in price units
 * @param {number} count of rows
 * @param {{step: bigint, price: number, size: number}} scale
 * @returns {{rows: Array<{price: string, cells: Array<{side: string, size: string, share: number}|null>}>, peak: bigint}}
 */
export function axis(books, centre, count, scale) {
  const first = centre + scale.step * BigInt(Math.floor(count / 2));
  const ends = { asks: first, bids: first - scale.step * BigInt(count - 1) };
  const sides = [...books.values()].map((book) => ["asks", "bids"].map((side) => [side, rowSizes(book[side], side, scale, ends[side])]));
  const prices = Array.from({ length: count }, (_, index) => first - scale.step * BigInt(index));
  let peak = 1n;
  for (const price of prices) for (const both of sides) for (const [, sizes] of both) if ((sizes.get(price) ?? 0n) > peak) peak = sizes.get(price);
  const rows = prices.map((price) => ({ price: toText(price, scale.price), cells: sides.map((both) => cell(both, price, peak, scale.size)) }));
  return { rows, peak };
}

/** A row holds one side of a venue; where a step is so wide that both fall into it, the larger is shown and the other said. */
function cell(both, price, peak, decimals) {
  const held = both.flatMap(([side, sizes]) => (sizes.has(price) ? [{ side, units: sizes.get(price) }] : []));
  if (held.length === 0) return null;
  const [most, other] = held.length > 1 && held[1].units > held[0].units ? [held[1], held[0]] : held;
  const share = Math.sqrt(Number(most.units) / Number(peak));
  return { side: most.side, size: toText(most.units, decimals), share, also: other ? toText(other.units, decimals) : "" };
}
