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

/** The summary of one hop for one venue or service, or for all. */
export function summaryOf(hop, by) {
  if (!by) return hop.count === undefined ? null : hop;
  return hop.by?.[by] ?? null;
}

/** The whole way first, then hop by hop. */
function rank({ hop }) {
  return hop === "total" ? 0 : hop === "engine" ? 1 : 2;
}

export class LatencyPanel {
  /**
   * @param {{table: HTMLTableElement, path: HTMLElement, by: HTMLSelectElement}} nodes
   * @param {function(): void} onChoose asks for a render
   */
  constructor(nodes, onChoose) {
    Object.assign(this, nodes);
    this.hops = [];
    this.rows = new Map();
    this.by.addEventListener("change", onChoose);
    this.words = element("p", "path-words");
    this.parts = new Map(PATH.map((hop, index) => [hop, element("i", `step step-${index}`)]));
    within(this.path, this.words, within(element("div", "track"), ...this.parts.values()));
  }

  /** Take a `metrics` message. */
  take(message) {
    this.hops = message.hops ?? [];
    const names = [...new Set(this.hops.flatMap((hop) => Object.keys(hop.by ?? {})))];
    const known = [...this.by.options].map((option) => option.value);
    for (const name of names) if (!known.includes(name)) this.by.add(new Option(name, name));
  }

  /** Show the gateway's hops and then the page's own. */
  render(pageHops) {
    const [here, gateway] = [this.table.tBodies[1], this.table.tBodies[0]];
    for (const hop of [...this.hops].sort((one, other) => rank(one) - rank(other))) this.#renderHop(hop, gateway);
    for (const hop of pageHops) this.#renderHop(hop, here);
    this.#renderPath();
  }

  #renderHop(hop, body) {
    const row = this.rows.get(hop.hop) ?? this.#build(hop.hop, body);
    const summary = summaryOf(hop, this.by.value);
    setData(row.node, "empty", summary ? "" : "yes");
    for (const name of PERCENTILES) setText(row[name], summary ? duration(summary[name]) : "–");
    setText(row.what, hop.what ?? "");
    row.what.title = `${hop.what ?? ""} From ${hop.from} to ${hop.to}; clock: ${hop.clock}.`;
    const samples = summary ? `· n ${summary.count.toLocaleString("en")} in ${Math.round(summary.window_s)} s` : "· no sample";
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
    const mean = (name) => {
      const hop = this.hops.find((candidate) => candidate.hop === name);
      return (hop && summaryOf(hop, "")?.mean) ?? 0;
    };
    const sum = PATH.reduce((total, hop) => total + mean(hop), 0);
    let from = 0;
    for (const hop of PATH) {
      const to = from + (sum ? mean(hop) / sum : 0);
      setSpan(this.parts.get(hop), from, to);
      from = to;
    }
    const hold = mean(BY_DESIGN);
    setText(this.words, sum ? `mean, socket read to gateway write: ${duration(sum)} of work and ${duration(hold)} held for the tick by design` : "no samples yet");
  }
}
