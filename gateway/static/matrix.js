/** The market matrix: every book, instruments down and venues across; arrows move, Enter focuses. */

import { basisPoints, padZeros } from "./decimals.js";
import { drawn, element, setData, setSpan, setText, within } from "./dom.js";
import { polyline } from "./history.js";
import { ORDERS, sortedNames } from "./sorting.js";
import { age, glyph, shortFlags, stateWords } from "./words.js";

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const LONG = 9; // characters of a price from which a cell needs a smaller face
const LINE = { width: 40, height: 14 }; // of a minute's middle
const LINE_MS = 1_000;
const SORT_MS = 2_000; // rows that jump more often can't be read
const OLD_MS = 5_000; // an age bar is full
const AGE_STEPS = 20; // of an age bar: it need not creep
const MANY = 6; // venues that fit side by side with all that is said of a book; many.css is for more
const PARTS = ["bid", "ask", "spread", "mark", "age"];

export class Matrix {
  /**
   * @param {HTMLTableElement} table
   * @param {HTMLElement} detail where the cell under the pointer or focus is told in full
   * @param {Market} market
   * @param {function(string): void} onFocus called with the chosen instrument
   * @param {HTMLButtonElement} sort goes on to the next order
   */
  constructor(table, detail, market, onFocus, sort) {
    Object.assign(this, { table, detail, market, onFocus, sort });
    this.rows = [];
    this.order = ORDERS[0];
    this.linedMs = -Infinity;
    this.sortedMs = -Infinity;
    sort.addEventListener("click", () => this.#nextOrder());
    this.asked = null;
    this.#build();
    table.addEventListener("click", (event) => this.#choose(event.target));
    table.addEventListener("keydown", (event) => this.#key(event));
    table.addEventListener("pointerover", (event) => this.#ask(event.target));
    table.addEventListener("pointerleave", () => this.#ask(document.activeElement));
    table.addEventListener("focusin", (event) => this.#ask(event.target));
  }

  /** Show what the market knows now. */
  render(nowMs, focused) {
    if (nowMs - this.sortedMs >= SORT_MS) this.#sort(nowMs);
    this.isLining = nowMs - this.linedMs >= LINE_MS;
    if (this.isLining) this.linedMs = nowMs;
    for (const row of this.rows) this.#renderRow(row, nowMs, row.name === focused);
    this.#tell(nowMs);
  }

  #build() {
    const head = within(element("tr"), column("Instrument"), ...this.market.venues.map(column), column("60 s"), column("Cross"));
    this.table.tHead.replaceChildren(head);
    setData(document.body, "many", this.market.venues.length > MANY ? "yes" : "");
    this.rows = this.market.instruments.map(({ name }) => this.#buildRow(name));
    this.table.tBodies[0].replaceChildren(...this.rows.map((row) => row.node));
    if (this.rows[0]) this.rows[0].cells.find((cell) => cell.parts).node.tabIndex = 0;
  }

  #buildRow(name) {
    const title = element("th", "name", name);
    title.scope = "row";
    const cells = this.market.venues.map((venue) => buildCell(name, venue, this.market.cell(name, venue)));
    const all = element("td", "all");
    const line = drawn("polyline", {});
    const drawing = within(drawn("svg", { viewBox: `0 0 ${LINE.width} ${LINE.height}`, "aria-hidden": "true" }), line);
    const node = within(element("tr"), title, ...cells.map((cell) => cell.node), within(element("td", "minute"), drawing), all);
    return { name, node, cells, all, line };
  }

  #nextOrder() {
    this.order = ORDERS[(ORDERS.indexOf(this.order) + 1) % ORDERS.length];
    setText(this.sort, this.order);
    this.#sort(performance.now(), true);
  }

  /** Put the rows into their order; not while one is pointed at or holds the focus. */
  #sort(nowMs, isAsked = false) {
    this.sortedMs = nowMs;
    if (!isAsked && (this.asked || this.table.contains(document.activeElement))) return;
    const names = sortedNames(this.market.instruments.map(({ name }) => name), this.order, this.market, nowMs);
    if (names.every((name, index) => this.rows[index].name === name)) return;
    const byName = new Map(this.rows.map((row) => [row.name, row]));
    this.rows = names.map((name) => byName.get(name));
    this.table.tBodies[0].append(...this.rows.map(({ node }) => node));
  }

  #renderRow(row, nowMs, isFocused) {
    setData(row.node, "focused", isFocused ? "yes" : "");
    const best = this.market.bestVenues(row.name);
    const longest = Math.max(...row.cells.map(({ parts }) => parts?.ask.textContent.length ?? 0));
    setData(row.node, "long", longest >= LONG ? "yes" : "");
    for (const cell of row.cells) if (cell.parts) this.#renderCell(row.name, cell, best, nowMs);
    if (this.isLining) row.line.setAttribute("points", polyline(this.market.history(row.name).values, LINE.width, LINE.height));
    const quote = this.market.quotes.get(row.name);
    const spread = quote?.bid && quote.ask ? basisPoints(quote.ask, quote.bid) : "";
    setText(row.all, quote?.crossed ? `✕${spread}` : spread);
    setData(row.all, "crossed", quote?.crossed ? "yes" : "");
  }

  #renderCell(name, { node, venue, parts, why, bar }, best, nowMs) {
    const book = this.market.cell(name, venue);
    const places = this.market.places.get(name);
    setData(node, "state", book.state);
    setData(parts.bid, "best", best.bid.has(venue) ? "yes" : "");
    setData(parts.ask, "best", best.ask.has(venue) ? "yes" : "");
    setText(parts.mark, glyph(book.state));
    const ageMs = this.market.age(book, nowMs);
    setSpan(bar, 0, Math.min(1, Math.round(((ageMs ?? 0) / OLD_MS) * AGE_STEPS) / AGE_STEPS));
    if (book.state !== "live") {
      setText(why, `${glyph(book.state)} ${book.state}${book.why ? `: ${book.why}` : ""}`);
      return;
    }
    setText(parts.bid, book.bid ? padZeros(book.bid, places) : "–");
    setText(parts.ask, book.ask ? padZeros(book.ask, places) : "–");
    setData(parts.spread, "flags", book.flags.length ? "yes" : "");
    setText(parts.spread, book.flags.length ? shortFlags(book.flags) : book.bid && book.ask ? basisPoints(book.ask, book.bid) : "");
    setText(parts.age, ageMs === null ? "" : age(ageMs));
  }

  #tell(nowMs) {
    if (!this.asked) return setText(this.detail, "bid · ask · spread in bps · state · age");
    const { name, venue } = this.asked;
    const book = this.market.cell(name, venue);
    const flags = book.flags.length ? `, ${book.flags.join(", ")}` : "";
    const ageMs = this.market.age(book, nowMs);
    const quote = book.bid && book.ask ? `bid ${book.bid} × ${book.bidSize}, ask ${book.ask} × ${book.askSize}; ` : "";
    return setText(this.detail, `${name} on ${venue}: ${quote}${stateWords(book)}${flags}${ageMs === null ? "" : `; ${age(ageMs)} old`}`);
  }

