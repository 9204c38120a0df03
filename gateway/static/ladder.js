/** One ladder as a table: asks above, a middle row, bids below, in rows that are made once and reused. */

import { compare, cutPlaces, fractionDigits, padBlanks, padZeros, toText, toUnits } from "./decimals.js";
import { element, setData, setParts, setSpan, setText, within } from "./dom.js";
import { quoteTotals } from "./impact.js";

const LONG_ALL = 44; // digits in a row of the consolidated ladder from which a smaller face is needed
const LONG_ONE = 22; // and in a venue's
const PADDING_PX = 24; // beside a venue ladder's two numbers
const QUOTE_PLACES = 2; // of a cumulative size in the quote currency; cut, not rounded: never more than there is
const BARS_PX = 80; // beside the consolidated ladder's three, bars included

/**
 * Cumulative sizes, best first, exact.
 * @param {Array<{size: string}>} levels
 * @param {number} decimals
 * @returns {string[]}
 */
export function cumulate(levels, decimals) {
  let sum = 0n;
  return levels.map((level) => toText((sum += toUnits(level.size, decimals)), decimals));
}

/** Cumulative sums of price times size, to whole hundredths. */
function quoteTexts(levels, decimals) {
  return quoteTotals(levels, decimals).map((text) => cutPlaces(text, QUOTE_PLACES));
}

export class LadderTable {
  /**
   * @param {string} caption for those who cannot see the heading
   * @param {string[]} [venues] given for the consolidated ladder: adds cumulative sizes and who quotes
   */
  constructor(caption, venues = []) {
    this.venues = venues;
    this.sizePlaces = 0;
    this.widths = { price: 0, size: 0, total: 0 };
    this.count = 0;
    this.middle = element("td", "middle");
    this.asks = element("tbody", "asks");
    this.bids = element("tbody", "bids");
    const between = within(element("tbody", "between"), within(element("tr"), this.middle));
    const title = element("caption", "unseen", caption);
    this.node = within(element("table", "levels"), title, this.#columns(), this.#head(), this.asks, between, this.bids);
    this.rows = { asks: [], bids: [] };
  }

  /** Have this many rows a side. */
  resize(count) {
    if (count === this.count) return;
    this.count = count;
    for (const side of ["asks", "bids"]) {
      this.rows[side] = Array.from({ length: count }, (_, depth) => this.#row(side, depth));
      const nodes = this.rows[side].map((row) => row.node);
      this[side].replaceChildren(...(side === "asks" ? nodes.reverse() : nodes));
    }
  }

  /**
   * Show two sides, best first.
   * @param {{bids: Array, asks: Array}} book
   * @param {{places: number, decimals: {price: number, size: number}, totals: string}} scale totals "base" or "quote"
   */
  render(book, { places, decimals, totals = "base" }) {
    const shown = { bids: book.bids.slice(0, this.count), asks: book.asks.slice(0, this.count) };
    const crossing = { bids: shown.asks[0], asks: shown.bids[0] };
    const cumulative = {};
    for (const side of ["bids", "asks"]) {
      if (this.venues.length) cumulative[side] = totals === "quote" ? quoteTexts(shown[side], decimals) : cumulate(shown[side], decimals.size);
      this.#widen(shown[side], totals === "quote" ? [] : cumulative[side]);
    }
    if (this.totalsButton) setText(this.totalsButton, totals === "quote" ? "Cum. quote" : "Cum. base");
    this.totalPlaces = totals === "quote" ? QUOTE_PLACES : this.sizePlaces;
    this.#fit(places, shown, cumulative);
    const peak = Math.max(1e-12, ...[...shown.bids, ...shown.asks].map((level) => Number(level.size)));
    for (const side of ["bids", "asks"]) {
      this.rows[side].forEach((row, depth) => this.#show(row, shown[side][depth], cumulative[side]?.[depth], { places, peak }));
      this.#markCrossing(side, shown[side], crossing[side]);
    }
  }

  /** Set levels apart that lie below what the venue's own check can see. */
  markBeyond(verifiedDepth) {
    for (const side of ["asks", "bids"]) {
      this.rows[side].forEach((row, depth) => setData(row.node, "beyond", depth >= verifiedDepth ? "yes" : ""));
    }
  }

  #columns() {
    this.columns = { price: element("col"), size: element("col"), total: element("col") };
    const columns = this.venues.length ? [...Object.values(this.columns), element("col")] : [this.columns.price, this.columns.size];
    return within(element("colgroup"), ...columns);
  }

  #head() {
    const words = this.venues.length ? ["Price", "Size", "Cumulative", "Who quotes"] : ["Price", "Size"];
    this.middle.colSpan = words.length;
    const cells = words.map((word) => Object.assign(element("th", "", word), { scope: "col" }));
    if (this.venues.length) cells[2].replaceChildren(this.#buildTotalsButton());
    return within(element("thead"), within(element("tr"), ...cells));
  }

  #buildTotalsButton() {
    this.totalsButton = element("button", "totals", "Cumulative");
    this.totalsButton.type = "button";
    this.totalsButton.title = "cumulative size in the base or in the quote currency";
    this.totalsButton.addEventListener("click", () => this.onTotals?.());
    return this.totalsButton;
  }

  #row(side, depth) {
    const row = { price: element("div", "cell"), size: element("td", "size"), text: element("div", "cell"), level: null };
    row.node = within(element("tr"), within(element("td", "price"), row.price), within(row.size, row.text));
    Object.assign(row.node.dataset, { side, depth });
    if (this.venues.length) {
      row.total = element("div", "cell");
      row.track = element("div", "track");
      within(row.node, within(element("td", "total"), row.total), within(element("td", "who"), row.track));
      row.node.tabIndex = side === "bids" && depth === 0 ? 0 : -1;
    } else row.text.classList.add("fill");
    return row;
  }

