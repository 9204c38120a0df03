import assert from "node:assert/strict";
import test from "node:test";
import { barred, caveats, feeUnits, otherQuotes, walk } from "../../../gateway/static/arbitrage.js";
import { axis, middleRow } from "../../../gateway/static/axis.js";
import { distanceAt, marks, position, reading, roundUp, spanOf, steps, within } from "../../../gateway/static/depth.js";
import { MULTIPLES, fittingMultiple, grouped, nextMultiple, stepUnits, without } from "../../../gateway/static/grouping.js";
import { Episodes, histogram } from "../../../gateway/static/episodes.js";
import { bpsText, divideRounded, impactTo, quoteTotals } from "../../../gateway/static/impact.js";
import { actionOf } from "../../../gateway/static/keys.js";
import { stackSteps } from "../../../gateway/static/stacking.js";

const CENTS = { price: 2, size: 8 };
const levels = (...pairs) => pairs.map(([price, size, venues = null]) => ({ price, size, venues }));

/** Small, reproducible whole numbers below `limit`. */
function numbers(seed) {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % limit;
  };
}

/** A side of whole-number prices, so that plain numbers are an exact second opinion. */
function wholeSide(next, side) {
  const prices = [...new Set(Array.from({ length: 12 }, () => 900 + next(200)))].sort((one, other) => (side === "bids" ? other - one : one - other));
  return prices.map((price) => ({ price: String(price), size: String(1 + next(50)), venues: null }));
}

test("bids group downwards and asks upwards, with exact sums of who quotes", () => {
  const scale = { ...CENTS, step: stepUnits(10, 2, 2) };
  const bids = levels(["10.19", "0.1", { kraken: "0.1" }], ["10.10", "0.2", { kraken: "0.15", bybit: "0.05" }], ["10.09", "1", { bybit: "1" }]);
  assert.deepEqual(grouped(bids, "bids", scale), [
    { price: "10.1", size: "0.3", venues: { kraken: "0.25", bybit: "0.05" } },
    { price: "10", size: "1", venues: { bybit: "1" } },
  ]);
  assert.deepEqual(grouped(levels(["10.20", "1"], ["10.21", "2"], ["10.30", "3"]), "asks", scale).map(({ price, size }) => [price, size]), [["10.2", "1"], ["10.3", "5"]]);
});

test("grouping neither makes nor loses size, and no row looks better than a level in it", () => {
  const next = numbers(7);
  for (let round = 0; round < 200; round += 1) {
    const side = round % 2 ? "bids" : "asks";
    const [all, step] = [wholeSide(next, side), MULTIPLES[next(7)]];
    const rows = grouped(all, side, { price: 0, size: 0, step: BigInt(step) });
    const expected = new Map();
    for (const { price, size } of all) {
      const row = (side === "bids" ? Math.floor : Math.ceil)(Number(price) / step) * step;
      expected.set(String(row), (expected.get(String(row)) ?? 0) + Number(size));
    }
    assert.deepEqual(rows.map(({ price, size }) => [price, Number(size)]), [...expected]);
  }
});

test("a venue that is switched off leaves the levels, and levels of its own vanish", () => {
  const both = levels(["10", "3", { kraken: "1", bybit: "2" }], ["9", "1", { kraken: "1" }]);
  assert.deepEqual(without(both, new Set(["kraken"]), 8), [{ price: "10", size: "2", venues: { bybit: "2" } }]);
  assert.equal(without(both, new Set(), 8), both);
});

test("the multiple that fits is the smallest that reaches, and steps stop at both ends", () => {
  const step = (multiple) => BigInt(multiple);
  assert.equal(fittingMultiple([99n, 40n], 10, step), 10);
  assert.equal(fittingMultiple([1_000_000n], 10, step), 1000);
  assert.deepEqual([nextMultiple(1, -1), nextMultiple(1, 1), nextMultiple(1000, 1)], [1, 2, 1000]);
});

test("price impact is exact, and its average is said to be rounded where it is", () => {
  const asks = levels(["100.00", "1"], ["100.10", "2"], ["101.00", "5"]);
  const impact = impactTo(asks, "asks", "100.10", CENTS);
  assert.deepEqual(impact, { base: "3", quote: "300.2", average: "100.0667", isExact: false, slippage: "6.67", levels: 2 });
  const bids = levels(["9234567890.01", "9234567890.00000001"]);
  assert.equal(impactTo(bids, "bids", "9234567890.01", CENTS).quote, product("923456789001", "923456789000000001"));
  assert.equal(impactTo(asks, "asks", "99", CENTS), null);
  assert.deepEqual(quoteTotals(asks, CENTS), ["100", "300.2", "805.2"]);
});

