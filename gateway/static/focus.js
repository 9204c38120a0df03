/** The focused instrument: its consolidated ladder and its venues' books, kept from their frames. Pure. */

import { APPLIED, Book } from "./books.js";

export class Focus {
  /**
   * @param {string} instrument
   * @param {string[]} venues those that list it
   */
  constructor(instrument, venues) {
    this.instrument = instrument;
    this.venues = venues;
    this.ladder = new Book();
    this.quote = null;
    this.inputs = {};
    this.books = new Map(venues.map((venue) => [venue, new Book()]));
    this.refusals = new Map();
    this.resyncs = { gap: 0, checksum: 0 };
  }

  /** The channel of the consolidated ladder. */
  get ladderChannel() {
    return `cbook:${this.instrument}`;
  }

  /** The channel of one venue's book. */
  bookChannel(venue) {
    return `book:${venue}:${this.instrument}`;
  }

  /**
   * Take a snapshot or delta of one of this instrument's channels.
   * @returns {{venue: string, renew: boolean} | null} venue is "" for the ladder; null: not ours, or waiting
   */
  take(frame) {
    const venue = this.#venueOf(frame.ch);
    const book = venue === "" ? this.ladder : this.books.get(venue);
    if (!book || (frame.t === "d" && book.sequence === null)) return null;
    const verdict = book.take(frame);
    if (verdict !== APPLIED) {
      this.resyncs[verdict] += 1;
      book.clear();
    }
    this.refusals.delete(frame.ch);
    if (venue === "") this.#takeQuote(frame);
    return { venue, renew: verdict !== APPLIED };
  }

  /** A book of ours was found wrong and asked for again: nothing of it is shown until it has come. */
  renewed(channel) {
    const venue = this.#venueOf(channel);
    (venue === "" ? this.ladder : this.books.get(venue))?.clear();
  }

  /** Keep why a channel was refused, to be said in its place; false when it is not one of ours. */
  takeRefusal({ ch, code, msg }) {
    if (this.#venueOf(ch) === undefined) return false;
    this.refusals.set(ch, `${msg ?? "refused"} (${code})`);
    return true;
  }

  #venueOf(channel) {
    if (channel === this.ladderChannel) return "";
    const [kind, venue, instrument] = channel.split(":");
    return kind === "book" && instrument === this.instrument ? venue : undefined;
  }

  #takeQuote(frame) {
    if (frame.q) this.quote = frame.q;
    if (frame.v) this.inputs = frame.v;
  }
}