  #show(row, level, total, { places, peak }) {
    row.level = level ?? null;
    setText(row.price, level ? padZeros(level.price, places) : "");
    setText(row.text, level ? padBlanks(level.size, this.sizePlaces) : "");
    if (row.total) setText(row.total, total ? padBlanks(total, this.totalPlaces) : "");
    if (row.track) setParts(row.track, this.venues.map((venue, index) => [`var(--venue-${index})`, Number(level?.venues?.[venue] ?? 0) / peak]));
    else setSpan(row.text, 0, level ? Number(level.size) / peak : 0);
  }

  #markCrossing(side, levels, opposite) {
    this.rows[side].forEach((row, depth) => {
      const level = levels[depth];
      const crosses = level && opposite && compare(level.price, opposite.price) * (side === "bids" ? 1 : -1) >= 0;
      setData(row.node, "crosses", crosses ? "yes" : "");
    });
  }

  /** Columns are as wide as their longest number so far, so that no digit is cut off and none jumps. */
  #fit(places, shown, cumulative) {
    const longest = (texts, places) => Math.max(0, ...texts.map((text) => padBlanks(text, places).length));
    const levels = [...shown.bids, ...shown.asks];
    const totals = [...(cumulative.bids ?? []), ...(cumulative.asks ?? [])];
    const now = {
      price: longest(levels.map((level) => level.price), places),
      size: longest(levels.map((level) => level.size), this.sizePlaces),
      total: longest(totals, this.totalPlaces),
    };
    for (const [name, width] of Object.entries(now)) {
      if (width <= this.widths[name]) continue;
      this.widths[name] = width;
      this.columns[name].style.width = name === "size" && !this.venues.length ? "" : `calc(${width}ch + 12px)`;
    }
    const all = this.widths.price + this.widths.size + this.widths.total;
    this.node.style.minWidth = `calc(${all}ch + ${this.venues.length ? BARS_PX : PADDING_PX}px)`;
    setData(this.node, "long", all > (this.venues.length ? LONG_ALL : LONG_ONE) ? "yes" : "");
  }

  /** Places only grow, so that columns do not jump. */
  #widen(levels, totals = []) {
    for (const text of [...levels.map((level) => level.size), ...totals]) {
      this.sizePlaces = Math.max(this.sizePlaces, fractionDigits(text));
    }
  }
}
