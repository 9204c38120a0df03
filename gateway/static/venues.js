/** The venue ladders side by side; one that is not live is dimmed, stamped and says why. */

import { basisPoints } from "./decimals.js";
import { element, setData, setText, within } from "./dom.js";
import { grouped, stepUnits } from "./grouping.js";
import { LadderTable } from "./ladder.js";
import { age, checkWords, glyph, stateWords } from "./words.js";

const DEFAULT_DECIMALS = 8;

export class VenuePanels {
  /**
   * @param {{title: HTMLElement, body: HTMLElement}} nodes
   * @param {Market} market
   * @param {View} view
   */
  constructor(nodes, market, view) {
    Object.assign(this, nodes, { market, view });
    this.panels = [];
  }

  /** Start over with another instrument. */
  open(focus) {
    this.focus = focus;
    setText(this.title, `${focus.instrument} by venue`);
    this.panels = focus.venues.map((venue) => buildPanel(venue, this.market.venues.indexOf(venue), focus.instrument));
    this.body.dataset.count = this.panels.length;
  }

  /** Put the ladders into the panel, where something else may be. */
  place() {
    if (this.panels[0]?.node.parentElement !== this.body) this.body.replaceChildren(...this.panels.map((panel) => panel.node));
  }

  /** Show all books as they are now, with this many rows a side. */
  render(rows, nowMs) {
    for (const panel of this.panels) this.#renderPanel(panel, rows, nowMs);
  }

  #renderPanel({ venue, node, mark, aged, stamp, table, spread, checked }, rows, nowMs) {
    const { instrument, books, refusals } = this.focus;
    const cell = this.market.cell(instrument, venue);
    const book = books.get(venue);
    const places = this.market.places.get(instrument) ?? 0;
    const refusal = refusals.get(this.focus.bookChannel(venue));
    const { price_decimals: price = DEFAULT_DECIMALS, size_decimals: size = DEFAULT_DECIMALS } = this.market.instrument(instrument) ?? {};
    table.resize(rows);
    table.render(this.#grouped(book, { places, price, size }), { places, decimals: { price, size } });
    setData(node, "state", refusal ? "refused" : cell.state);
    setText(mark, [`${glyph(cell.state)} ${cell.state}`, ...cell.flags].join(", "));
    const ageMs = this.market.age(cell, nowMs);
    setText(aged, ageMs === null ? "" : age(ageMs));
    const [bid, ask] = [book.bids[0]?.price, book.asks[0]?.price];
    setText(spread, bid && ask ? `${basisPoints(ask, bid)} bps` : "–");
    const check = this.market.checks.get(venue);
    setText(checked, checkWords(check));
    table.markBeyond(this.view.multiple === 0 ? (check?.verified_depth ?? Infinity) : Infinity);
    setData(node, "off", this.view.off.has(venue) ? "yes" : "");
    const excluded = cell.state === "live" ? "" : `${stateWords(cell)}. Excluded from the consolidated ladder.`;
    setText(stamp, refusal ? `not shown: ${refusal}` : excluded);
  }

  #grouped(book, { places, price, size }) {
    if (this.view.multiple === 0) return book;
    const scale = { price, size, step: stepUnits(this.view.multiple, places, price) };
    return { bids: grouped(book.bids, "bids", scale), asks: grouped(book.asks, "asks", scale) };
  }
}

function buildPanel(venue, index, instrument) {
  const table = new LadderTable(`${instrument} on ${venue}`);
  const mark = element("span", "mark");
  const aged = element("span", "age");
  const stamp = element("p", "stamp");
  stamp.dataset.venue = venue;
  const spread = element("span", "spread");
  const checked = element("p", "checked");
  within(table.middle, element("span", "label", "spread"), spread, checked);
  const title = within(element("h3"), element("i", `swatch venue-${index}`), element("span", "", venue));
  const node = within(element("article", "venue"), within(element("header"), title, mark, aged), stamp, table.node);
  return { venue, node, mark, aged, stamp, table, spread, checked };
}
