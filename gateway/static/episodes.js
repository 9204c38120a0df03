/** How long an edge lasted and how large it was: one episode from its first sight to its end. Pure. */

const KEPT = 200; // ended ones, newest first
const COLUMNS = ["instrument", "buy", "sell", "start_us", "end_us", "max_edge_bps", "max_size", "caveats"];

export class Episodes {
  constructor() {
    this.open = new Map();
    this.ended = [];
  }

  /**
   * Say which edges there are now; those that were open and are no longer end here.
   * @param {Array<{instrument: string, buy: string, sell: string, edge: string, size: string, caveats: string[]}>} edges
   * @param {number} nowUs
   */
  take(edges, nowUs) {
    const seen = new Set();
    for (const edge of edges) {
      const key = `${edge.instrument} ${edge.buy} ${edge.sell}`;
      seen.add(key);
      const known = this.open.get(key);
      if (!known) this.open.set(key, { ...edge, startUs: nowUs, endUs: nowUs });
      else grow(known, edge, nowUs);
    }
    for (const [key, episode] of this.open) {
      if (seen.has(key)) continue;
      this.open.delete(key);
      this.ended.unshift(episode);
    }
    this.ended.length = Math.min(this.ended.length, KEPT);
  }

  /** Those that go on, then those that ended, newest first. */
  all() {
    return [...[...this.open.values()].reverse(), ...this.ended];
  }

  /** As comma-separated values, one episode a line; none of its texts has a comma. */
  csv() {
    const lines = this.all().map((one) => [one.instrument, one.buy, one.sell, one.startUs, one.endUs, one.edge, one.size, one.caveats.join("; ")].join(","));
    return [COLUMNS.join(","), ...lines].join("\n") + "\n";
  }
}

function grow(known, edge, nowUs) {
  known.endUs = nowUs;
  known.caveats = edge.caveats;
  if (Number(edge.edge) > Number(known.edge)) known.edge = edge.edge;
  if (Number(edge.size) > Number(known.size)) known.size = edge.size;
}

/** How many ended within each of these durations, in microseconds; the last counts the longer ones. */
export function histogram(episodes, boundsUs) {
  const counts = new Array(boundsUs.length + 1).fill(0);
  for (const { startUs, endUs } of episodes) {
    const at = boundsUs.findIndex((bound) => endUs - startUs <= bound);
    counts[at < 0 ? boundsUs.length : at] += 1;
  }
  return counts;
}
