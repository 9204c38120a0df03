/** The last minute of one number, a value a step, and how it is drawn as a line. Pure; floats are for pixels only. */

const STEP_MS = 1_000;
const KEPT = 60; // steps: a minute

export class History {
  constructor() {
    this.values = [];
    this.step = -Infinity;
  }

  /** Take the value that holds now; within a step the latest stays, and steps without one repeat it. */
  take(value, nowMs) {
    const step = Math.floor(nowMs / STEP_MS);
    if (step === this.step) this.values[this.values.length - 1] = value;
    else for (let missed = Math.min(KEPT, this.values.length ? step - this.step : 1); missed > 0; missed -= 1) this.values.push(value);
    this.step = step;
    if (this.values.length > KEPT) this.values.splice(0, this.values.length - KEPT);
  }
}

/**
 * The points of a polyline in a box, the newest value at the right; flat in the middle while nothing changes.
 * @param {number[]} values
 * @param {number} width
 * @param {number} height
 */
export function polyline(values, width, height) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const y = (value) => (high > low ? height - 1 - ((value - low) / (high - low)) * (height - 2) : height / 2);
  const x = (index) => width - ((values.length - 1 - index) * width) / (KEPT - 1);
  return values.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
}
