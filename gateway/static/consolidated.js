/** The consolidated ladder's panel: levels with who quotes them, the quote in the middle, what is left out. */

import { basisPoints, compare, cutPlaces, padBlanks, padZeros, toText, toUnits, fractionDigits } from "./decimals.js";
import { element, setData, setText, within } from "./dom.js";
import { LadderTable } from "./ladder.js";
import { glyph } from "./words.js";

const FACTS = ["bid", "ask", "imbalance", "spread", "mid", "micro"];

/**
 * In words, how a ladder is crossed: which bids stand above which asks, and by how much.
 * @param {Array} bids best first, with venues
 * @param {Array} asks
 */
export function crossing(bids, asks) {
  if (!bids[0] || !asks[0] || compare(bids[0].price, asks[0].price) < 0) return "";
  const names = (level) => Object.keys(level.venues ?? {}).join(", ") || "a";
  const places = Math.max(fractionDigits(bids[0].price), fractionDigits(asks[0].price));
  const by = toText(toUnits(bids[0].price, places) - toUnits(asks[0].price, places), places);
  const sign = by === "0" ? "=" : ">";
  return `${by === "0" ? "locked" : `crossed by ${by}`}: ${names(bids[0])} bid ${sign} ${names(asks[0])} ask`;
}

/** Who quotes one level, as aligned lines: the level, then its venues, the largest first. */
export function composition(side, level) {
  const venues = Object.entries(level.venues ?? {}).sort((one, other) => compare(other[1], one[1]));
  const places = Math.max(0, ...venues.map(([, size]) => fractionDigits(size)));
  const padded = venues.map(([venue, size]) => [venue, padBlanks(size, places)]);
  const [names, sizes] = [0, 1].map((at) => Math.max(0, ...padded.map((pair) => pair[at].length)));
  const lines = padded.map(([venue, size]) => `${venue.padEnd(names)}  ${size.padStart(sizes)}`);
  return [`${side === "bids" ? "bid" : "ask"} ${level.price} × ${level.size}`, ...lines];
}

export class ConsolidatedPanel {
  /**
   * @param {{title: HTMLElement, legend: HTMLElement, body: HTMLElement, detail: HTMLElement, card: HTMLElement}} nodes
   * @param {Market} market
   */
  constructor(nodes, market) {
    Object.assign(this, nodes);
    this.market = market;
    this.asked = null;
    this.body.addEventListener("pointerover", (event) => this.#ask(event.target));
    this.body.addEventListener("pointerleave", () => this.#ask(document.activeElement));
    this.body.addEventListener("focusin", (event) => this.#ask(event.target));
    this.body.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Start over with another instrument. */
  open(focus) {
    this.focus = focus;
    this.asked = null;
    this.table = new LadderTable(`Consolidated ladder of ${focus.instrument}`, this.market.venues);
    this.facts = Object.fromEntries(FACTS.map((name) => [name, element("b")]));
    this.crossed = element("p", "crossing");
    const list = element("dl", "facts");
    for (const name of FACTS) {
      within(list, within(element("div", name), element("dt", "", name), within(element("dd"), this.facts[name])));
    }
    within(this.table.middle, list, this.crossed);
    this.body.replaceChildren(this.table.node);
    setText(this.title, `${focus.instrument} ladder`);
    this.chips = focus.venues.map((venue) => this.#chip(venue));
    this.legend.replaceChildren(...this.chips.map((chip) => chip.node));
  }

  /** Show the ladder as it is now, with this many rows a side. */
  render(rows) {
    const { ladder, quote, instrument, refusals, ladderChannel } = this.focus;
    this.table.resize(rows);
    const places = this.market.places.get(instrument) ?? 0;
    this.table.render(ladder, { places, decimals: this.market.instrument(instrument)?.size_decimals ?? 8 });
    if (quote) this.#renderQuote(quote, places);
    const words = crossing(ladder.bids, ladder.asks);
    setText(this.crossed, words);
    setData(this.table.node, "crossed", words ? "yes" : "");
    const excluded = this.chips.map((chip) => this.#renderChip(chip)).filter(Boolean);
    this.#tell(refusals.get(ladderChannel), excluded);
    this.#renderCard();
  }

  /** Beside the level asked for: who quotes it. */
  #renderCard() {
    const { level, node } = this.asked ?? {};
    this.card.hidden = !level?.level;
    if (this.card.hidden) return;
    const lines = composition(node.dataset.side, level.level);
    while (this.card.childElementCount < lines.length) this.card.append(element("p"));
    [...this.card.children].forEach((line, index) => setText(line, lines[index] ?? ""));
    const above = node.dataset.side === "bids";
    const { offsetTop, offsetHeight } = this.body;
    const top = offsetTop + node.offsetTop;
    this.card.style.top = above ? "" : `${top + node.offsetHeight + 2}px`;
    this.card.style.bottom = above ? `calc(100% - ${Math.min(top, offsetTop + offsetHeight) - 2}px)` : "";
  }

  /** One line below: what is refused or left out, else what one may ask. */
  #tell(refusal, excluded) {
    const resyncs = this.focus.resyncs.gap + this.focus.resyncs.checksum;
    const rest = excluded.length ? `excluded: ${excluded.join(", ")}` : "point at a level, or focus it, to see who quotes it";
    const counted = resyncs ? ` · subscribed again ${resyncs}×` : "";
    setText(this.detail, refusal ?? rest + counted);
    setData(this.detail, "kind", refusal || excluded.length ? "excluded" : "");
  }

  #renderQuote(quote, places) {
    const bps = quote.bid && quote.ask ? `, ${basisPoints(quote.ask, quote.bid)} bps` : "";
    const padded = (text) => (text ? padZeros(text, places) : "–");
    setText(this.facts.bid, padded(quote.bid));
    setText(this.facts.ask, padded(quote.ask));
    setText(this.facts.spread, `${padded(quote.spread)}${bps}`);
    setText(this.facts.mid, quote.mid ? padZeros(quote.mid, places + 1) : "–");
    setText(this.facts.micro, quote.micro ? cutPlaces(quote.micro, places + 2) : "–");
    this.facts.micro.title = quote.micro ?? "";
    const { imbalance } = quote;
    setText(this.facts.imbalance, imbalance ? `${imbalance.startsWith("-") ? "" : "+"}${imbalance}` : "–");
  }

  #chip(venue) {
    const index = this.market.venues.indexOf(venue);
    const mark = element("span", "mark");
    return { venue, mark, node: within(element("li"), element("i", `swatch venue-${index}`), element("span", "name", venue), mark) };
  }

  #renderChip({ venue, node, mark }) {
    const state = this.focus.inputs[venue]?.st ?? this.market.cell(this.focus.instrument, venue)?.state ?? "connecting";
    setData(node, "state", state);
    setText(mark, state === "live" ? "" : glyph(state));
    return state === "live" ? "" : `${venue} (${state})`;
  }

  #ask(target) {
    const node = target?.closest?.("tr[data-side]");
    const level = node && this.table.rows[node.dataset.side][Number(node.dataset.depth)];
    this.asked = level ? { node, level } : null;
    if (this.table) this.render(this.table.count);
  }

  #key(event) {
    const row = event.target.closest("tr[data-side]");
    if (!row || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
    const rows = [...this.body.querySelectorAll("tr[data-side]")];
    const next = rows[rows.indexOf(row) + (event.key === "ArrowUp" ? -1 : 1)];
    event.preventDefault();
    if (!next) return;
    row.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }
}
