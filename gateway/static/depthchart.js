/** The depth chart: how much stands within how many basis points of the middle, by venue, over one another or stacked. */

import { Surface } from "./canvas.js";
import { padBlanks, toUnits, fractionDigits } from "./decimals.js";
import { distanceAt, marks, position, reading, roundUp, spanOf, steps } from "./depth.js";
import { element, setData, setText, within } from "./dom.js";
import { bestOf, countedBooks } from "./middle.js";
import { stackSteps } from "./stacking.js";

const TABLE_MS = 1_000; // those who hear the table need no more
const TABLE_BPS = [1, 2, 5, 10, 20, 50];
const FOOT_PX = 18; // the axis' words
const HEAD_PX = 14; // above the highest step
const LINE_PX = 1.5;
const FILL = 0.16; // of the overlay's areas
const STACKED_FILL = 0.62;
const MIDDLE_PX = 62; // around the middle's own words
const MARK_GAP_PX = 34; // between two words of the axis
const HEIGHTS = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10]; // what the chart may be high, and its powers of ten
const DEFAULT_BPS = 10;
const DEFAULT_DECIMALS = 8;
const SIDES = ["bids", "asks"];

export class DepthChart {
  /**
   * @param {{title: HTMLElement, canvas: HTMLCanvasElement, mode: HTMLButtonElement, read: HTMLElement, table: HTMLTableElement}} nodes
   * @param {Market} market
   * @param {View} view
   */
  constructor(nodes, market, view) {
    Object.assign(this, nodes, { market, view });
    this.surface = new Surface(this.canvas);
    this.pointer = null;
    this.tabledMs = -Infinity;
    this.mode.addEventListener("click", () => view.toggle("chart"));
    this.canvas.addEventListener("pointermove", (event) => this.#point(event.offsetX));
    this.canvas.addEventListener("pointerleave", () => this.#point(null));
  }

  /** Start over with another instrument. */
  open(focus) {
    this.focus = focus;
    this.span = { nearest: Infinity, furthest: 0 };
    this.most = 0;
    setText(this.title, "Depth");
    this.lines = new Map(["", ...focus.venues].map((venue) => [venue, this.#line(venue)]));
    this.read.replaceChildren(this.#heading(), ...[...focus.venues, ""].map((venue) => this.lines.get(venue).node));
  }

  /** Draw what is known now. */
  render(nowMs) {
    const stacked = this.view.chart === "stacked";
    setText(this.mode, stacked ? "stacked" : "overlay");
    this.mode.ariaPressed = String(stacked);
    const known = this.market.instrument(this.focus.instrument) ?? {};
    this.decimals = { price: known.price_decimals ?? DEFAULT_DECIMALS, size: known.size_decimals ?? DEFAULT_DECIMALS };
    this.books = this.#steps();
    this.#draw(stacked);
    this.#read();
    if (nowMs - this.tabledMs >= TABLE_MS) this.#tabulate(nowMs);
  }

  /** Colours follow the theme. */
  themeChanged() {
    this.surface.forget();
  }

  /** Only live books count, as in the ladder; and not those that are switched off. */
  #steps() {
    const counted = countedBooks(this);
    const best = bestOf([...counted.values()]);
    if (!best) return new Map();
    const twiceMid = toUnits(best.bid, this.decimals.price) + toUnits(best.ask, this.decimals.price);
    const both = (book) => Object.fromEntries(SIDES.map((side) => [side, steps(book[side], side, twiceMid, this.decimals)]));
    return new Map([...counted].map(([venue, book]) => [venue, both(book)]));
  }

  #draw(stacked) {
    const area = this.surface.begin();
    if (!area) return;
    const all = [...this.books.values()].flatMap((book) => SIDES.map((side) => book[side].bps));
    this.span = spanOf(all, this.span);
    const layers = [...this.books].map(([venue, book]) => ({ venue, ...book }));
    const shown = stacked ? stackSteps(layers, 10 ** -this.decimals.size) : layers.map((layer) => plain(layer, 10 ** -this.decimals.size));
    const most = roundUp(Math.max(0, ...shown.flatMap((layer) => SIDES.map((side) => layer[side].top.at(-1) ?? 0))), HEIGHTS);
    if (most > this.most || most < this.most / 2) this.most = most;
    const key = `${this.span.nearest} ${this.span.furthest} ${this.most}`;
    this.surface.backdrop(key, (context) => this.#grid({ ...area, context }));
    for (const layer of stacked ? shown.reverse() : shown) for (const side of SIDES) this.#area(area, layer, side, stacked);
    this.#pointerLine(area);
  }

  #grid({ context, width, height }) {
    const [middle, bottom] = [width / 2, height - FOOT_PX];
    context.lineWidth = 1;
    context.strokeStyle = this.surface.colour("--line");
    context.fillStyle = this.surface.colour("--muted");
    context.font = "10.5px ui-monospace, monospace";
    context.textAlign = "center";
    let last = MIDDLE_PX - MARK_GAP_PX;
    for (const bps of marks(this.span)) {
      const offset = position(bps, this.span) * middle;
      line(context, middle - offset, HEAD_PX, middle - offset, bottom);
      line(context, middle + offset, HEAD_PX, middle + offset, bottom);
      if (offset - last < MARK_GAP_PX || middle - offset < MARK_GAP_PX / 2) continue;
      context.fillText(String(bps), middle + offset, height - 5);
      context.fillText(`−${bps}`, middle - offset, height - 5);
      last = offset;
    }
    context.fillText("mid, ± bps", middle, height - 5);
    context.textAlign = "left";
    for (const share of [0.5, 1]) {
      const y = bottom - share * (bottom - HEAD_PX);
      line(context, 0, y, width, y);
      context.fillText(String(Number((this.most * share).toPrecision(3))), 3, y - 3);
    }
    context.strokeStyle = this.surface.colour("--line-strong");
    line(context, middle, HEAD_PX, middle, bottom);
    line(context, 0, bottom, width, bottom);
  }

  #area({ context, width, height }, layer, side, stacked) {
    const { bps, top } = layer[side];
    if (bps.length === 0) return;
    const [middle, bottom] = [width / 2, height - FOOT_PX];
    const sign = side === "bids" ? -1 : 1;
    const x = (distance) => middle + sign * position(distance, this.span) * middle;
    const y = (sum) => bottom - (sum / this.most) * (bottom - HEAD_PX);
    const colour = this.surface.colour(`--venue-${this.market.venues.indexOf(layer.venue)}`);
    context.beginPath();
    context.moveTo(x(bps[0]), bottom);
    for (let i = 0; i < bps.length; i += 1) {
      context.lineTo(x(bps[i]), y(i === 0 ? 0 : top[i - 1]));
      context.lineTo(x(bps[i]), y(top[i]));
    }
    context.strokeStyle = colour;
    context.lineWidth = LINE_PX;
    context.stroke();
    context.lineTo(x(bps[bps.length - 1]), bottom);
    context.fillStyle = colour;
    context.globalAlpha = stacked ? STACKED_FILL : FILL;
    context.fill();
    context.globalAlpha = 1;
  }

  #pointerLine({ context, width, height }) {
    if (this.pointer === null) return;
    const mirrored = width - this.pointer;
    context.setLineDash([3, 3]);
    context.strokeStyle = this.surface.colour("--text");
    line(context, this.pointer, 0, this.pointer, height - FOOT_PX);
    context.strokeStyle = this.surface.colour("--line-strong");
    line(context, mirrored, 0, mirrored, height - FOOT_PX);
    context.setLineDash([]);
  }

  /** Where the pointer is, or a tenth of a percent when it is nowhere. */
  #distance() {
    const half = this.surface.size.width / 2;
    if (this.pointer === null || !half || !this.span.furthest) return DEFAULT_BPS;
    return distanceAt(Math.abs(this.pointer - half) / half, this.span);
  }

  #read() {
    const distance = this.#distance();
    setText(this.within, `within ${distance < 10 ? distance.toFixed(2) : distance.toFixed(1)} bps`);
    const sides = Object.fromEntries(SIDES.map((side) => [side, reading(this.books, side, distance, this.decimals.size)]));
    const texts = SIDES.flatMap((side) => sides[side].map(({ size }) => size));
    this.places = Math.max(this.places ?? 0, ...texts.map(fractionDigits));
    for (const [venue, line] of this.lines) {
      for (const side of SIDES) {
        const found = sides[side].find((one) => one.venue === venue);
        setText(line[side], found ? padBlanks(found.size, this.places) : "–");
        setData(line[side], "short", found && !found.reaches ? "yes" : "");
        line[side].title = found && !found.reaches ? "at least: the levels known here end nearer" : "";
      }
    }
  }

