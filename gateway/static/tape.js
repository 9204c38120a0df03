/** The trade tape: newest first, held still while it is read, never silent about a lost trade. */

import { fractionDigits, padBlanks, padZeros } from "./decimals.js";
import { element, setData, setText, within } from "./dom.js";
import { clock } from "./words.js";

const KEPT = 100; // what one can scroll back through
const LONG = 18; // digits of price and size from which a smaller face is needed
const TAKERS = { b: "▲ buy", s: "▼ sell" };

/** What the tape holds, newest first. Pure. */
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
    if (dropped > 0) this.#add({ note: `${dropped} trades dropped: this page was too slow` });
    else if (hole || message.gap > 0) this.#add({ note: "trades may be missing here" });
    for (const [us, price, size, taker, , venue] of message.x ?? []) {
      this.sizePlaces = Math.max(this.sizePlaces, fractionDigits(size));
      this.heard += 1;
      this.#add({ us, price, size, taker, venue });
    }
    this.sequence = message.s;
    this.entries.length = Math.min(this.entries.length, KEPT);
  }

  /** Say that the connection was lost here; what was traded meanwhile is not shown. */
  interrupt() {
    if (this.sequence !== null) this.#add({ note: "not connected: trades are missing here" });
    this.sequence = null;
  }

  #add(entry) {
    this.entries.unshift(entry);
  }
}

export class Tape {
  /**
   * @param {{title: HTMLElement, box: HTMLElement, newer: HTMLButtonElement, body: HTMLElement}} nodes
   * @param {Market} market
   * @param {function(): void} onResume asks for a render
   */
  constructor(nodes, market, onResume) {
    Object.assign(this, nodes);
    this.market = market;
    this.reading = { pointer: false, focus: false };
    this.rows = [];
    this.columns = { price: this.body.parentElement.querySelector(".price"), size: this.body.parentElement.querySelector(".size") };
    this.box.addEventListener("pointerenter", (event) => this.#read("pointer", event.pointerType === "mouse"));
    this.box.addEventListener("pointerleave", () => this.#read("pointer", false, onResume));
    this.box.addEventListener("focusin", () => this.#read("focus", true));
    this.box.addEventListener("focusout", () => this.#read("focus", false, onResume));
    this.box.addEventListener("scroll", onResume, { passive: true });
    this.newer.addEventListener("click", () => this.#catchUp(onResume));
  }

  /** Start over with another instrument. */
  open(instrument) {
    this.instrument = instrument;
    this.trades = new Trades();
    this.heardShown = 0;
    this.shown = [];
    this.widths = { price: 0, size: 0 };
    setText(this.title, `${instrument} trades`);
  }

  /** Show the newest, unless it is being read: then count what is new. */
  render() {
    const held = this.reading.pointer || this.reading.focus || this.box.scrollTop > 0;
    if (!held) {
      this.heardShown = this.trades.heard;
      this.shown = this.trades.entries.slice(0, KEPT);
      this.shown.forEach((entry, index) => this.#show(this.#row(index), entry));
      this.rows.slice(this.shown.length).forEach((row) => setData(row.node, "kind", "empty"));
    }
    const fresh = this.trades.heard - this.heardShown;
    this.newer.hidden = !held;
    setText(this.newer, fresh ? `paused · +${fresh} new` : "paused");
  }

  #row(index) {
    this.rows[index] ??= this.#build();
    return this.rows[index];
  }

  #build() {
    const cells = ["time", "from", "taker", "price", "size"].map((name) => element("td", name));
    const node = within(element("tr"), ...cells);
    this.body.append(node);
    return { node, cells };
  }

  #show({ node, cells }, entry) {
    setData(node, "kind", entry.note ? "note" : entry.taker === "b" ? "buy" : "sell");
    const places = this.market.places.get(this.instrument) ?? 0;
    const texts = entry.note
      ? [entry.note, "", "", "", ""]
      : [clock(entry.us, true), entry.venue, TAKERS[entry.taker] ?? "?", padZeros(entry.price, places), padBlanks(entry.size, this.trades.sizePlaces)];
    cells.forEach((cell, index) => setText(cell, texts[index]));
    this.#fit({ price: texts[3].length, size: texts[4].length });
  }

  /** Columns are as wide as their longest number so far: no digit is cut off, none jumps. */
  #fit(widths) {
    for (const [name, width] of Object.entries(widths)) {
      if (width <= this.widths[name]) continue;
      this.widths[name] = width;
      this.columns[name].style.width = `calc(${width}ch + ${name === "size" ? 14 : 8}px)`;
    }
    setData(this.body.parentElement, "long", this.widths.price + this.widths.size > LONG ? "yes" : "");
  }

  #read(how, on, then = () => {}) {
    this.reading[how] = on;
    then();
  }

  #catchUp(onResume) {
    this.reading = { pointer: false, focus: false };
    this.box.scrollTop = 0;
    onResume();
  }
}
