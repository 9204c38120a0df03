/**
 * Books kept from snapshots and deltas, pure: frames in, levels and verdicts out.
 *
 * A level is {price, size, venues?}: the texts as sent, and for the consolidated ladder who quotes
 * how much. Sides are arrays, best first. A delta carries absolute sizes; "0" deletes.
 */

import { crc32 } from "./crc32.js";
import { compare } from "./decimals.js";

const CHECKED_LEVELS = 10; // the protocol's checksum covers the ten best of each side

/** Why a frame was not applied: the caller subscribes again. */
export const GAP = "gap";
export const MISMATCH = "checksum";
export const APPLIED = "applied";

/** @param {Array} wire [price, size] or [price, size, venues] */
function toLevel(wire) {
  return { price: wire[0], size: wire[1], venues: wire[2] ?? null };
}

/** One subscribed book: `sequence` is null until its snapshot has come. */
export class Book {
  constructor() {
    this.sequence = null;
    this.epoch = null;
    this.bids = [];
    this.asks = [];
    this.stamps = {};
    this.merged = 0;
  }

  /**
   * Replace everything by a snapshot, or apply a delta that continues it.
   * @param {object} frame a `snap` or `d` message
   * @returns {string} APPLIED, GAP or MISMATCH
   */
  take(frame) {
    if (frame.t === "snap") this.#load(frame);
    else if (this.sequence === null || frame.p !== this.sequence) return GAP;
    else this.#apply(frame);
    this.sequence = frame.s;
    this.epoch = frame.e ?? this.epoch;
    this.stamps = frame.ts ?? {};
    if (frame.crc === undefined || frame.crc === null) return APPLIED;
    return checksum(this.bids, this.asks) === frame.crc ? APPLIED : MISMATCH;
  }

  /** Forget the levels; deltas are refused until a snapshot comes. */
  clear() {
    this.sequence = null;
    this.bids = [];
    this.asks = [];
  }

  #load(frame) {
    this.bids = (frame.b ?? []).map(toLevel);
    this.asks = (frame.a ?? []).map(toLevel);
    this.merged = 0;
  }

  #apply(frame) {
    for (const wire of frame.b ?? []) place(this.bids, toLevel(wire), -1);
    for (const wire of frame.a ?? []) place(this.asks, toLevel(wire), 1);
    this.merged = frame.n ?? 1;
  }
}

/**
 * Put one level into a side, best first.
 * @param {Array} side changed in place
 * @param {object} level size "0" removes
 * @param {number} order 1 where the lowest price is best, -1 where the highest is
 */
export function place(side, level, order) {
  let low = 0;
  let high = side.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compare(side[middle].price, level.price) * order < 0) low = middle + 1;
    else high = middle;
  }
  const found = low < side.length && compare(side[low].price, level.price) === 0;
  if (level.size === "0") side.splice(low, found ? 1 : 0);
  else side.splice(low, found ? 1 : 0, level);
}

/**
 * The protocol's checksum: "price:size" of the ten best bids, then asks, best first, joined by "|".
 * @param {Array} bids
 * @param {Array} asks
 */
export function checksum(bids, asks) {
  const best = [...bids.slice(0, CHECKED_LEVELS), ...asks.slice(0, CHECKED_LEVELS)];
  return crc32(best.map((level) => `${level.price}:${level.size}`).join("|"));
}
