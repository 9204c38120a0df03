/**
 * The venue ladders on one price axis, as one table: a row is the same price for every venue, so
 * that what stands higher is dearer. What is not live is dimmed, stamped and says why.
 */

import { axis, middleRow } from "./axis.js";
import { fractionDigits, padBlanks, padZeros, toText, toUnits } from "./decimals.js";
import { element, setData, setSpan, setText, within } from "./dom.js";
import { fittingMultiple, stepUnits } from "./grouping.js";
import { bestOf, countedBooks } from "./middle.js";
import { age, checkWords, glyph, stateWords } from "./words.js";

const DEFAULT_DECIMALS = 8;
const FITTED_LEVEL = 8; // by default the axis holds every live best price, and this level of most books
const WANDER = 0.3; // of the rows: how far the middle may leave the centre before the axis follows

export class AxisLadders {
  /**
   * @param {Market} market
   * @param {View} view
   */
  constructor(market, view) {
    Object.assign(this, { market, view });
    this.table = element("table", "axis levels");
    this.stamps = element("div", "stamps");
    this.node = within(element("div", "axis-box"), this.table, this.stamps);
  }

  /** Start over with another instrument. */
  open(focus) {
    Object.assign(this, { focus, centre: null, fitted: 0, fittedFor: "", rows: [], sizePlaces: 0 });
    this.columns = focus.venues.map((venue) => this.#column(venue));
    const corner = element("th", "price", "Price");
    corner.scope = "col";
    this.body = element("tbody");
    const caption = element("caption", "unseen", `Sizes on ${focus.venues.join(", ")} by price of ${focus.instrument}, one row a step of price.`);
    const feet = within(element("tr"), element("td", "price"), ...this.columns.map(({ foot }) => foot));
    const heads = within(element("tr"), corner, ...this.columns.map(({ head }) => head));
    const widths = within(element("colgroup"), element("col", "price"), ...focus.venues.map(() => element("col")));
    this.table.replaceChildren(caption, widths, within(element("thead"), heads), this.body, within(element("tfoot"), feet));
    this.stamps.replaceChildren(...this.columns.map(({ stamp }) => stamp));
  }

  /** Show all books as they are now, in this many rows. */
  render(count, nowMs) {
    this.#resize(count);
    for (const column of this.columns) this.#renderColumn(column, nowMs);
    const scale = this.#scale(count);
    const found = scale && this.#axis(count, scale);
    if (!found) return;
    const best = this.columns.map(({ venue }) => this.#bestRows(venue, scale));
    const { bid, ask } = this.best;
    const [high, low] = [toUnits(bid, scale.price), toUnits(ask, scale.price)];
    found.rows.forEach((row, index) => this.#renderRow(this.rows[index], row, best, { scale, high, low }));
  }

  #column(venue) {
    const index = this.market.venues.indexOf(venue);
    const parts = { mark: element("span", "mark"), aged: element("span", "age"), foot: element("td", "checked"), stamp: element("p", "stamp") };
    const title = within(element("span", "name"), element("i", `swatch venue-${index}`), venue);
    const head = within(element("th", "venue-head"), within(element("div", "venue-line"), title, parts.mark, parts.aged));
    head.scope = "col";
    parts.stamp.dataset.venue = venue;
    return { venue, index, head, ...parts };
  }

  #renderColumn({ venue, head, mark, aged, stamp, foot, index }, nowMs) {
    const cell = this.market.cell(this.focus.instrument, venue);
    const refusal = this.focus.refusals.get(this.focus.bookChannel(venue));
    const isOff = this.view.off.has(venue);
    const state = refusal ? "refused" : isOff ? "off" : cell.state;
    setData(head, "state", state);
    setText(mark, cell.state === "live" && cell.flags.length === 0 ? glyph("live") : [`${glyph(cell.state)} ${cell.state}`, ...cell.flags].join(", "));
    const ageMs = this.market.age(cell, nowMs);
    setText(aged, ageMs === null ? "" : age(ageMs));
    setText(foot, checkWords(this.market.checks.get(venue)));
    const excluded = cell.state === "live" ? "" : `${stateWords(cell)}. Excluded from the consolidated ladder.`;
    setText(stamp, refusal ? `not shown: ${refusal}` : isOff && !excluded ? "switched off" : excluded);
    setData(this.table, `dim${index}`, state === "live" ? "" : "yes");
    stamp.style.left = `calc(var(--price-width) + (100% - var(--price-width)) * ${this.columns.indexOf(this.columns.find((one) => one.venue === venue)) / this.columns.length} + 4px)`;
    stamp.style.width = `calc((100% - var(--price-width)) / ${this.columns.length} - 8px)`;
    this.columns.find((one) => one.venue === venue).state = state;
  }

  #resize(count) {
    if (this.rows.length === count) return;
    this.rows = Array.from({ length: count }, () => this.#buildRow());
    this.body.replaceChildren(...this.rows.map(({ node }) => node));
  }

  #buildRow() {
    const [price, title] = [element("div", "cell"), element("th", "price")];
    title.scope = "row";
    const cells = this.columns.map(() => {
      const number = element("div", "cell fill");
      return { number, node: within(element("td", "size"), number) };
    });
    return { price, cells, node: within(element("tr"), within(title, price), ...cells.map(({ node }) => node)) };
  }

