/**
 * A client of the gateway for pages, workers and programs: no document needed. It connects, subscribes,
 * keeps exact books, comes back after a loss and goes on where it was.
 *
 *   import { Client } from "./client.js";
 *   const client = new Client("ws://127.0.0.1:8080/ws/v1", {
 *     onMessage: (message, heardMs) => {},  // every message, as docs/gateway.md has them; of books those that applied
 *     onState: (client) => {},              // client.state: connecting, open, waiting or refused; .since .reason .rttMs
 *   });
 *   client.want(new Map([["book:kraken:BTC-USD", { depth: 25, rate_ms: 100 }]]));
 *   client.open();
 *   client.book("book:kraken:BTC-USD");  // { bids: [{price, size, venues}], asks, sequence, epoch, about }: best first,
 *                                        // texts, exact; `about` is what its frames said last: st, fl, ts, v, q
 *
 * Of losses: `want` holds over reconnects. A book whose frames leave a gap, or whose checksum does not fit,
 * is emptied and asked for again; `onMessage` hears `{t: "renewed", ch, why: "gap" | "checksum"}`. After a
 * reconnect each channel is asked for from its last place, so that the gateway sends what was missed, or a
 * snapshot. Close codes from 4400 on are final: `state` is "refused" until `open` is called again.
 * `counts` says how often each happened. Options: `token`, and `Socket` where there is no global WebSocket.
 */

import { APPLIED, Book } from "./books.js";
import { Connection } from "./connection.js";

const UNRECOVERABLE = 112;
const BOOK = /^c?book:/;
const TELL = ["state", "since", "reason", "rttMs", "bestRttMs", "offsetUs", "skippedTicks", "characters", "frames"];

export class Client {
  #books = new Map();
  #places = new Map();
  #connection;

  /**
   * @param {string} url of /ws/v1
   * @param {{onMessage?: Function, onState?: Function}} [listener]
   * @param {{token?: string, Socket?: Function}} [options]
   */
  constructor(url, { onMessage = () => {}, onState = () => {} } = {}, { token = "", ...options } = {}) {
    this.onMessage = onMessage;
    this.counts = { gap: 0, checksum: 0, resumed: 0, snapshots: 0 };
    const listener = {
      onMessage: (message, heard) => this.#take(message, heard),
      onRequest: (request) => this.#fromPlaces(request),
      onState: () => onState(this),
    };
    this.#connection = new Connection(url, listener, { protocols: token ? [`thalweg.token.${token}`] : [], ...options });
    for (const name of TELL) Object.defineProperty(this, name, { enumerable: true, get: () => this.#connection[name] });
  }

  /** Connect; also the way back after a refusal. */
  open() {
    this.#connection.open();
  }

  /** Disconnect and stay away. */
  close() {
    this.#connection.close();
  }

  /**
   * Make these the subscribed channels, now and after every reconnect.
   * @param {Map<string, {depth: number, rate_ms: number}>} channels
   */
  want(channels) {
    this.#connection.want(channels);
  }

  /** The book of a `book:` or `cbook:` channel, or undefined; its `sequence` is null until a snapshot has come. */
  book(channel) {
    return this.#books.get(channel);
  }

  /** Where the client stands in a channel: what it would resume from, or undefined. */
  place(channel) {
    const book = this.#books.get(channel);
    if (!book) return this.#places.get(channel);
    return book.sequence === null ? undefined : { epoch: book.epoch, seq: book.sequence, node: book.node };
  }

  #take(message, heard) {
    if (message.t === "ack") this.#takeRefusals(message);
    else if (message.t === "snap" || message.t === "d") return this.#takeBook(message, heard);
    else if (message.t === "bbo" || message.t === "trades") this.#keepPlace(message);
    if (message.resumed) this.counts.resumed += 1;
    return this.onMessage(message, heard);
  }

  #keepPlace({ ch, e, s }) {
    this.#places.set(ch, { epoch: e, seq: s, node: this.#connection.node });
  }

  /** A delta for a book that waits for its snapshot is of the time before; it says nothing any more. */
  #takeBook(frame, heard) {
    const book = this.#books.get(frame.ch);
    if (!book || (frame.t === "d" && book.sequence === null)) return;
    const verdict = book.take(frame);
    if (verdict !== APPLIED) return this.#renew(frame.ch, verdict, heard);
    const { b, a, crc, ...about } = frame;
    Object.assign(book, { node: this.#connection.node, about: frame.t === "snap" ? about : { ...book.about, ...about } });
    if (frame.t === "snap") this.counts.snapshots += 1;
    else if (frame.resumed) this.counts.resumed += 1;
    this.onMessage(frame, heard);
  }

  #renew(channel, why, heard) {
    this.counts[why] += 1;
    this.#books.get(channel).clear();
    this.#connection.renew(channel);
    this.onMessage({ t: "renewed", ch: channel, why }, heard);
  }

  #takeRefusals(ack) {
    for (const { ch, code } of ack.err ?? []) {
      if (code !== UNRECOVERABLE) continue;
      this.#places.delete(ch);
      this.#connection.askAnew(ch);
    }
  }

  /** A subscription goes on from where the last one of the same was; what is left or changed is forgotten. */
  #fromPlaces(request) {
    if (request.op === "unsubscribe") this.#forget(request.ch);
    if (request.op !== "subscribe") return request;
    const resume = {};
    for (const channel of request.ch) {
      const place = this.place(channel);
      if (place && this.#isGood(channel, place)) resume[channel] = { epoch: place.epoch, seq: place.seq };
      if (BOOK.test(channel) && !this.#books.has(channel)) this.#books.set(channel, new Book());
    }
    return Object.keys(resume).length ? { ...request, node: this.#connection.node, resume } : request;
  }

  /** Trades are counted alike by all nodes; of all else a place is one of the node that told it. */
  #isGood(channel, place) {
    return channel.startsWith("trades:") || place.node === this.#connection.node;
  }

  #forget(channels) {
    for (const channel of channels) {
      this.#books.delete(channel);
      this.#places.delete(channel);
    }
  }
}
