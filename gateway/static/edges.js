/**
 * Spread and arbitrage: what buying on one venue and selling on another leaves, net of both taker
 * fees, walked through both books; and the best such pair of every instrument by its best prices.
 */

import { barred, caveats, currencies, otherQuotes, walk } from "./arbitrage.js";
import { element, setData, setText, within } from "./dom.js";
import { Episodes, histogram } from "./episodes.js";
import { clock, duration } from "./words.js";

const DEFAULT_DECIMALS = 8;
const LISTED = 8; // episodes shown; the export has all
const DURATIONS_US = [500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000];
const LOOK_MS = 500; // edges are looked for this often: shorter ones are not seen, and that is said

export class EdgesPanel {
  /**
   * @param {{title: HTMLElement, pairs: HTMLTableElement, notes: HTMLElement, log: HTMLTableElement, told: HTMLElement, save: HTMLButtonElement}} nodes
   * @param {Market} market
   * @param {View} view
   */
  constructor(nodes, market, view) {
    Object.assign(this, nodes, { market, view });
    this.episodes = new Episodes();
    this.lookedMs = -Infinity;
    this.rows = [];
    this.save.addEventListener("click", () => save("edges.csv", this.episodes.csv()));
  }

  /** Start over with another instrument; what was seen of others stays in the log. */
  open(focus) {
    this.focus = focus;
    setText(this.title, "Edges");
    const corner = element("th", "corner", "buy ╲ sell");
    corner.scope = "col";
    const heads = focus.venues.map((venue) => this.#venueHead(venue, "col"));
    this.pairs.tHead.replaceChildren(within(element("tr"), corner, ...heads.map(({ node }) => node)));
    this.rows = focus.venues.map((venue) => this.#buildRow(venue, focus.venues));
    this.heads = heads;
    this.pairs.tBodies[0].replaceChildren(...this.rows.map(({ node }) => node));
  }

  /** Show all pairs as they are now. */
  render(nowMs) {
    const { instrument, venues } = this.focus;
    for (const head of [...this.heads, ...this.rows.map(({ head }) => head)]) this.#renderHead(head);
    for (const row of this.rows) for (const cell of row.cells) if (cell.sell !== row.buy) this.#renderCell(row.buy, cell, nowMs);
    const { quote } = currencies(instrument);
    const others = otherQuotes(instrument, this.market.instruments.map(({ name }) => name));
    const unset = venues.filter((venue) => (this.market.fees.get(venue) ?? null) === null);
    const fees = unset.length ? `Gross where a fee is not set (${unset.join(", ")}). ` : "Net of both taker fees. ";
    setText(this.notes, `${fees}All in ${quote}${others.length ? `; ${others.join(", ")} is another currency and never crossed with it` : ""}.`);
    if (nowMs - this.lookedMs >= LOOK_MS) this.#look(nowMs);
  }

  #venueHead(venue, scope) {
    const index = this.market.venues.indexOf(venue);
    const fee = element("span", "fee");
    const node = within(element("th"), element("i", `swatch venue-${index}`), element("span", "name", venue), fee);
    node.scope = scope;
    return { venue, node, fee };
  }

  #buildRow(buy, venues) {
    const head = this.#venueHead(buy, "row");
    const cells = venues.map((sell) => {
      const [edge, size] = [element("b", "edge"), element("span", "size")];
      const node = within(element("td"), edge, size);
      if (sell === buy) node.className = "self";
      return { sell, node, edge, size };
    });
    return { buy, head, cells, node: within(element("tr"), head.node, ...cells.map(({ node }) => node)) };
  }

