/**
 * What is known of all books: best prices, state, flags and age per instrument and venue, the
 * consolidated quote per instrument, and whether Redis and the aggregator work. Pure.
 */

import { fractionDigits } from "./decimals.js";
import { History } from "./history.js";

const UNKNOWN = { state: "connecting", flags: [], ageMs: null, heardMs: 0, since: 0, why: "" };

/** @returns {string} the key of one book */
export function bookKey(instrument, venue) {
  return `${venue}:${instrument}`;
}

export class Market {
  constructor() {
    this.instruments = [];
    this.venues = [];
    this.cells = new Map();
    this.quotes = new Map();
    this.systems = new Map();
    this.places = new Map();
    this.checks = new Map();
    this.fees = new Map();
    this.histories = new Map();
  }

  /** @param {Array<{name: string, venues: string[]}>} instruments as REST gives them */
  load(instruments) {
    this.instruments = instruments;
    this.venues = [...new Set(instruments.flatMap((instrument) => instrument.venues))];
    for (const { name, venues } of instruments) {
      this.places.set(name, 0);
      for (const venue of venues) this.cells.set(bookKey(name, venue), { ...UNKNOWN });
    }
  }

  /** @param {Array<{name: string, detector: string|null, verified_depth: number|null}>} venues as REST gives them */
  loadChecks(venues) {
    this.fees = new Map(venues.map(({ name, fee_bps }) => [name, fee_bps ?? null]));
    this.checks = new Map(venues.filter(({ detector }) => detector).map((venue) => [venue.name, venue]));
  }

  /** The one book's record, or undefined where the venue does not list the instrument. */
  cell(instrument, venue) {
    return this.cells.get(bookKey(instrument, venue));
  }

  /** The instrument's own record. */
  instrument(name) {
    return this.instruments.find((instrument) => instrument.name === name);
  }

  /** Take a `bbo` message; latest wins. */
  takeBest(message, nowMs) {
    const instrument = message.ch.split(":").at(-1);
    for (const [venue, best] of Object.entries(message.v ?? {})) {
      const cell = this.takeState(instrument, venue, best, nowMs);
      if (!cell) continue;
      cell.bid = best.bid ?? null;
      cell.ask = best.ask ?? null;
      cell.bidSize = best.bid_size ?? null;
      cell.askSize = best.ask_size ?? null;
      this.#widen(instrument, cell.bid, cell.ask);
    }
    if (!message.q) return;
    this.quotes.set(instrument, message.q);
    if (message.q.mid) this.history(instrument).take(Number(message.q.mid), nowMs);
  }

  /** The last minute of an instrument's middle. */
  history(instrument) {
    if (!this.histories.has(instrument)) this.histories.set(instrument, new History());
    return this.histories.get(instrument);
  }

  /** Take a `status` message, of one book or of a part of the system. */
  takeStatus(message, nowMs) {
    if (message.sys) {
      this.systems.set(message.sys, { state: message.st, since: message.since, why: message.why ?? "" });
      return;
    }
    const cell = this.takeState(message.sym, message.ex, message, nowMs);
    if (cell) Object.assign(cell, { since: message.since ?? 0, why: message.why ?? "" });
  }

  /** Take state, flags and age from any message that carries them. */
  takeState(instrument, venue, { st, fl, age_ms }, nowMs) {
    const cell = this.cell(instrument, venue);
    if (!cell) return undefined;
    if (st !== undefined) {
      if (st !== cell.state) Object.assign(cell, { since: 0, why: "" });
      cell.state = st;
    }
    if (fl !== undefined) cell.flags = fl;
    if (age_ms !== undefined) Object.assign(cell, { ageMs: age_ms, heardMs: nowMs });
    return cell;
  }

  /** How old a book's last word is now, in milliseconds, or null. */
  age(cell, nowMs) {
    return cell.ageMs === null ? null : cell.ageMs + nowMs - cell.heardMs;
  }

  /** How many of a venue's books are live and how many verified, of how many; and the worst other state. */
  liveOf(venue) {
    const cells = this.instruments.map(({ name }) => this.cell(name, venue)).filter(Boolean);
    const others = cells.filter((cell) => cell.state !== "live");
    const verified = cells.filter((cell) => this.isVerified(venue, cell)).length;
    return { live: cells.length - others.length, verified, all: cells.length, state: others[0]?.state ?? "live" };
  }

  /** Whether a loss in this book's feed would be seen: it is live, its venue has a detector, and nothing says it failed. */
  isVerified(venue, cell) {
    const { detector = "none" } = this.checks.get(venue) ?? {};
    return cell.state === "live" && detector !== "none" && !cell.flags.includes("unverified");
  }

  /** The venues that show the highest bid and the lowest ask among live books. */
  bestVenues(instrument) {
    const quote = this.quotes.get(instrument);
    const best = { bid: new Set(), ask: new Set() };
    for (const venue of this.instrument(instrument)?.venues ?? []) {
      const cell = this.cell(instrument, venue);
      if (cell.state !== "live" || !quote) continue;
      if (quote.bid !== null && cell.bid === quote.bid) best.bid.add(venue);
      if (quote.ask !== null && cell.ask === quote.ask) best.ask.add(venue);
    }
    return best;
  }

  /** Price places only grow, so that columns do not jump. */
  #widen(instrument, ...prices) {
    for (const price of prices) {
      if (!price) continue;
      const places = fractionDigits(price);
      if (places > (this.places.get(instrument) ?? 0)) this.places.set(instrument, places);
    }
  }
}
