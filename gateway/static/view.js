/** What the reader has chosen to see: one object that all panels read, kept in the address so that a link shows the same. */

import { MULTIPLES, nextMultiple } from "./grouping.js";

/** In the order of their keys; the last three share one place on a desk. */
export const PANELS = ["market", "ladder", "books", "trades", "depth", "edges", "latency"];
export const DECK = ["depth", "edges", "latency"];

const CHOICES = { totals: ["base", "quote"], books: ["axis", "tops"], chart: ["overlay", "stacked"], deck: DECK };
const MAX_TRIM = 20; // rows a side that can be taken away by hand

export class View {
  /**
   * @param {function(string): string} read one parameter of the address, "" when absent
   * @param {function(string, string): void} write one; "" removes it
   * @param {function(): void} onChange asks for a render
   */
  constructor(read, write, onChange) {
    Object.assign(this, { write, onChange });
    const group = Number(read("group"));
    this.multiple = MULTIPLES.includes(group) ? group : 0; // 0: the ladder by levels, the axis by what fits
    this.off = new Set(read("off").split(",").filter(Boolean));
    for (const [name, values] of Object.entries(CHOICES)) this[name] = values.includes(read(name)) ? read(name) : values[0];
    this.trim = 0;
    this.isLocked = false;
    this.frozen = null;
    this.recentred = 0;
  }

  /** Choose one of a panel's ways to show: totals, books, chart or deck. */
  choose(name, value) {
    this[name] = value;
    this.write(name, value === CHOICES[name][0] ? "" : value);
    this.onChange();
  }

  /** Go on to the other way, of two. */
  toggle(name) {
    this.choose(name, CHOICES[name].find((value) => value !== this[name]));
  }

  /** Group prices by this many ticks; 0 is each level by itself. */
  group(multiple) {
    this.multiple = multiple;
    this.write("group", multiple ? String(multiple) : "");
    this.onChange();
  }

  /** One step coarser (1) or finer (-1); finer than 1x is each level by itself. */
  regroup(direction) {
    if (this.multiple === 0) this.group(direction > 0 ? MULTIPLES[0] : 0);
    else this.group(this.multiple === MULTIPLES[0] && direction < 0 ? 0 : nextMultiple(this.multiple, direction));
  }

  /** Switch one venue off or on, for all panels of the focused instrument. */
  switchVenue(venue) {
    if (!this.off.delete(venue)) this.off.add(venue);
    this.write("off", [...this.off].join(","));
    this.onChange();
  }

  /** Show one row a side more (1) or less (-1), down to a few and up to what fits. */
  deepen(direction) {
    this.trim = Math.max(0, Math.min(MAX_TRIM, this.trim - direction));
    this.onChange();
  }

  /** Hold everything as it is, or go on; `mark` is what the drift is measured against. */
  freeze(mark) {
    this.frozen = this.frozen ? null : mark;
    this.onChange();
  }

  /** Put the middle of the axis back to the middle of the market. */
  recentre() {
    this.recentred += 1;
    this.onChange();
  }

  /** Keep the axis where it is though the market leaves it, or follow again. */
  lock() {
    this.isLocked = !this.isLocked;
    this.onChange();
  }
}
