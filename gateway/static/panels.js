/** All panels: which exist, which are in sight, and how each is opened and rendered. */

import { AxisLadders } from "./axisladders.js";
import { ConsolidatedPanel } from "./consolidated.js";
import { DepthChart } from "./depthchart.js";
import { setData, setText } from "./dom.js";
import { EdgesPanel } from "./edges.js";
import { MULTIPLES } from "./grouping.js";
import { LatencyPanel } from "./latency.js";
import { Matrix } from "./matrix.js";
import { Tape } from "./tape.js";
import { VenuePanels } from "./venues.js";
import { DECK, PANELS } from "./view.js";

/** One panel at a time up to here; the deck's three at once from there. */
export const SMALL = matchMedia("(max-width: 899px)");
export const WIDE = matchMedia("(min-width: 1900px)");

/** How often a panel is drawn at most, in ms: charts and lists are read, not watched. The ladders follow every frame. */
const PACE_MS = { market: 240, trades: 150, depth: 240, edges: 240, latency: 950 };
const BUDGET_MS = 1; // of a frame's 16.7, to write panels in; the others wait for the next. Layout and paint cost several times as much
const NEVER_MS = -1e9;
const MIN_ROWS = 5;
const MAX_ROWS = 40;
const HEADER_PX = 29; // each venue ladder carries its own

const byId = (id) => document.getElementById(id);

export class Panels {
  /**
   * @param {Market} market
   * @param {View} view
   * @param {{focusOn: function(string): void, mark: function(...string): void}} page
   */
  constructor(market, view, page) {
    Object.assign(this, { market, view, page });
    this.tab = "ladder";
    this.drawnMs = new Map();
    this.matrix = new Matrix(byId("matrix"), byId("market-detail"), market, page.focusOn, byId("market-sort"));
    const ladder = { title: byId("ladder-title"), legend: byId("ladder-venues"), body: byId("ladder-body"), detail: byId("ladder-detail"), card: byId("ladder-card") };
    this.ladder = new ConsolidatedPanel(ladder, market, view);
    this.tops = new VenuePanels({ title: byId("books-title"), body: byId("books") }, market, view);
    this.axis = new AxisLadders(market, view);
    const tape = { title: byId("trades-title"), box: byId("tape-box"), newer: byId("trades-new"), body: byId("tape").tBodies[0], venue: byId("tape-venue"), least: byId("tape-least") };
    this.tape = new Tape(tape, market, () => page.mark("trades"));
    this.latency = new LatencyPanel({ table: byId("hops"), path: byId("path"), by: byId("latency-by") }, () => page.mark("latency"));
    const depth = { title: byId("depth-title"), canvas: byId("depth-canvas"), mode: byId("depth-mode"), read: byId("depth-read"), table: byId("depth-table") };
    this.depth = new DepthChart(depth, market, view);
    const edges = { title: byId("edges-title"), pairs: byId("pairs"), notes: byId("edges-notes"), log: byId("episodes"), told: byId("episodes-told"), save: byId("episodes-save") };
    this.edges = new EdgesPanel(edges, market, view);
    this.#buildControls();
  }

  /** Start all over with another instrument. */
  open(focus) {
    this.focus = focus;
    for (const panel of [this.ladder, this.tops, this.axis, this.depth, this.edges]) panel.open(focus);
    this.tape.open(focus.instrument);
    this.drawnMs.clear();
    this.#arrange();
  }

  /** The names of the panels in sight. */
  visible() {
    if (SMALL.matches) return new Set([this.tab]);
    return new Set(PANELS.filter((name) => WIDE.matches || !DECK.includes(name) || name === this.view.deck));
  }

  /** Make a panel the one in sight, or where there are several put the focus into it. */
  turnTo(name) {
    this.tab = name;
    document.body.dataset.panel = name;
    if (DECK.includes(name) && name !== this.view.deck) this.view.choose("deck", name);
    for (const tab of byId("tabs").children) {
      tab.ariaSelected = String(tab.dataset.panel === name);
      tab.tabIndex = tab.dataset.panel === name ? 0 : -1;
    }
  }

  /** The room for rows may have changed: measure it before the next render. */
  resized() {
    this.rows = null;
    this.drawnMs.clear();
  }

  /** The view changed: say so on every control. */
  viewChanged() {
    this.rows = null;
    this.#arrange();
    this.drawnMs.clear();
  }

  /** Colours were looked up for canvases: they follow the theme. */
  themeChanged() {
    this.depth.themeChanged();
    this.drawnMs.clear();
  }

