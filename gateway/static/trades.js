/** What the tape holds, newest first, and which of it is shown: by venue and value, bursts as one. Pure. */

import { compare, fractionDigits, toText, toUnits } from "./decimals.js";
import { counted } from "./words.js";

const KEPT = 400; // held back to fill the tape when a filter is set

export class Trades {
  constructor() {
    this.entries = [];
    this.sequence = null;
    this.sizePlaces = 0;
    this.heard = 0;
  }

  /** Take one `trades` message; a hole in `p` or a `drop` becomes an entry of its own. */
  take(message) {
    const hole = this.sequence !== null && message.p !== null && message.p !== undefined && message.p !== this.sequence;
    const dropped = message.drop ?? 0;
    if (dropped > 0) this.#add({ note: `${counted(dropped, "trade")} dropped: this page was too slow` });
    else if (hole || message.gap > 0) this.#add({ note: "trades may be missing here" });
    for (const [us, price, size, taker, , venue] of message.x ?? []) {
      this.sizePlaces = Math.max(this.sizePlaces, fractionDigits(size));
      this.heard += 1;
      this.#add({ us, price, size, taker, venue });
    }
    this.sequence = message.s;
    this.entries.length = Math.min(this.entries.length, KEPT);
  }

  #add(entry) {
    this.entries.unshift(entry);
  }
}

/** Price times size, exact. */
export function notional({ price, size }) {
  const [places, more] = [fractionDigits(price), fractionDigits(size)];
  return toText(toUnits(price, places) * toUnits(size, more), places + more);
}

/**
 * Entries with the trades of one burst as one: same venue, same side, same millisecond.
 * @param {Array} entries newest first
 * @returns {Array} a merged one has `count`, the newest price, and in `from` the oldest
 */
export function merged(entries) {
  const found = [];
  for (const entry of entries) {
    const last = found.at(-1);
    if (!isSameBurst(last, entry)) found.push(entry);
    else found[found.length - 1] = { ...last, size: sum(last.size, entry.size), from: entry.price, count: (last.count ?? 1) + 1 };
  }
  return found;
}

function isSameBurst(one, other) {
  if (!one || one.note || other.note) return false;
  return one.venue === other.venue && one.taker === other.taker && Math.trunc(one.us / 1000) === Math.trunc(other.us / 1000);
}

function sum(one, other) {
  const places = Math.max(fractionDigits(one), fractionDigits(other));
  return toText(toUnits(one, places) + toUnits(other, places), places);
}

/**
 * What passes: notes always, for they tell of a loss.
 * @param {{venue: string, least: string}} filter "" is any venue; least notional as decimal text
 */
export function passes(entry, { venue, least }) {
  if (entry.note) return true;
  if (venue && entry.venue !== venue) return false;
  return least === "0" || compare(notional(entry), least) >= 0;
}
