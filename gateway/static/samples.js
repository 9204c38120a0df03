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

  /** Count since the start; window, percentiles (nearest rank), maximum and mean of what is held; null when empty. */
  summary(nowMs) {
    const held = Math.min(this.total, KEPT);
    if (held === 0) return null;
    const sorted = this.ring.slice(0, held).sort();
    const rank = (share) => sorted[Math.min(held - 1, Math.ceil(share * held) - 1)];
    const oldest = this.total > KEPT ? this.stamps[this.total % KEPT] : this.stamps[0];
    const mean = sorted.reduce((sum, us) => sum + us, 0) / held;
    const window_s = (nowMs - oldest) / 1000;
    return { count: this.total, window_s, p50: rank(0.5), p95: rank(0.95), p99: rank(0.99), max: sorted[held - 1], mean };
  }
}