  /**
   * Render those of these panels that are in sight, as many as a frame has time for; who has waited longest is first.
   * @param {Set<string>} due
   * @param {{now: number, leastMs: number, pageHops: function(): Array}} frame leastMs: between two drawings of a panel;
   *   pageHops gives the hops only this page can measure
   * @returns {{early: string[], late: string[]}} those that rest since they were drawn, those for which no time was left
   */
  render(due, { now, leastMs, pageHops }) {
    const shown = this.visible();
    const drawn = (name) => this.drawnMs.get(name) ?? NEVER_MS;
    const wanted = PANELS.filter((name) => due.has(name) && shown.has(name));
    const early = wanted.filter((name) => now - drawn(name) < Math.max(leastMs, PACE_MS[name] ?? 0));
    const turn = wanted.filter((name) => !early.includes(name)).sort((one, other) => drawn(one) - drawn(other));
    this.rows ??= rowsThatFit(this.view.trim);
    const until = performance.now() + BUDGET_MS;
    const late = turn.filter((name, index) => {
      if (index > 0 && performance.now() > until) return true;
      this.drawnMs.set(name, now);
      this.#render(name, now, this.rows, pageHops);
      return false;
    });
    return { early, late };
  }

  #render(name, now, rows, pageHops) {
    if (name === "market") this.matrix.render(now, this.focus.instrument);
    else if (name === "ladder") this.ladder.render(rows.ladder);
    else if (name === "books") this.#renderBooks(rows, now);
    else if (name === "trades") this.tape.render();
    else if (name === "latency") this.latency.render(pageHops());
    else this[name].render(now);
  }

  #renderBooks(rows, now) {
    if (this.view.books === "axis") this.axis.render(rows.axis, now);
    else this.tops.render(rows.tops, now);
    setText(byId("books-step"), this.view.books === "axis" && this.axis.multiple ? `${this.axis.multiple}× tick${this.view.multiple ? "" : ", fitted"}` : "");
  }

  #buildControls() {
    const { view } = this;
    byId("group").replaceChildren(new Option("levels", "0"), ...MULTIPLES.map((multiple) => new Option(`${multiple}×`, String(multiple))));
    byId("group").addEventListener("change", (event) => view.group(Number(event.target.value)));
    byId("books-mode").addEventListener("click", () => view.toggle("books"));
    byId("books-lock").addEventListener("click", () => view.lock());
    byId("books-centre").addEventListener("click", () => view.recentre());
    for (const button of byId("deck-tabs").children) button.addEventListener("click", () => view.choose("deck", button.dataset.panel));
  }

  /** Put the chosen of two bodies in place, and the choices onto their controls. */
  #arrange() {
    const { view } = this;
    byId("group").value = String(view.multiple);
    const isAxis = view.books === "axis";
    setText(byId("books-mode"), isAxis ? "one axis" : "own tops");
    for (const id of ["books-lock", "books-centre"]) byId(id).hidden = !isAxis;
    byId("books-lock").ariaPressed = String(view.isLocked);
    setText(byId("books-lock"), view.isLocked ? "locked" : "lock");
    document.body.dataset.deck = view.deck;
    for (const button of byId("deck-tabs").children) button.ariaPressed = String(button.dataset.panel === view.deck);
    setData(byId("panel-books"), "mode", view.books);
    if (isAxis && this.axis.node.parentElement === null) byId("books").replaceChildren(this.axis.node);
    else if (!isAxis) this.tops.place();
  }
}

/** How many rows fit into the ladder panels as they are laid out now: a side, and on the axis in all. */
function rowsThatFit(trim) {
  const style = getComputedStyle(document.documentElement);
  const row = parseInt(style.getPropertyValue("--row"), 10);
  const taken = parseInt(style.getPropertyValue("--ladder-taken"), 10);
  const axisTaken = parseInt(style.getPropertyValue("--axis-taken"), 10);
  const clamp = (count) => Math.max(MIN_ROWS, Math.min(MAX_ROWS, Math.floor(count) - trim));
  const books = byId("books").clientHeight;
  return {
    ladder: clamp((byId("ladder-body").clientHeight - taken) / row / 2),
    tops: clamp((books - HEADER_PX - taken) / row / 2),
    axis: Math.max(2 * MIN_ROWS, Math.min(2 * MAX_ROWS, Math.floor((books - axisTaken) / row) - 2 * trim)),
  };
}