/** The exact product of two whole numbers, with ten places after the point. */
function product(price, size) {
  const digits = (BigInt(price) * BigInt(size)).toString();
  return `${digits.slice(0, -10)}.${digits.slice(-10)}`.replace(/0+$/, "");
}

test("quotients round to the nearest, halves away from zero", () => {
  assert.deepEqual([divideRounded(5n, 2n), divideRounded(-5n, 2n), divideRounded(7n, 3n), divideRounded(-1n, 3n)], [3n, -3n, 2n, 0n]);
  assert.deepEqual([bpsText(1n, 3n), bpsText(-1n, 8n)], ["3333.33", "-1250.00"]);
});

test("an edge is walked through both books until the next unit no longer pays", () => {
  const asks = levels(["100", "1"], ["101", "2"], ["103", "5"]);
  const bids = levels(["102", "2"], ["101.5", "3"], ["100", "9"]);
  const found = walk(asks, bids, { buy: null, sell: null }, CENTS);
  assert.deepEqual(found, { edge: "200.00", pays: true, size: "3", profit: "3.5", cost: "302", isWhole: true });
  assert.equal(walk(asks, bids, { buy: 60, sell: "40.5" }, CENTS).edge, "98.10"); // 102 * 0.99595 / (100 * 1.006) - 1
  assert.equal(walk(asks, levels(["102", "9"]), { buy: 0, sell: 0 }, CENTS).size, "3");
  assert.equal(walk(asks, levels(["110", "9"]), { buy: 0, sell: 0 }, CENTS).isWhole, false);
  assert.equal(walk([], bids, { buy: 0, sell: 0 }, CENTS), null);
});

test("no other size would earn more than the walk's", () => {
  const next = numbers(11);
  for (let round = 0; round < 200; round += 1) {
    const [asks, bids, fee] = [wholeSide(next, "asks"), wholeSide(next, "bids"), next(100)];
    const found = walk(asks, bids, { buy: fee, sell: fee }, { price: 0, size: 0 });
    assert.equal(Number(found.size), bestSize(asks, bids, fee), `round ${round}`);
  }
});

/** Unit by unit, the slow way: how many units still pay. */
function bestSize(asks, bids, fee) {
  const units = (side) => side.flatMap(({ price, size }) => Array(Number(size)).fill(Number(price)));
  const [bought, sold] = [units(asks), units(bids)];
  let size = 0;
  while (size < Math.min(bought.length, sold.length) && sold[size] * (10_000 - fee) > bought[size] * (10_000 + fee)) size += 1;
  return size;
}

test("a pair is barred by state, by a book crossed in itself and by age, and unset fees are said", () => {
  const live = { venue: "kraken", state: "live", flags: [], ageMs: 10 };
  assert.equal(barred([live, { ...live, venue: "bybit" }]), "");
  assert.equal(barred([live, { ...live, venue: "bybit", state: "stale" }]), "bybit is stale");
  assert.equal(barred([{ ...live, ageMs: 3100 }]), "kraken is 3.1 s old");
  assert.match(barred([{ ...live, flags: ["crossed"] }]), /crossed in itself/);
  assert.deepEqual(caveats([{ ...live, flags: ["unverified"] }, { ...live, venue: "bybit" }], new Map([["kraken", 26], ["bybit", null]])), ["kraken unverified", "gross of bybit fee"]);
  assert.equal(feeUnits("2.5"), 25_000n);
  assert.deepEqual(otherQuotes("BTC-USDT", ["BTC-USDT", "BTC-USD", "ETH-USDT"]), ["BTC-USD"]);
});

test("depth within a distance is the sum of the levels that near", () => {
  const asks = levels(["100.01", "1"], ["100.10", "2"], ["101.00", "4"]);
  const side = steps(asks, "asks", 20_000n, CENTS); // the middle is 100.00
  assert.deepEqual([...side.bps].map((bps) => Number(bps.toFixed(6))), [1, 10, 100]);
  assert.deepEqual([0.5, 1, 50, 100].map((bps) => within(side, bps)), [0n, 100_000_000n, 300_000_000n, 700_000_000n]);
  const lines = reading(new Map([["kraken", { asks: side }], ["bybit", { asks: steps([], "asks", 20_000n, CENTS) }]]), "asks", 10, 8);
  assert.deepEqual(lines.map(({ venue, size }) => [venue, size]), [["kraken", "3"], ["bybit", "0"], ["", "3"]]);
  assert.deepEqual(lines.map(({ reaches }) => reaches), [true, false, false]);
});

