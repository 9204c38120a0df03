/** The trade tape: newest first, held still while it is read, never silent about a lost trade. */

import { padBlanks, padZeros } from "./decimals.js";
import { element, setData, setText, within } from "./dom.js";
import { Trades, merged, notional, passes } from "./trades.js";
import { clock } from "./words.js";

const SHOWN = 100; // what one can scroll back through
const LONG = 18; // digits of price and size from which a smaller face is needed
const LEAST_ROW_PX = 16;
const CLASSES = ["time", "from", "taker", "price", "size"];
const TAKERS = { b: "▲ buy", s: "▼ sell" };
const LEAST = [["any size", "0"], ["≥ 100", "100"], ["≥ 1k", "1000"], ["≥ 10k", "10000"], ["≥ 100k", "100000"], ["≥ 1M", "1000000"]];
const HEAT = [1_000, 10_000, 100_000]; // notional from which a row is set off, in three strengths

export class Tape {
  /**
   * @param {{title: HTMLElement, box: HTMLElement, newer: HTMLButtonElement, body: HTMLElement, venue: HTMLSelectElement, least: HTMLSelectElement}} nodes
   * @param {Market} market
   * @param {function(): void} onResume asks for a render
   */
  constructor(nodes, market, onResume) {
    Object.assign(this, nodes);
    this.market = market;
    this.reading = { pointer: false, focus: false };
    this.rows = [];
    this.columns = { price: this.body.parentElement.querySelector(".price"), size: this.body.parentElement.querySelector(".size") };
    this.least.replaceChildren(...LEAST.map(([words, value]) => new Option(words, value)));
    for (const select of [this.venue, this.least]) select.addEventListener("change", () => this.#refilter(onResume));
    this.box.addEventListener("pointerenter", (event) => this.#read("pointer", event.pointerType === "mouse"));
    this.box.addEventListener("pointerleave", () => this.#read("pointer", false, onResume));
    this.box.addEventListener("focusin", () => this.#read("focus", true));
    this.box.addEventListener("focusout", () => this.#read("focus", false, onResume));
    this.isScrolled = false;
    this.fits = SHOWN;
    new ResizeObserver(([{ contentRect }]) => (this.fits = Math.ceil(contentRect.height / LEAST_ROW_PX))).observe(this.box);
    this.box.addEventListener("scroll", () => this.#scrolled(onResume), { passive: true });
    this.newer.addEventListener("click", () => this.#catchUp(onResume));
  }

  /** Start over with another instrument; the filters stay. */
  open(instrument) {
    this.instrument = instrument;
    this.trades = new Trades();
    this.heardShown = 0;
    this.shown = [];
    this.widths = { price: 0, size: 0 };
    setText(this.title, `${instrument} trades`);
    const chosen = this.venue.value;
    const venues = this.market.instrument(instrument)?.venues ?? [];
    this.venue.replaceChildren(new Option("all venues", ""), ...venues.map((venue) => new Option(venue, venue)));
    this.venue.value = venues.includes(chosen) ? chosen : "";
  }

  /** Show the newest, unless it is being read: then count what is new. */
  render() {
    const held = !this.isRefiltered && (this.reading.pointer || this.reading.focus || this.isScrolled);
    if (!held) this.#renew();
    const fresh = this.trades.heard - this.heardShown;
    this.newer.hidden = !held;
    setText(this.newer, fresh ? `paused · +${fresh} new` : "paused");
  }

  #renew() {
    this.isRefiltered = false;
    this.heardShown = this.trades.heard;
    const filter = { venue: this.venue.value, least: this.least.value };
    this.shown = merged(this.trades.entries).filter((entry) => passes(entry, filter)).slice(0, SHOWN);
    this.#fill(this.fits);
    this.rows.slice(this.shown.length).forEach((row) => setData(row.node, "kind", "empty"));
  }

  /** Write the first rows; those below are written once somebody scrolls to them. */
  #fill(count) {
    this.shown.forEach((entry, index) => (index < count || !this.rows[index]) && this.#show(this.#row(index), entry));
  }

  /** Where the box stands is kept, for to ask it while rendering would lay the page out once more. */
  #scrolled(onResume) {
    const isScrolled = this.box.scrollTop > 0;
    if (isScrolled && !this.isScrolled) this.#fill(SHOWN);
    this.isScrolled = isScrolled;
    onResume();
  }

  #row(index) {
    this.rows[index] ??= this.#build();
    return this.rows[index];
  }

  #build() {
    const cells = CLASSES.map(() => element("div", "cell"));
    const node = within(element("tr"), ...cells.map((cell, index) => within(element("td", CLASSES[index]), cell)));
    this.body.append(node);
    return { node, cells };
  }

  #show({ node, cells }, entry) {
    setData(node, "kind", entry.note ? "note" : entry.taker === "b" ? "buy" : "sell");
    setData(node, "heat", entry.note ? "" : heatOf(entry));
    const places = this.market.places.get(this.instrument) ?? 0;
    const texts = entry.note
      ? [entry.note, "", "", "", ""]
      : [clock(entry.us, true), entry.venue, takerWords(entry), padZeros(entry.price, places), padBlanks(entry.size, this.trades.sizePlaces)];
    cells.forEach((cell, index) => setText(cell, texts[index]));
    const title = entry.count ? `${entry.count} trades within one millisecond, from ${entry.from} to ${entry.price}` : "";
    if (cells[2].title !== title) cells[2].title = title;
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

  #refilter(onResume) {
    this.isRefiltered = true;
    this.box.scrollTop = 0;
    onResume();
  }

  #catchUp(onResume) {
    this.reading = { pointer: false, focus: false };
    this.box.scrollTop = 0;
    onResume();
  }
}

function takerWords({ taker, count }) {
  const words = TAKERS[taker] ?? "?";
  return count ? `${words[0]} ×${count}` : words;
}

/** How strongly a trade is set off: "" to "3". Only a shade hangs on it, so a float will do. */
function heatOf(entry) {
  const value = Number(notional(entry));
  const steps = HEAT.filter((bound) => value >= bound).length;
  return steps ? String(steps) : "";
}
