/** The consolidated ladder's panel: levels with who quotes them, the quote in the middle, what is left out. */

import { basisPoints, compare, cutPlaces, fractionDigits, padBlanks, padZeros, toText, toUnits } from "./decimals.js";
import { element, setData, setText, within } from "./dom.js";
import { grouped, stepUnits, without } from "./grouping.js";
import { impactTo } from "./impact.js";
import { LadderTable } from "./ladder.js";
import { counted, glyph } from "./words.js";

const FACTS = ["bid", "ask", "imbalance", "spread", "mid", "micro"];
const DEFAULT_DECIMALS = 8;

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
  const bps = by === "0" ? "" : `, ${basisPoints(bids[0].price, asks[0].price)} bps`;
  return `${by === "0" ? "locked" : `crossed by ${by}${bps}`}: ${names(bids[0])} bid ${sign} ${names(asks[0])} ask`;
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

/** What it costs to take the ladder down to a price, in lines. */
export function impactWords(levels, side, price, decimals) {
  const impact = impactTo(levels, side, price, decimals);
  if (!impact) return [];
  return [
    `${side === "asks" ? "buy up" : "sell down"} to here: ${impact.base}, ${counted(impact.levels, "level")}`,
    `${side === "asks" ? "costs" : "earns"} ${impact.quote}`,
    `average ${impact.isExact ? "" : "≈ "}${impact.average}`,
    `slippage ${impact.slippage} bps of the best`,
  ];
}

/** Down to which prices a venue's own check covers its book: "kraken to 10 levels: 64,990.1 – 65,100.2". */
export function verifiedWords(venue, check, book) {
  const depth = check?.verified_depth;
  if (!depth || !book) return "";
  const ends = [book.bids, book.asks].map((side) => side[Math.min(depth, side.length) - 1]?.price);
  return ends[0] && ends[1] ? `${venue} verified to ${depth} levels: ${ends[0]} – ${ends[1]}` : "";
}

export class ConsolidatedPanel {
  /**
   * @param {{title: HTMLElement, legend: HTMLElement, body: HTMLElement, detail: HTMLElement, card: HTMLElement}} nodes
   * @param {Market} market
   * @param {View} view
   */
  constructor(nodes, market, view) {
    Object.assign(this, nodes, { market, view });
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
    this.table.onTotals = () => this.view.toggle("totals");
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
    const { quote, instrument, refusals, ladderChannel } = this.focus;
    const { price_decimals: price = DEFAULT_DECIMALS, size_decimals: size = DEFAULT_DECIMALS } = this.market.instrument(instrument) ?? {};
    const places = this.market.places.get(instrument) ?? 0;
    this.decimals = { price, size };
    this.levels = Object.fromEntries(["bids", "asks"].map((side) => [side, without(this.focus.ladder[side], this.view.off, size)]));
    this.table.resize(rows);
    this.table.render(this.#rows(places), { places, decimals: this.decimals, totals: this.view.totals });
    if (quote) this.#renderQuote(quote, places);
    const words = crossing(this.levels.bids, this.levels.asks);
    setText(this.crossed, words);
    setData(this.table.node, "crossed", words ? "yes" : "");
    const excluded = this.chips.map((chip) => this.#renderChip(chip)).filter(Boolean);
    this.#tell(refusals.get(ladderChannel), excluded);
    this.#renderCard();
  }

  #rows(places) {
    if (this.view.multiple === 0) return this.levels;
    const scale = { ...this.decimals, step: stepUnits(this.view.multiple, places, this.decimals.price) };
    return { bids: grouped(this.levels.bids, "bids", scale), asks: grouped(this.levels.asks, "asks", scale) };
  }

  /** Beside the level asked for: who quotes it, and what it costs to get there. */
  #renderCard() {
    const { row, node } = this.asked ?? {};
    this.card.hidden = !row?.level;
    if (this.card.hidden) return;
    const { side } = node.dataset;
    const lines = [...composition(side, row.level), "", ...impactWords(this.levels[side], side, row.level.price, this.decimals)];
    while (this.card.childElementCount < lines.length) this.card.append(element("p"));
    [...this.card.children].forEach((line, index) => {
      setText(line, lines[index] ?? "");
      setData(line, "rule", index < lines.length && lines[index] === "" ? "yes" : "");
    });
    const above = side === "bids";
    const { offsetTop, offsetHeight } = this.body;
    const top = offsetTop + node.offsetTop;
    this.card.style.top = above ? "" : `${top + node.offsetHeight + 2}px`;
    this.card.style.bottom = above ? `calc(100% - ${Math.min(top, offsetTop + offsetHeight) - 2}px)` : "";
  }

  /** One line below: what is refused or left out, else how far each venue is verified. */
  #tell(refusal, excluded) {
    const resyncs = this.focus.resyncs.gap + this.focus.resyncs.checksum;
    const verified = this.focus.venues.map((venue) => verifiedWords(venue, this.market.checks.get(venue), this.focus.books.get(venue)));
    const rest = excluded.length ? `excluded: ${excluded.join(", ")}` : verified.filter(Boolean).join(" · ") || "point at or tap a level: who quotes it, what it costs to get there";
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
    const button = within(element("button", "venue-switch"), element("i", `swatch venue-${index}`), element("span", "name", venue), mark);
    button.type = "button";
    button.addEventListener("click", () => this.view.switchVenue(venue));
    return { venue, mark, button, node: within(element("li"), button) };
  }

  #renderChip({ venue, node, mark, button }) {
    const state = this.focus.inputs[venue]?.st ?? this.market.cell(this.focus.instrument, venue)?.state ?? "connecting";
    const isOff = this.view.off.has(venue);
    setData(node, "state", isOff ? "off" : state);
    button.ariaPressed = String(!isOff);
    setText(mark, state === "live" ? "" : glyph(state));
    if (isOff) return `${venue} (switched off)`;
    return state === "live" ? "" : `${venue} (${state})`;
  }

  #ask(target) {
    const node = target?.closest?.("tr[data-side]");
    const row = node && this.table.rows[node.dataset.side][Number(node.dataset.depth)];
    this.asked = row ? { node, row } : null;
    this.#renderCard();
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