test("the logarithmic axis is its own inverse, and its ends and marks are round", () => {
  const span = { nearest: 0.1, furthest: 200 };
  for (const bps of [0.2, 1, 7, 100]) assert.ok(Math.abs(distanceAt(position(bps, span), span) - bps) < 1e-9);
  assert.deepEqual([position(0, span), position(200, span), position(500, span)], [0, 1, 1]);
  assert.deepEqual(marks({ nearest: 0.2, furthest: 5 }), [0.2, 0.5, 1, 2, 5]);
  assert.deepEqual([roundUp(3), roundUp(0.011), roundUp(50), roundUp(0)], [5, 0.02, 50, 1]);
});

test("the chart's span holds all levels and narrows only by half", () => {
  const fresh = { nearest: Infinity, furthest: 0 };
  assert.deepEqual(spanOf([Float64Array.of(2, 42)], fresh), { nearest: 1, furthest: 50 });
  assert.deepEqual(spanOf([Float64Array.of(4, 30)], { nearest: 1, furthest: 50 }), { nearest: 1, furthest: 50 });
  assert.deepEqual(spanOf([Float64Array.of(0.1, 9)], { nearest: 1, furthest: 50 }), { nearest: 0.1, furthest: 10 });
});

test("on one axis the same row is the same price for every venue", () => {
  const scale = { ...CENTS, step: 100n };
  const books = new Map([
    ["kraken", { bids: levels(["9.90", "1"], ["9.10", "3"]), asks: levels(["10.20", "4"]) }],
    ["bybit", { bids: levels(["10.00", "2"]), asks: [] }],
  ]);
  const { rows } = axis(books, middleRow("10.00", "10.20", scale), 4, scale);
  assert.deepEqual(rows.map(({ price }) => price), ["12", "11", "10", "9"]);
  assert.deepEqual(rows.map(({ cells }) => cells.map((cell) => cell && `${cell.side} ${cell.size}`)), [
    [null, null],
    ["asks 4", null],
    [null, "bids 2"],
    ["bids 4", null],
  ]);
});

test("stacked curves are at every distance the sum of all below", () => {
  const side = (...pairs) => ({ bps: Float64Array.from(pairs.map(([bps]) => bps)), sums: pairs.map(([, sum]) => BigInt(sum)) });
  const none = side();
  const stacked = stackSteps([{ venue: "kraken", bids: side([1, 2], [3, 5]), asks: none }, { venue: "bybit", bids: side([2, 10]), asks: none }], 1);
  assert.deepEqual([...stacked[0].bids.bps], [1, 2, 3]);
  assert.deepEqual(stacked.map(({ bids }) => bids.top), [[2, 2, 5], [2, 12, 15]]);
});

test("an edge is one episode from its first sight to its end, with its largest values", () => {
  const episodes = new Episodes();
  const edge = { instrument: "BTC-USDT", buy: "kraken", sell: "bybit", edge: "1.50", size: "2", caveats: [] };
  episodes.take([edge], 1_000);
  episodes.take([{ ...edge, edge: "0.90", size: "3" }], 2_000);
  episodes.take([], 3_000);
  assert.deepEqual(episodes.ended.map(({ startUs, endUs, edge: most, size }) => [startUs, endUs, most, size]), [[1_000, 2_000, "1.50", "3"]]);
  assert.equal(episodes.csv().split("\n")[1], "BTC-USDT,kraken,bybit,1000,2000,1.50,3,");
  assert.deepEqual(histogram(episodes.ended, [500, 1_000]), [0, 1, 0]);
});

test("keys act alone, not in inputs and not with modifiers, and can be turned off", () => {
  const plain = { isTyping: false, isOnControl: false, isOff: false };
  const key = (name, more = {}) => ({ key: name, code: "", shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, ...more });
  assert.deepEqual(actionOf(key("]"), plain), ["regroup", 1]);
  assert.deepEqual(actionOf(key("3", { code: "Digit3" }), plain), ["instrument", 2]);
  assert.deepEqual(actionOf(key("#", { code: "Digit3", shiftKey: true }), plain), ["venue", 2]);
  assert.deepEqual(actionOf(key("?", { shiftKey: true }), plain), ["help"]);
  assert.equal(actionOf(key("c", { ctrlKey: true }), plain), null);
  assert.equal(actionOf(key("c"), { ...plain, isTyping: true }), null);
  assert.equal(actionOf(key(" "), { ...plain, isOnControl: true }), null);
  assert.equal(actionOf(key("c"), { ...plain, isOff: true }), null);
  assert.deepEqual(actionOf(key("Escape"), { ...plain, isTyping: true, isOff: true }), ["close"]);
});