  /** The step in force, or null while there is no middle to put the axis around. */
  #scale(count) {
    const { instrument } = this.focus;
    this.best = bestOf([...countedBooks(this).values()]);
    if (!this.best) return null;
    const known = this.market.instrument(instrument) ?? {};
    const [price, size] = [known.price_decimals ?? DEFAULT_DECIMALS, known.size_decimals ?? DEFAULT_DECIMALS];
    const step = (multiple) => stepUnits(multiple, this.market.places.get(instrument) ?? 0, price);
    this.#refit(count, step, price);
    this.multiple = this.view.multiple || this.fitted || 1;
    return { step: step(this.multiple), price, size };
  }

  /** Fit anew when another book has come or a finer price was seen, and when asked; not with every frame. */
  #refit(count, step, price) {
    const loaded = this.focus.venues.filter((venue, index) => this.columns[index].state === "live" && this.focus.books.get(venue).asks.length).length;
    const key = [loaded, step(1), count, this.view.recentred].join(" ");
    if (key === this.fittedFor) return;
    this.fittedFor = key;
    this.fitted = this.#fit(count, step, price);
  }

  #fit(count, step, price) {
    const { books, venues } = this.focus;
    const twiceMid = toUnits(this.best.bid, price) + toUnits(this.best.ask, price);
    const distance = (level) => {
      const span = 2n * toUnits(level.price, price) - twiceMid;
      return (span < 0n ? -span : span) / 2n;
    };
    const sides = venues.filter((venue, index) => this.columns[index].state === "live").flatMap((venue) => [books.get(venue).bids, books.get(venue).asks]);
    const held = sides.filter((side) => side.length);
    const deep = held.map((side) => distance(side[Math.min(FITTED_LEVEL, side.length) - 1])).sort((one, other) => (one < other ? -1 : one > other ? 1 : 0));
    if (held.length === 0) return 0;
    return fittingMultiple([deep[deep.length >> 1], ...held.map((side) => distance(side[0]))], Math.max(1, (count >> 1) - 1), step);
  }

  #axis(count, scale) {
    const { books, venues } = this.focus;
    const middle = middleRow(this.best.bid, this.best.ask, scale);
    const key = `${scale.step} ${this.view.recentred}`;
    const wandered = this.centre === null || this.key !== key ? count : Number((middle - this.centre) / scale.step);
    if (Math.abs(wandered) > count * WANDER && !(this.view.isLocked && this.key === key)) this.centre = middle;
    this.key = key;
    return axis(new Map(venues.map((venue) => [venue, books.get(venue)])), this.centre, count, scale);
  }

  /** The rows in which a venue's best bid and offer stand. */
  #bestRows(venue, { step, price }) {
    const book = this.focus.books.get(venue);
    const [bid, ask] = [book.bids[0], book.asks[0]].map((level) => (level ? toUnits(level.price, price) : null));
    return { bids: bid === null ? null : toText((bid / step) * step, price), asks: ask === null ? null : toText(((ask + step - 1n) / step) * step, price) };
  }

  #renderRow(shown, row, best, { scale, high, low }) {
    const places = this.market.places.get(this.focus.instrument) ?? 0;
    setText(shown.price, padZeros(row.price, scale.step % 10n ** BigInt(scale.price) === 0n ? 0 : places));
    const at = toUnits(row.price, scale.price);
    const twice = high + low;
    setData(shown.node, "mid", 2n * at <= twice && 2n * (at + scale.step) > twice ? "yes" : "");
    setData(shown.node, "crosses", high >= low && at + scale.step > low && at - scale.step < high ? "yes" : "");
    row.cells.forEach((cell, index) => this.#renderCell(shown.cells[index], cell, { price: row.price, best: best[index], state: this.columns[index].state }));
  }

  #renderCell({ node, number }, cell, { price, best, state }) {
    if (cell) this.sizePlaces = Math.max(this.sizePlaces, fractionDigits(cell.size));
    setData(node, "side", cell?.side ?? "");
    setData(node, "best", cell && best[cell.side] === price ? "yes" : "");
    setData(node, "dim", state === "live" ? "" : "yes");
    setText(number, cell ? padBlanks(cell.size, this.sizePlaces) : "");
    setSpan(number, 0, cell?.share ?? 0);
    if ((node.title !== "") !== Boolean(cell?.also)) node.title = cell?.also ? `and ${cell.also} of the other side in this row` : "";
  }
}
