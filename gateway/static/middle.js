/** The middle of the market as the books in sight show it, whatever else is subscribed. Pure. */

import { compare } from "./decimals.js";

/**
 * The best prices over all books given.
 * @param {Array<{bids: Array<{price: string}>, asks: Array<{price: string}>}>} books
 * @returns {{bid: string, ask: string} | null} null while there is no bid or no ask; bid may be above ask
 */
export function bestOf(books) {
  let [bid, ask] = [null, null];
  for (const { bids, asks } of books) {
    if (bids[0] && (bid === null || compare(bids[0].price, bid) > 0)) bid = bids[0].price;
    if (asks[0] && (ask === null || compare(asks[0].price, ask) < 0)) ask = asks[0].price;
  }
  return bid === null || ask === null ? null : { bid, ask };
}

/** The focused instrument's books that count: live, and not switched off. By venue. */
export function countedBooks({ focus, market, view }) {
  const counts = (venue) => !view.off.has(venue) && market.cell(focus.instrument, venue)?.state === "live";
  return new Map([...focus.books].filter(([venue]) => counts(venue)));
}
