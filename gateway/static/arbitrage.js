/**
 * Buy on one venue, sell on another, at once: what is left per unit after both fees, and for how
 * much of both books it lasts. One instrument only: another quote currency is another instrument.
 * Pure, in integers.
 */

import { toText, toUnits } from "./decimals.js";
import { bpsText } from "./impact.js";

const FEE_PLACES = 4; // of a basis point: finer than any venue's schedule
const ONE = 10n ** BigInt(FEE_PLACES + 4); // the whole, in ten-thousandths of a basis point

/** A pair is judged only while both books spoke this lately. */
export const OLDEST_MS = 2_000;

/** A fee in basis points as a whole number of ONE; unset is none. */
export function feeUnits(feeBps) {
  return feeBps === null || feeBps === undefined ? 0n : toUnits(String(feeBps), FEE_PLACES);
}

/**
 * Walk both books while a unit more still pays.
 * @param {Array<{price: string, size: string}>} asks of the venue to buy on, best first
 * @param {Array<{price: string, size: string}>} bids of the venue to sell on
 * @param {{buy: number|string|null, sell: number|string|null}} fees taker fees in bps
 * @param {{price: number, size: number}} decimals
 * @returns {{edge: string, pays: boolean, size: string, profit: string, cost: string, isWhole: boolean} | null}
 *     edge of the first unit in bps of its cost; size at which it is gone; isWhole false: gone only beyond the levels given
 */
export function walk(asks, bids, fees, decimals) {
  if (!asks[0] || !bids[0]) return null;
  const [up, down] = [ONE + feeUnits(fees.buy), ONE - feeUnits(fees.sell)];
  const paid = (level) => toUnits(level.price, decimals.price) * up;
  const got = (level) => toUnits(level.price, decimals.price) * down;
  const edge = bpsText(got(bids[0]) - paid(asks[0]), paid(asks[0]));
  const sums = crossing(asks, bids, { paid, got }, decimals.size);
  const places = decimals.price + decimals.size;
  return {
    edge,
    pays: sums.size > 0n,
    size: toText(sums.size, decimals.size),
    profit: toText((sums.got - sums.paid) / ONE, places), // towards zero: never more than there is
    cost: toText(sums.paid / ONE, places),
    isWhole: sums.isWhole,
  };
}

function crossing(asks, bids, { paid, got }, decimals) {
  const sums = { size: 0n, paid: 0n, got: 0n, isWhole: true };
  let [ask, bid] = [0, 0];
  let [offered, wanted] = [toUnits(asks[0].size, decimals), toUnits(bids[0].size, decimals)];
  while (got(bids[bid]) > paid(asks[ask])) {
    const size = offered < wanted ? offered : wanted;
    sums.size += size;
    sums.paid += paid(asks[ask]) * size;
    sums.got += got(bids[bid]) * size;
    offered -= size;
    wanted -= size;
    if (offered === 0n) ask += 1;
    if (wanted === 0n) bid += 1;
    if (!asks[ask] || !bids[bid]) return { ...sums, isWhole: false };
    if (offered === 0n) offered = toUnits(asks[ask].size, decimals);
    if (wanted === 0n) wanted = toUnits(bids[bid].size, decimals);
  }
  return sums;
}

/**
 * Why a pair must not be shown as an opportunity, or "".
 * @param {Array<{venue: string, state: string, flags: string[], ageMs: number|null}>} both
 */
export function barred(both) {
  for (const { venue, state, flags, ageMs } of both) {
    if (state !== "live") return `${venue} is ${state}`;
    if (flags.includes("crossed")) return `${venue} is crossed in itself`;
    if (ageMs === null || ageMs > OLDEST_MS) return `${venue} is ${ageMs === null ? "not heard of yet" : `${(ageMs / 1000).toFixed(1)} s old`}`;
  }
  return "";
}

/** What to say beside an edge: which quotes nothing verifies, which came late, and whether fees are known. */
export function caveats(both, fees) {
  const said = both.flatMap(({ venue, flags }) => flags.filter((flag) => flag === "unverified" || flag === "late").map((flag) => `${venue} ${flag}`));
  const unset = both.filter(({ venue }) => fees.get(venue) === null || fees.get(venue) === undefined).map(({ venue }) => venue);
  return unset.length ? [...said, `gross of ${unset.join(" and ")} fee`] : said;
}

/** The parts of an instrument's name: BTC-USDT is BTC, priced in USDT. */
export function currencies(instrument) {
  const at = instrument.lastIndexOf("-");
  return { base: instrument.slice(0, at), quote: instrument.slice(at + 1) };
}

/** Which other instruments trade the same base in another currency; they are named, never crossed. */
export function otherQuotes(instrument, names) {
  const { base } = currencies(instrument);
  return names.filter((name) => name !== instrument && currencies(name).base === base);
}
