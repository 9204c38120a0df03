/** A ring of the newest samples with their percentiles, for the hops only a browser can measure. Pure. */

const KEPT = 1024; // about a minute at the page's usual rate

export class Samples {
  constructor() {
    this.ring = new Float64Array(KEPT);
    this.stamps = new Float64Array(KEPT);
    this.total = 0;
  }

  /** @param {number} us the sample  @param {number} nowMs when it was taken */
  add(us, nowMs) {
    this.ring[this.total % KEPT] = us;
    this.stamps[this.total % KEPT] = nowMs;
    this.total += 1;
  }

  /** Count, window, percentiles (nearest rank), maximum and mean; null when empty. */
  summary(nowMs) {
    const count = Math.min(this.total, KEPT);
    if (count === 0) return null;
    const sorted = this.ring.slice(0, count).sort();
    const rank = (share) => sorted[Math.min(count - 1, Math.ceil(share * count) - 1)];
    const oldest = this.total > KEPT ? this.stamps[this.total % KEPT] : this.stamps[0];
    const mean = sorted.reduce((sum, us) => sum + us, 0) / count;
    const window_s = (nowMs - oldest) / 1000;
    return { count, window_s, p50: rank(0.5), p95: rank(0.95), p99: rank(0.99), max: sorted[count - 1], mean };
  }
}
