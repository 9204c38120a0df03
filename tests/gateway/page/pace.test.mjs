import assert from "node:assert/strict";
import test from "node:test";
import { Pace, p95 } from "../../../gateway/static/pace.js";

/** Look for two seconds at frames that come so far apart; give how long to rest. */
function look(pace, intervals) {
  let nowMs = 0;
  pace.begin(nowMs);
  for (let at = 0; ; at += 1) {
    const rest = pace.take(nowMs);
    if (rest) return rest;
    nowMs += intervals[at % intervals.length];
  }
}

test("frames that come late halve the rate, step by step down to a floor, and frames on time give it back", () => {
  const pace = new Pace();
  assert.deepEqual([look(pace, [16.7]), pace.perSecond], [8_000, 0]);
  const late = [16.7, 16.7, 16.7, 50];
  assert.deepEqual([1, 2, 3, 4].map(() => look(pace, late) && pace.perSecond), [5, 2.5, 1.25, 1.25]);
  assert.deepEqual([1, 2, 3].map(() => look(pace, [16.7]) && pace.perSecond), [2.5, 5, 0]);
});

test("one late frame in twenty-five is none, and a standstill is one", () => {
  const pace = new Pace();
  look(pace, [...Array(24).fill(16.7), 60]);
  assert.equal(pace.perSecond, 0);
  look(pace, [300]);
  assert.equal(pace.perSecond, 5);
});

test("p95 is a nearest rank", () => {
  assert.equal(p95(Array.from({ length: 100 }, (_, at) => at + 1)), 95);
  assert.equal(p95([]), 0);
});
