/** What it costs to take a book down to a level: sums, average price and slippage, in integers. Pure. */

import { padZeros, toText, toUnits } from "./decimals.js";

const EXTRA_PLACES = 2; // digits of an average price beyond those of prices
const BPS = 10_000n;

/** One whole number divided by another, to the nearest, halves away from zero. */
export function divideRounded(dividend, divisor) {
  const sign = dividend < 0n !== divisor < 0n ? -1n : 1n;
  const [top, bottom] = [dividend < 0n ? -dividend : dividend, divisor < 0n ? -divisor : divisor];
  return (sign * (2n * top + bottom)) / (2n * bottom) + 0n;
}

/** A ratio in basis points to two places, as text: 12.34. */
export function bpsText(dividend, divisor) {
  return padZeros(toText(divideRounded(dividend * BPS * 100n, divisor), 2), 2);
}

/**
 * Take everything from the best price down to `limit`, which is taken, too.
 * @param {Array<{price: string, size: string}>} levels best first
 * @param {"bids"|"asks"} side
 * @param {string} limit
 * @param {{price: number, size: number}} decimals
 * @returns {{base: string, quote: string, average: string, isExact: boolean, slippage: string, levels: number} | null}
 *     sums are exact; `average` is rounded unless `isExact`; slippage in bps of the best price, worse is positive
 */
export function impactTo(levels, side, limit, decimals) {
  const bound = toUnits(limit, decimals.price);
  let [base, quote, count] = [0n, 0n, 0];
  for (const level of levels) {
    const price = toUnits(level.price, decimals.price);
    if (side === "bids" ? price < bound : price > bound) break;
    const size = toUnits(level.size, decimals.size);
    base += size;
    quote += price * size;
    count += 1;
  }
  return base === 0n ? null : { ...worded(base, quote, levels[0], side, decimals), levels: count };
}

function worded(base, quote, best, side, { price, size }) {
  const top = toUnits(best.price, price);
  const finer = 10n ** BigInt(EXTRA_PLACES);
  const worse = side === "bids" ? top * base - quote : quote - top * base;
  return {
    base: toText(base, size),
    quote: toText(quote, price + size),
    average: toText(divideRounded(quote * finer, base), price + EXTRA_PLACES),
    isExact: (quote * finer) % base === 0n,
    slippage: bpsText(worse, top * base),
  };
}

/**
 * The sum of price times size down to each level, best first, exact.
 * @param {Array<{price: string, size: string}>} levels
 * @param {{price: number, size: number}} decimals
 * @returns {string[]}
 */
export function quoteTotals(levels, { price, size }) {
  let sum = 0n;
  return levels.map((level) => toText((sum += toUnits(level.price, price) * toUnits(level.size, size)), price + size));
}
