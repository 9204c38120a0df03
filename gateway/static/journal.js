/** What has gone wrong as far as this page heard: by book, by channel and of the connection. Pure. */

const CHANGES_KEPT = 200;
const MESSAGES_KEPT = 50;

export class Journal {
  constructor() {
    this.books = new Map();
    this.changes = [];
    this.renewals = new Map();
    this.droppedTrades = 0;
    this.skippedTicks = 0;
    this.connects = 0;
    this.messages = [];
    this.heard = 0;
    this.isListening = false;
    this.isPaused = false;
  }

  /** Take any message of the gateway; the newest are kept as they are only while somebody looks. */
  take(message, nowMs) {
    this.heard += 1;
    if (message.t === "hello") this.connects += 1;
    else if (message.t === "status" && message.ex) this.#takeStatus(message, nowMs);
    else if (message.t === "trades") this.droppedTrades += message.drop ?? 0;
    else if (message.t === "lag") this.skippedTicks += message.skipped ?? 0;
    if (!this.isListening || this.isPaused) return;
    this.messages.unshift(message);
    this.messages.length = Math.min(this.messages.length, MESSAGES_KEPT);
  }

  /** A book was asked for again: a gap in its frames, or a checksum that did not fit. */
  renewed(channel, why) {
    const counts = this.renewals.get(channel) ?? { gap: 0, checksum: 0 };
    counts[why] += 1;
    this.renewals.set(channel, counts);
  }

  /** How often the page had to come back: the first time is not one. */
  get reconnects() {
    return Math.max(0, this.connects - 1);
  }

  #takeStatus({ ex, sym, st, why, since }, nowMs) {
    const name = `${ex}:${sym}`;
    const book = this.books.get(name) ?? { state: null, losses: 0, reasons: {}, last: "", sinceUs: 0 };
    this.books.set(name, book);
    if (book.state === st) return;
    const isLoss = book.state === "live";
    if (isLoss) {
      book.losses += 1;
      book.last = why || st;
      book.reasons[book.last] = (book.reasons[book.last] ?? 0) + 1;
    }
    if (book.state !== null) this.#change({ book: name, from: book.state, to: st, why: why ?? "", sinceUs: since ?? 0, heardMs: nowMs });
    Object.assign(book, { state: st, sinceUs: since ?? 0 });
  }

  #change(change) {
    this.changes.unshift(change);
    this.changes.length = Math.min(this.changes.length, CHANGES_KEPT);
  }

  /** All of it as plain data, to be copied into a report. */
  report() {
    return {
      heard: this.heard,
      reconnects: this.reconnects,
      skipped_ticks: this.skippedTicks,
      dropped_trades: this.droppedTrades,
      renewed: Object.fromEntries(this.renewals),
      books: Object.fromEntries(this.books),
      changes: this.changes,
      messages: this.messages,
    };
  }
}