  #cellOf(target) {
    const node = target?.closest?.("td, th");
    return node && this.table.contains(node) ? node : null;
  }

  #ask(target) {
    const node = this.#cellOf(target);
    this.asked = node?.dataset.venue ? { name: node.dataset.name, venue: node.dataset.venue } : null;
    this.#tell(performance.now());
  }

  #choose(target) {
    const row = this.#cellOf(target)?.parentElement;
    const chosen = this.rows.find((candidate) => candidate.node === row);
    if (chosen) this.onFocus(chosen.name);
  }

  #key(event) {
    if (event.key === "Enter" || event.key === " ") this.#choose(event.target);
    else if (!(event.key in STEPS) || event.ctrlKey || event.metaKey || event.altKey) return;
    else this.#step(event.target, ...STEPS[event.key]);
    event.preventDefault();
  }

  /** Move the one tab stop; cells of books that are not listed are passed over. */
  #step(from, down, across) {
    let row = this.rows.findIndex((candidate) => candidate.node === from.parentElement);
    let at = this.rows[row]?.cells.findIndex((cell) => cell.node === from) ?? -1;
    let next;
    do {
      row += down;
      at += across;
      next = this.rows[row]?.cells[at];
    } while (next && !next.parts);
    if (!next) return;
    from.tabIndex = -1;
    next.node.tabIndex = 0;
    next.node.focus();
  }
}

function column(word) {
  const node = element("th", "", word);
  node.scope = "col";
  return node;
}

function buildCell(name, venue, listed) {
  const node = element("td", listed ? "book" : "absent");
  if (!listed) {
    node.setAttribute("aria-label", "not listed");
    return { node, venue, parts: null };
  }
  Object.assign(node.dataset, { name, venue });
  node.tabIndex = -1;
  const parts = Object.fromEntries(PARTS.map((part) => [part, element("span", part)]));
  const [why, bar] = [element("span", "why"), element("i", "fill")];
  within(node, within(element("div", "quote"), ...Object.values(parts)), why, bar);
  return { node, venue, parts, why, bar };
}
