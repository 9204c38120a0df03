/** Latency by hop: each number beside what it measures, its samples and their window. */

import { element, setData, setParts, setSpan, setText, within } from "./dom.js";
import { duration } from "./words.js";

const PERCENTILES = ["p50", "p95", "p99", "max"];
const PATH = ["decode", "append", "stream", "apply", "merge", "publish", "pubsub", "fanout"];
const BY_DESIGN = "hold";
const WAY = ["decode", "append", "stream", "apply", "merge", "publish", "pubsub", BY_DESIGN, "fanout", "browser", "paint"];
const LEAST = 0.004; // of the scale: a hop of microseconds is still seen
const ROOM = 1.35; // of the way's length: so that whiskers of late hops have room

/**
 * The waterfall: where each hop of the way begins and ends when all take their median, and how far its 99th percentile goes.
 * @param {Map<string, {p50: number, p99: number}>} summaries by hop; those without a sample are absent
 * @returns {Map<string, {from: number, to: number, whisker: number}>} in 0..1 of the scale, in the order of the way
 */
export function waterfall(summaries) {
  const held = WAY.filter((hop) => summaries.has(hop));
  const scale = ROOM * held.reduce((sum, hop) => sum + summaries.get(hop).p50, 0);
  let at = 0;
  return new Map(held.map((hop) => {
    const { p50, p99 } = summaries.get(hop);
    const from = at;
    at += p50;
    return [hop, { from: from / scale, to: at / scale, whisker: Math.min(1, (from + p99) / scale) }];
  }));
}

/**
 * The hops in the order given, each with the lines of all services that measured it.
 * @param {Array<{hop: string, by: string}>} lines
 * @returns {Map<string, Array>}
 */
export function grouped(lines) {
  const groups = new Map();
  for (const line of lines) groups.set(line.hop, [...(groups.get(line.hop) ?? []), line]);
  return groups;
}

/** The line to show of a hop: the chosen service's where several measured it, else the slowest. */
export function chosen(lines, by) {
  const measured = lines.filter((line) => line.count > 0);
  if (by && lines.length > 1) return measured.find((line) => line.by === by) ?? null;
  return measured.reduce((worst, line) => (worst && worst.p50 >= line.p50 ? worst : line), null);
}

/** The mean over all services' samples: means add up, percentiles do not. */
export function mean(lines) {
  const count = lines.reduce((sum, line) => sum + (line.count ?? 0), 0);
  return count ? lines.reduce((sum, line) => sum + (line.mean ?? 0) * (line.count ?? 0), 0) / count : 0;
}

/** What a person calls a service: of "ingest:kraken" the venue. */
function serviceName(by) {
  return by.slice(by.indexOf(":") + 1);
}

/** The whole way first, then hop by hop in its order, then the rest. */
function rank(hop) {
  if (hop === "total") return -2;
  if (hop === "engine") return -1;
  return WAY.includes(hop) ? WAY.indexOf(hop) : WAY.length;
}

export class LatencyPanel {
  /**
   * @param {{table: HTMLTableElement, path: HTMLElement, by: HTMLSelectElement}} nodes
   * @param {function(): void} onChoose asks for a render
   */
  constructor(nodes, onChoose) {
    Object.assign(this, nodes);
    this.hops = new Map();
    this.rows = new Map();
    this.by.addEventListener("change", onChoose);
    this.words = element("p", "path-words");
    this.parts = new Map(PATH.map((hop, index) => [hop, element("i", `fill step-${index}`)]));
    within(this.path, this.words, within(element("div", "track"), ...this.parts.values()));
  }

  /** Take a `metrics` message. */
  take(message) {
    this.hops = grouped(message.hops ?? []);
    const names = [...this.hops.values()].flatMap((lines) => (lines.length > 1 ? lines.map((line) => line.by) : []));
    const known = [...this.by.options].map((option) => option.value);
    for (const name of new Set(names)) if (!known.includes(name)) this.by.add(new Option(serviceName(name), name));
  }

  /** Show the gateway's hops and then the page's own. */
  render(pageHops) {
    const [here, gateway] = [this.table.tBodies[1], this.table.tBodies[0]];
    this.shown = new Map();
    for (const lines of this.hops.values()) this.#renderHop(lines, gateway);
    for (const line of pageHops) this.#renderHop([line], here);
    this.#order(gateway);
    this.#renderPath();
    this.#renderWaterfall();
  }

  #renderHop(lines, body) {
    const [hop] = lines;
    const row = this.rows.get(hop.hop) ?? this.#build(hop.hop, body);
    const summary = chosen(lines, this.by.value);
    setData(row.node, "empty", summary ? "" : "yes");
    for (const name of PERCENTILES) setText(row[name], summary ? duration(summary[name]) : "–");
    setText(row.what, hop.what ?? "");
    row.what.title = `${hop.what ?? ""} From ${hop.from} to ${hop.to}; clock: ${hop.clock}.`;
    const slowest = lines.length > 1 && !this.by.value ? `slowest of ${lines.length}: ` : "";
    const samples = summary ? `· ${slowest}${serviceName(summary.by)}, last ${Math.round(summary.window_s)} s, n ${summary.count.toLocaleString("en")} since start` : "· no sample";
    setText(row.samples, samples);
    if (summary) this.shown.set(hop.hop, summary);
  }

  #build(hop, body) {
    const row = { name: element("span", "hop", hop), what: element("span", "what"), samples: element("span", "samples"), track: element("div", "track") };
    const title = element("th");
    title.scope = "row";
    const step = PATH.indexOf(hop);
    const swatch = element("i", step < 0 ? "swatch" : `swatch step-${step}`);
    within(title, swatch, row.name);
    const numbers = PERCENTILES.map((name) => (row[name] = element("td", name)));
    const told = within(element("td", "told"), within(element("p"), row.what, " ", row.samples), row.track);
    told.colSpan = PERCENTILES.length + 1;
    row.node = within(element("tr", "numbers"), title, ...numbers);
    row.second = within(element("tr", "meaning"), told);
    body.append(row.node, row.second);
    this.rows.set(hop, row);
    return row;
  }

  /** Hops may become known in any order; rows are moved only when one stands wrong. */
  #order(body) {
    const known = [...this.rows].filter(([, row]) => row.node.parentElement === body);
    const sorted = [...known].sort(([one], [other]) => rank(one) - rank(other));
    if (known.every((entry, index) => entry === sorted[index])) return;
    for (const [hop, row] of sorted) {
      body.append(row.node, row.second);
      this.rows.delete(hop);
      this.rows.set(hop, row);
    }
  }

  #renderWaterfall() {
    const places = waterfall(this.shown);
    for (const [hop, row] of this.rows) {
      const { from = 0, to = 0, whisker = 0 } = places.get(hop) ?? {};
      const end = Math.max(to, from && from + LEAST);
      setParts(row.track, [["transparent", from], ["var(--accent)", end - from], ["var(--line-strong)", Math.max(0, whisker - end)]]);
    }
  }

  /** Means add up along the path, percentiles do not: so the bar is made of means. */
  #renderPath() {
    const meanOf = (hop) => mean(this.hops.get(hop) ?? []);
    const sum = PATH.reduce((total, hop) => total + meanOf(hop), 0);
    let from = 0;
    for (const hop of PATH) {
      const to = from + (sum ? meanOf(hop) / sum : 0);
      setSpan(this.parts.get(hop), from, to);
      from = to;
    }
    const hold = meanOf(BY_DESIGN);
    setText(this.words, sum ? `mean, socket read to gateway write: ${duration(sum)} of work and ${duration(hold)} held for the tick by design` : "no samples yet");
  }
}
