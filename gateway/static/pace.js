/**
 * How often a panel may be drawn: as often as something is new, until the browser's frames come late; then half as often,
 * and half of that, until they are on time again. Pure: it is told when frames came.
 */

const LATE_MS = 20; // a frame at 60 Hz, and some
const WATCHED_MS = 2_000;
const REST_MS = 8_000; // between looks: a loop of frames that draws nothing still costs some
const LEAST_MS = [0, 200, 400, 800]; // between two drawings of a panel; books come ten times a second
const FEWEST = 20; // frames a look must have seen, or it was no look

/** The duration that 95 of 100 do not exceed. */
export function p95(values) {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(0.95 * sorted.length) - 1)] ?? 0;
}

export class Pace {
  constructor() {
    this.step = 0;
    this.begin(-Infinity);
  }

  /** Between two drawings of a panel, in milliseconds. */
  get leastMs() {
    return LEAST_MS[this.step];
  }

  /** Drawings a second that are allowed, or 0 for as many as there is news. */
  get perSecond() {
    return this.step ? 1_000 / this.leastMs : 0;
  }

  /** A look begins, or begins anew since the page was not in sight. */
  begin(nowMs) {
    this.frames = [];
    this.beganMs = nowMs;
    this.lastMs = null;
  }

  /**
   * A frame came.
   * @returns {number} how long to rest until the next look begins; 0 while this one goes on
   */
  take(nowMs) {
    if (this.lastMs !== null) this.frames.push(nowMs - this.lastMs);
    this.lastMs = nowMs;
    if (nowMs - this.beganMs < WATCHED_MS) return 0;
    if (this.frames.length >= FEWEST) this.#judge();
    else if (this.frames.length) this.#slower(); // fewer than ten a second
    return REST_MS;
  }

  #judge() {
    if (p95(this.frames) > LATE_MS) this.#slower();
    else this.step = Math.max(0, this.step - 1);
  }

  #slower() {
    this.step = Math.min(LEAST_MS.length - 1, this.step + 1);
  }
}
