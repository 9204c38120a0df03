/** Prices grouped into steps, in integers: bids round down, asks up, so that no price looks better than it is. Pure. */

import { toText, toUnits } from "./decimals.js";

/** How many ticks one row may hold. */
export const MULTIPLES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/**
 * The step of one multiple, in price units of 10 ** -decimals.
 * @param {number} multiple of the tick
 * @param {number} places digits after the point that this instrument's prices use: its tick is 10 ** -places
 * @param {number} decimals
 */
export function stepUnits(multiple, places, decimals) {
  return BigInt(multiple) * 10n ** BigInt(Math.max(0, decimals - places));
}

/** The row a price belongs to, in units: at or below it for bids, at or above it for asks. */
export function rowOf(price, side, step) {
  return (side === "bids" ? price / step : (price + step - 1n) / step) * step;
}

/**
 * Levels of one side, best first, as rows of the step: sizes and who quotes them add up exactly.
 * @param {Array<{price: string, size: string, venues: object|null}>} levels
 * @param {"bids"|"asks"} side
 * @param {{step: bigint, price: number, size: number}} scale step in price units; decimals of prices and sizes
 * @returns {Array<{price: string, size: string, venues: object|null}>}
 */
export function grouped(levels, side, scale) {
  const rows = [];
  let last = null;
  for (const level of levels) {
    const price = rowOf(toUnits(level.price, scale.price), side, scale.step);
    if (last?.price !== price) rows.push((last = { price, size: 0n, venues: level.venues && new Map() }));
    last.size += toUnits(level.size, scale.size);
    for (const [venue, size] of Object.entries(level.venues ?? {})) {
      last.venues.set(venue, (last.venues.get(venue) ?? 0n) + toUnits(size, scale.size));
    }
  }
  return rows.map((row) => texts(row, scale));
}

function texts({ price, size, venues }, scale) {
  const quoted = venues && Object.fromEntries([...venues].map(([venue, units]) => [venue, toText(units, scale.size)]));
  return { price: toText(price, scale.price), size: toText(size, scale.size), venues: quoted };
}

/**
 * Levels without the venues that are switched off; a level nobody else quotes is gone.
 * @param {Array} levels of a consolidated ladder
 * @param {Set<string>} off
 * @param {number} decimals of sizes
 */
export function without(levels, off, decimals) {
  if (off.size === 0) return levels;
  return levels.flatMap((level) => {
    const venues = Object.fromEntries(Object.entries(level.venues ?? {}).filter(([venue]) => !off.has(venue)));
    const size = Object.values(venues).reduce((sum, text) => sum + toUnits(text, decimals), 0n);
    return size > 0n ? [{ price: level.price, size: toText(size, decimals), venues }] : [];
  });
}

/**
 * The smallest multiple at which this many rows reach as far as every span.
 * @param {Array<bigint>} spans distances from the middle that should be seen, in price units
 * @param {number} rows on each side of the middle
 * @param {function(number): bigint} step of a multiple
 */
export function fittingMultiple(spans, rows, step) {
  const furthest = spans.reduce((most, span) => (span > most ? span : most), 0n);
  return MULTIPLES.find((multiple) => step(multiple) * BigInt(rows) >= furthest) ?? MULTIPLES.at(-1);
}

/** The next multiple up (1) or down (-1), or the same at the end. */
export function nextMultiple(multiple, direction) {
  return MULTIPLES[Math.max(0, Math.min(MULTIPLES.length - 1, MULTIPLES.indexOf(multiple) + direction))];
}
