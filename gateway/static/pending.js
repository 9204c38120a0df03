/**
 * What the page has yet to hear, merged so that it hears each thing once: of a book one frame from where the
 * page is to where the book is, of best prices the latest, of trades all up to a bound. The page applies what it
 * gets by the protocol's own rules, and does not know that anything was merged. Pure.
 */

const TRADES_KEPT = 400; // as many as the tape holds
const OTHERS_KEPT = 2_000; // states, answers, beats: rare, and a page reads them many times a second
const LATEST = new Set(["bbo", "metrics", "hb"]);

export class Pending {
  #entries = new Map();
  #others = [];

  get isEmpty() {
    return this.#entries.size === 0 && this.#others.length === 0;
  }

  /**
   * Take one message that the client has applied.
   * @param {object} message
   * @param {number} heardMs
   * @param {Book} [book] its book, of `snap` and `d`
   */
  take(message, heardMs, book) {
    if (book) this.#takeBook(message, heardMs, book);
    else if (message.t === "trades") this.#takeTrades(message, heardMs);
    else if (LATEST.has(message.t)) this.#takeLatest(message, heardMs);
    else this.#others.push({ message, heardMs });
    if (this.#others.length > OTHERS_KEPT) this.#others.shift(); // the newest of a book's states is the one that holds
  }

  /** The page has nothing of this book: the next it hears is all of it. No frame came now, so there are no instants. */
  whole(channel, book, heardMs) {
    if (book.sequence === null) return;
    const { ts, ...about } = book.about;
    this.#entries.set(channel, { message: about, heardMs, book, isWhole: true });
  }

  /** The book is not to be shown as it was pending: it waits for its snapshot. */
  drop(channel) {
    this.#entries.delete(channel);
  }

  /** @returns {Array<{message: object, heardMs: number}>} all of it, oldest news' instants; then there is nothing pending */
  drain() {
    const found = [...this.#others, ...[...this.#entries.values()].map(told)];
    this.#entries.clear();
    this.#others = [];
    return found;
  }

  #takeBook(message, heardMs, book) {
    const before = this.#entries.get(message.ch);
    if (!before || message.t === "snap") this.#entries.set(message.ch, { message, heardMs, book });
    else this.#entries.set(message.ch, merged(before, message));
  }

  #takeTrades(message, heardMs) {
    const before = this.#entries.get(message.ch);
    if (!before) return this.#entries.set(message.ch, { message, heardMs });
    const rows = [...before.message.x, ...message.x];
    const kept = rows.slice(-TRADES_KEPT);
    const drop = (before.message.drop ?? 0) + (message.drop ?? 0) + rows.length - kept.length;
    const gap = (before.message.gap ?? 0) + (message.gap ?? 0);
    return (before.message = { ...message, p: before.message.p, x: kept, drop, gap });
  }

  #takeLatest(message, heardMs) {
    const key = message.ch ?? message.t;
    const before = this.#entries.get(key);
    const n = (before?.message.n ?? 0) + (message.n ?? 0);
    this.#entries.set(key, { message: before && message.t === "bbo" ? { ...message, n, p: before.message.p } : message, heardMs });
  }
}

/** One frame for two: the sizes of the later one hold; the instants are of the first, so that no age is flattered. */
function merged(before, message) {
  const all = { ...before.message, ...message, ts: before.message.ts };
  if (message.crc === undefined) delete all.crc;
  if (before.isWhole || before.message.t === "snap") return { ...before, message: all, isWhole: true };
  const sides = before.sides ?? { b: byPrice(before.message.b), a: byPrice(before.message.a) };
  for (const side of ["b", "a"]) for (const level of message[side] ?? []) sides[side].set(level[0], level);
  all.p = before.message.p;
  all.n = (before.message.n ?? 0) + (message.n ?? 0);
  return { ...before, message: all, sides };
}

function byPrice(levels = []) {
  return new Map(levels.map((level) => [level[0], level]));
}

function told({ message, heardMs, book, isWhole, sides }) {
  if (isWhole) return { message: snapshot(message, book), heardMs };
  if (!sides) return { message, heardMs };
  return { message: { ...message, b: [...sides.b.values()], a: [...sides.a.values()] }, heardMs };
}

/** The whole book as the protocol has it. */
function snapshot(message, book) {
  const levels = (side) => side.map(({ price, size, venues }) => (venues ? [price, size, venues] : [price, size]));
  return { ...message, ...book.about, ts: message.ts, t: "snap", e: book.epoch, s: book.sequence, b: levels(book.bids), a: levels(book.asks) };
}