  #heading() {
    this.within = element("th", "within");
    this.within.scope = "col";
    const heads = ["bids", "asks"].map((side) => Object.assign(element("th", side, side), { scope: "col" }));
    return within(element("tr"), this.within, ...heads);
  }

  #line(venue) {
    const index = this.market.venues.indexOf(venue);
    const title = within(element("th"), element("i", venue ? `swatch venue-${index}` : "swatch"), venue || "all");
    title.scope = "row";
    const [bids, asks] = [element("td", "bids"), element("td", "asks")];
    return { bids, asks, node: within(element("tr"), title, bids, asks) };
  }

  #point(x) {
    this.pointer = x;
    if (!this.books) return;
    this.#draw(this.view.chart === "stacked");
    this.#read();
  }

  /** The chart in words: what stands within a few distances, in all. */
  #tabulate(nowMs) {
    this.tabledMs = nowMs;
    const body = this.table.tBodies[0];
    TABLE_BPS.forEach((bps, index) => {
      const row = body.rows[index] ?? within(body, within(element("tr"), element("th"), element("td"), element("td"))).rows[index];
      const totals = SIDES.map((side) => reading(this.books, side, bps, this.decimals.size).at(-1).size);
      [`${bps} bps`, ...totals].forEach((text, at) => setText(row.cells[at], text));
    });
  }
}

function plain(layer, unit) {
  return { venue: layer.venue, ...Object.fromEntries(SIDES.map((side) => [side, { bps: layer[side].bps, top: layer[side].sums.map((sum) => Number(sum) * unit) }])) };
}

function line(context, fromX, fromY, toX, toY) {
  context.beginPath();
  context.moveTo(Math.round(fromX) + 0.5, Math.round(fromY) + 0.5);
  context.lineTo(Math.round(toX) + 0.5, Math.round(toY) + 0.5);
  context.stroke();
}
