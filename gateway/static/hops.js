/** The hops that only this page can measure: the gateway's tick to here, and from here to the paint. Pure. */

import { Samples } from "./samples.js";

export class Hops {
  constructor() {
    this.arrivals = [];
    this.browser = new Samples();
    this.paint = new Samples();
  }

  /**
   * A frame of a book came; of several merged ones, the first is what `ts` and `heardMs` are of.
   * @param {object} frame
   * @param {number} heardMs by this page's performance.now()
   * @param {number|null} offsetUs the gateway's clock less this machine's; null while it is unknown
   */
  take({ ts }, heardMs, offsetUs, nowMs) {
    if (!ts?.g) return; // told again, not come just now
    this.arrivals.push(heardMs);
    if (offsetUs !== null) this.browser.add((performance.timeOrigin + heardMs) * 1000 + offsetUs - ts.g, nowMs);
  }

  /** All that came has been written into the document. */
  painted(nowMs) {
    for (const heardMs of this.arrivals) this.paint.add((nowMs - heardMs) * 1000, nowMs);
    this.arrivals.length = 0;
  }

  /** What came will not be painted now: no sample. */
  forget() {
    this.arrivals.length = 0;
  }

  /** Both hops as the gateway tells its own. */
  lines(bestRttMs, nowMs) {
    const bound = bestRttMs === undefined ? "" : ` (\u00b1 ${(bestRttMs / 2).toFixed(1)} ms: half the quickest round trip)`;
    const browser = { hop: "browser", by: "this page", what: `The gateway's tick to the frame in this page${bound}.`, from: "gateway tick", to: "frame in the page's worker", clock: "gateway's and this machine's, offset from pings" };
    const paint = { hop: "paint", by: "this page", what: "Frame in this page to the document written: parsed and applied in the worker, merged, drawn in an animation frame.", from: "frame in the page's worker", to: "document written", clock: "this page's own" };
    return [{ ...browser, ...this.browser.summary(nowMs) }, { ...paint, ...this.paint.summary(nowMs) }];
  }
}
