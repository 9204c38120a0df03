/** Latency by hop: each number beside what it measures, its samples and their window. */

import { element, setData, setSpan, setText, within } from "./dom.js";
import { duration } from "./words.js";

const PERCENTILES = ["p50", "p95", "p99", "max"];
const PATH = ["decode", "append", "stream", "apply", "merge", "publish", "pubsub", "fanout"];
const BY_DESIGN = "hold";
const SHORTEST_US = 1; // left end of the logarithmic bar
const DECADES = 7; // 1 µs to 10 s

/** Where a duration stands on the logarithmic bar, 0..1. */
export function position(us) {
  if (!(us > SHORTEST_US)) return 0;
  return Math.min(1, Math.log10(us / SHORTEST_US) / DECADES);
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

/** The whole way first, then hop by hop. */
function rank([hop]) {
  return hop === "total" ? 0 : hop === "engine" ? 1 : 2;
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
    this.parts = new Map(PATH.map((hop, index) => [hop, element("i", `step step-${index}`)]));
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
    for (const [, lines] of [...this.hops].sort((one, other) => rank(one) - rank(other))) this.#renderHop(lines, gateway);
    for (const line of pageHops) this.#renderHop([line], here);
    this.#renderPath();
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
    setSpan(row.bar, summary ? position(summary.p50) : 0, summary ? position(summary.p99) : 0);
  }

  #build(hop, body) {
    const row = { name: element("span", "hop", hop), what: element("span", "what"), samples: element("span", "samples"), bar: element("i", "range") };
    const title = element("th");
    title.scope = "row";
    const step = PATH.indexOf(hop);
    const swatch = element("i", step < 0 ? "swatch" : `swatch step-${step}`);
    within(title, swatch, row.name);
    const numbers = PERCENTILES.map((name) => (row[name] = element("td", name)));
    const track = within(element("div", "track"), row.bar);
    const told = within(element("td", "told"), within(element("p"), row.what, " ", row.samples), track);
    told.colSpan = PERCENTILES.length + 1;
    row.node = within(element("tr", "numbers"), title, ...numbers);
    row.second = within(element("tr", "meaning"), told);
    body.append(row.node, row.second);
    this.rows.set(hop, row);
    return row;
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