  #renderHead({ venue, node, fee }) {
    const bps = this.market.fees.get(venue) ?? null;
    setText(fee, bps === null ? "gross" : `${bps} bps`);
    const state = this.market.cell(this.focus.instrument, venue)?.state ?? "connecting";
    setData(node, "state", this.view.off.has(venue) ? "off" : state);
  }

  /** A venue as the gate sees it. */
  #standing(instrument, venue, nowMs) {
    const cell = this.market.cell(instrument, venue);
    return { venue, state: cell?.state ?? "connecting", flags: cell?.flags ?? [], ageMs: cell ? this.market.age(cell, nowMs) : null };
  }

  #renderCell(buy, { sell, node, edge, size }, nowMs) {
    const { instrument } = this.focus;
    const both = [buy, sell].map((venue) => this.#standing(instrument, venue, nowMs));
    const off = [buy, sell].find((venue) => this.view.off.has(venue));
    const why = off ? `${off} is switched off` : barred(both);
    const found = why ? null : this.#walk(instrument, buy, sell);
    setData(node, "kind", why ? "barred" : found?.pays ? "pays" : "");
    setText(edge, found ? signed(found.edge) : "–");
    const said = caveats(both, this.market.fees);
    setText(size, why ? why.replace(/ is /, " ") : found?.pays ? `${found.isWhole ? "" : "≥ "}${found.size}` : "");
    node.title = why || !found ? why : pairWords(found, buy, sell, said, both, currencies(instrument));
    setData(node, "caveat", said.some((words) => !words.startsWith("gross")) ? "yes" : "");
  }

  #decimals(instrument) {
    const known = this.market.instrument(instrument) ?? {};
    return { price: known.price_decimals ?? DEFAULT_DECIMALS, size: known.size_decimals ?? DEFAULT_DECIMALS };
  }

  #walk(instrument, buy, sell) {
    const [asks, bids] = [this.#side(instrument, buy, "asks"), this.#side(instrument, sell, "bids")];
    const fees = { buy: this.market.fees.get(buy) ?? null, sell: this.market.fees.get(sell) ?? null };
    return walk(asks, bids, fees, this.#decimals(instrument));
  }

  /** The whole known book of the focused instrument; of others, and until it has come, the best price. */
  #side(instrument, venue, side) {
    const book = instrument === this.focus.instrument ? this.focus.books.get(venue) : null;
    if (book?.[side].length) return book[side];
    const cell = this.market.cell(instrument, venue);
    const [price, size] = side === "asks" ? [cell?.ask, cell?.askSize] : [cell?.bid, cell?.bidSize];
    return price && size ? [{ price, size }] : [];
  }

  /** Look through every instrument's pairs, and keep what pays as an episode. */
  #look(nowMs) {
    this.lookedMs = nowMs;
    const found = [];
    for (const { name, venues } of this.market.instruments) {
      for (const buy of venues) for (const sell of venues) if (buy !== sell) this.#consider(name, buy, sell, nowMs, found);
    }
    this.episodes.take(found, Math.round((performance.timeOrigin + nowMs) * 1000));
    this.#renderLog();
  }

  #consider(instrument, buy, sell, nowMs, found) {
    const both = [buy, sell].map((venue) => this.#standing(instrument, venue, nowMs));
    if (barred(both)) return;
    const result = this.#walk(instrument, buy, sell);
    if (result?.pays) found.push({ instrument, buy, sell, edge: result.edge, size: result.size, caveats: caveats(both, this.market.fees) });
  }

  #renderLog() {
    const shown = this.episodes.all().slice(0, LISTED);
    const body = this.log.tBodies[0];
    while (body.rows.length < shown.length) body.append(within(element("tr"), ...Array.from({ length: 6 }, () => element("td"))));
    [...body.rows].forEach((row, index) => {
      const one = shown[index];
      row.hidden = !one;
      if (!one) return;
      const isOpen = this.episodes.open.has(`${one.instrument} ${one.buy} ${one.sell}`) && index < this.episodes.open.size;
      setData(row, "open", isOpen ? "yes" : "");
      const lasted = isOpen ? "now" : one.endUs > one.startUs ? duration(one.endUs - one.startUs) : "< 0.5 s";
      const texts = [clock(one.startUs), one.instrument, `${one.buy} → ${one.sell}`, signed(one.edge), one.size, lasted];
      texts.forEach((text, at) => setText(row.cells[at], text));
    });
    const { ended, open } = this.episodes;
    const counts = histogram(ended, DURATIONS_US);
    const named = counts.map((count, at) => (count ? `${count} ${at < DURATIONS_US.length ? `≤ ${DURATIONS_US[at] / 1e6}` : "> 10"} s` : "")).filter(Boolean);
    const lasted = named.length ? `: ${named.join(", ")}` : "";
    setText(this.told, ended.length + open.size ? `${open.size} open, ${ended.length} ended while this was shown${lasted}. Looked for twice a second.` : "None while this was shown; looked for twice a second.");
    this.save.disabled = ended.length + open.size === 0;
  }
}

function signed(text) {
  return text.startsWith("-") ? `−${text.slice(1)}` : `+${text}`;
}

function pairWords(found, buy, sell, said, both, { base, quote }) {
  const ages = both.map(({ venue, ageMs }) => `${venue} ${Math.round(ageMs)} ms`).join(", ");
  const size = found.pays ? `; gone after ${found.isWhole ? "" : "at least "}${found.size} ${base}, ${found.profit} ${quote} in all` : "";
  return `buy on ${buy}, sell on ${sell}: ${signed(found.edge)} bps${size}; age ${ages}${said.length ? `; ${said.join(", ")}` : ""}`;
}

/** Hand the reader a file. */
function save(name, text) {
  const link = element("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
