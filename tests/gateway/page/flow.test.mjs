import assert from "node:assert/strict";
import test from "node:test";
import { backoff, isRefusal, requestsBetween } from "../../../gateway/static/connection.js";
import { crossing } from "../../../gateway/static/consolidated.js";
import { found } from "../../../gateway/static/finding.js";
import { History, polyline } from "../../../gateway/static/history.js";
import { Journal } from "../../../gateway/static/journal.js";
import { waterfall } from "../../../gateway/static/latency.js";
import { Market } from "../../../gateway/static/market.js";
import { Samples } from "../../../gateway/static/samples.js";
import { sortedNames } from "../../../gateway/static/sorting.js";
import { channels } from "../../../gateway/static/subscriptions.js";
import { Trades, merged, notional, passes } from "../../../gateway/static/trades.js";
import { troubles } from "../../../gateway/static/topbar.js";
import { age, duration, shortFlags, bookCheckWords, venueWords } from "../../../gateway/static/words.js";

const FAST = { depth: 25, rate_ms: 100 };
const SLOW = { depth: 25, rate_ms: 250 };
const VIEW = { instrument: "BTC-USDT", venues: ["kraken"], instruments: ["BTC-USDT", "ETH-USDT"], hidden: false, small: false };

test("back-off is anywhere between its floor and a doubling, capped ceiling", () => {
  assert.equal(backoff(0, 0), 500);
  assert.equal(backoff(1, 1), 2000);
  assert.equal(backoff(50, 1), 20000);
});

test("the close codes that mean stay away are kept apart from those that mean come back", () => {
  assert.deepEqual([4001, 4008, 4100, 1006, 4400, 4429].map(isRefusal), [false, false, false, false, true, true]);
});

test("only differences are requested, grouped by terms, leaving first", () => {
  const from = new Map([["a", FAST], ["b", FAST], ["c", SLOW]]);
  const to = new Map([["a", FAST], ["b", SLOW], ["d", SLOW]]);
  assert.deepEqual(requestsBetween(from, to), [
    { op: "unsubscribe", ch: ["b", "c"] },
    { op: "subscribe", ch: ["b", "d"], ...SLOW },
  ]);
  assert.deepEqual(requestsBetween(from, from), []);
  assert.equal(requestsBetween(from, from, new Set(["a"])).length, 2);
});

test("a hidden page wants states alone, a small one only its panel", () => {
  assert.deepEqual([...channels({ ...VIEW, hidden: true, panels: new Set(["market"]) }).keys()], ["status"]);
  const small = channels({ ...VIEW, small: true, panels: new Set(["trades"]) });
  assert.deepEqual([...small.keys()], ["status", "bbo:*:BTC-USDT", "trades:*:BTC-USDT"]);
});

test("a loss of trades is told, whether the gateway dropped them or a frame is missing", () => {
  const trades = new Trades();
  const row = [1, "10", "1", "b", "id", "kraken"];
  trades.take({ s: 5, p: null, x: [row] });
  trades.take({ s: 6, p: 5, x: [row], drop: 3 });
  trades.take({ s: 9, p: 8, x: [row] });
  assert.deepEqual(trades.entries.map(({ note }) => note !== undefined), [false, true, false, true, false]);
});

test("a burst is one entry with an exact sum, and filters let notes pass", () => {
  const one = { us: 1_000_400, price: "10.5", size: "0.1", taker: "b", venue: "kraken" };
  const burst = [{ ...one, us: 1_000_900, price: "10.6", size: "0.20000001" }, one];
  assert.deepEqual(merged(burst), [{ ...burst[0], size: "0.30000001", from: "10.5", count: 2 }]);
  assert.equal(merged([one, { ...one, us: 999_999 }, { ...one, taker: "s" }, { ...one, venue: "bybit" }]).length, 4);
  assert.equal(notional(burst[0]), "2.120000106");
  assert.deepEqual([passes(one, { venue: "", least: "1.05" }), passes(one, { venue: "", least: "1.06" })], [true, false]);
  assert.deepEqual([passes(one, { venue: "bybit", least: "0" }), passes({ note: "x" }, { venue: "bybit", least: "9" })], [false, true]);
});

test("best prices are those of live books only", () => {
  const market = new Market();
  market.load([{ name: "BTC-USDT", venues: ["binance", "kraken"] }]);
  const quote = { st: "live", fl: [], age_ms: 5, bid: "10", ask: "11" };
  const v = { binance: quote, kraken: { ...quote, st: "stale" } };
  market.takeBest({ ch: "bbo:*:BTC-USDT", v, q: { bid: "10", ask: "11" } }, 1000);
  assert.deepEqual([...market.bestVenues("BTC-USDT").bid], ["binance"]);
  assert.deepEqual(market.liveOf("kraken"), { live: 0, verified: 0, all: 1, state: "stale" });
  assert.equal(market.age(market.cell("BTC-USDT", "binance"), 1500), 505);
});

test("a venue says how many of its books are verified, how deep and by what", () => {
  const market = new Market();
  market.load(["BTC-USD", "ETH-USD", "SOL-USD"].map((name) => ({ name, venues: ["kraken"] })));
  const set = (name, st, fl) => market.takeState(name, "kraken", { st, fl }, 0);
  set("BTC-USD", "live", []);
  set("ETH-USD", "live", ["unverified"]);
  set("SOL-USD", "stale", []);
  const said = () => venueWords("kraken", market.liveOf("kraken"), market.checks.get("kraken"));
  assert.equal(said(), "kraken: 2 of 3 books live, 0 of 3 verified (not known yet)");
  market.loadChecks([{ name: "kraken", detector: "checksum", verified_depth: 10 }]);
  assert.equal(said(), "kraken: 2 of 3 books live, 1 of 3 verified (top 10 by checksum)");
  const words = market.instruments.map(({ name }) => bookCheckWords(market.cell(name, "kraken"), market.checks.get("kraken")));
  assert.deepEqual(words, ["top 10 verified by checksum", "unverified: checksum in doubt", "unverified: stale"]);
  market.loadChecks([{ name: "kraken", detector: "none", verified_depth: null }]);
  assert.equal(said(), "kraken: 2 of 3 books live, 0 of 3 verified (no detector)");
});

test("a crossed ladder says who crosses whom and by how much", () => {
  const bid = { price: "10.2", venues: { kraken: "1" } };
  const ask = { price: "10.15", venues: { binance: "1" } };
  assert.equal(crossing([bid], [ask]), "crossed by 0.05, 49.14 bps: kraken bid > binance ask");
  assert.equal(crossing([ask], [bid]), "");
});

test("troubles name what is down, and nothing while all is well", () => {
  const open = { state: "open", since: 0, reason: "" };
  const down = new Map([["redis", { state: "down", since: 0, why: "refused" }]]);
  assert.deepEqual(troubles(open, new Map(), new Map()), []);
  assert.match(troubles(open, down, new Map())[0], /^Redis is down: refused/);
  assert.match(troubles({ ...open, state: "waiting", lost: true }, down, new Map())[0], /^No connection/);
});

test("percentiles are nearest rank over what the ring still holds", () => {
  const samples = new Samples();
  assert.equal(samples.summary(0), null);
  for (let us = 1; us <= 2000; us += 1) samples.add(us, us);
  const { count, p50, max } = samples.summary(2000);
  assert.deepEqual([count, p50, max], [2000, 1488, 2000]);
});

test("ages and durations are worded with their units", () => {
  assert.deepEqual([age(240), age(12_400), age(600_000)], ["0.2s", "12s", "10m"]);
  assert.deepEqual([duration(38.2), duration(1240), duration(2.2e6), duration(null)], ["38.2 µs", "1.24 ms", "2.20 s", "–"]);
  assert.equal(shortFlags(["unverified", "crossed"]), "cross+");
});

test("in the waterfall each hop begins where the one before it ends", () => {
  const places = waterfall(new Map([["hold", { p50: 60, p99: 90 }], ["decode", { p50: 40, p99: 1e9 }], ["total", { p50: 1e6, p99: 1e6 }]]));
  assert.deepEqual([...places.keys()], ["decode", "hold"]);
  const [decode, hold] = [...places.values()];
  assert.deepEqual([decode.from, decode.whisker], [0, 1]);
  assert.equal(decode.to, hold.from);
  assert.ok(Math.abs(hold.to - 100 / 135) < 1e-9 && Math.abs(hold.whisker - 130 / 135) < 1e-9);
});

test("a minute is sixty values, one a second, and gaps repeat what held", () => {
  const history = new History();
  history.take(1, 500);
  history.take(2, 900);
  history.take(5, 3_100);
  assert.deepEqual(history.values, [2, 5, 5, 5]);
  for (let second = 4; second < 200; second += 1) history.take(second, second * 1_000);
  assert.deepEqual([history.values.length, history.values[0]], [60, 140]);
  assert.equal(polyline([1, 3], 59, 10), "58.0,9.0 59.0,1.0");
});

test("instruments are listed by what the reader asks for", () => {
  const market = new Market();
  market.load(["A-USD", "B-USD", "C-USD"].map((name) => ({ name, venues: ["kraken"] })));
  const quotes = { "A-USD": ["10", "11"], "B-USD": ["12", "11"], "C-USD": ["10", "13"] };
  for (const [name, [bid, ask]] of Object.entries(quotes)) market.quotes.set(name, { bid, ask, mid: "11" });
  market.takeState("A-USD", "kraken", { st: "stale", fl: [], age_ms: 5 }, 0);
  market.takeState("B-USD", "kraken", { st: "live", fl: [], age_ms: 5 }, 0);
  market.takeState("C-USD", "kraken", { st: "live", fl: [], age_ms: 9 }, 0);
  const order = (name) => sortedNames(["A-USD", "B-USD", "C-USD"], name, market, 0).map((each) => each[0]).join("");
  assert.deepEqual(["as listed", "crossed first", "widest first", "stalest first"].map(order), ["ABC", "BAC", "CAB", "ACB"]);
});

test("the journal counts what ceased to be live, and keeps messages only while somebody looks", () => {
  const journal = new Journal();
  const status = (st, why = "") => journal.take({ t: "status", ex: "kraken", sym: "BTC-USD", st, why, since: 7 }, 1);
  for (const [state, why] of [["syncing"], ["live"], ["stale", "checksum mismatch"], ["stale", "again"], ["live"]]) status(state, why);
  journal.take({ t: "hello" }, 2);
  journal.take({ t: "hello" }, 3);
  journal.take({ t: "trades", drop: 4 }, 4);
  const { books, changes, reconnects, dropped_trades: dropped, messages } = journal.report();
  assert.deepEqual([books["kraken:BTC-USD"].losses, books["kraken:BTC-USD"].reasons], [1, { "checksum mismatch": 1 }]);
  assert.deepEqual([changes.length, reconnects, dropped, messages.length], [3, 1, 4, 0]);
  journal.isListening = true;
  for (let count = 0; count < 60; count += 1) journal.take({ t: "hb", n: count }, 5);
  assert.deepEqual([journal.messages.length, journal.messages[0].n], [50, 59]);
});

test("an instrument is found by letters of it, the one that begins with them first", () => {
  const names = ["ETH-BTC", "BTC-USD", "BTC-USDT", "ADA-USDT"];
  assert.deepEqual(found(names, "btc"), ["BTC-USD", "BTC-USDT", "ETH-BTC"]);
  assert.deepEqual(found(names, "btc usdt"), ["BTC-USDT"]);
  assert.deepEqual(found(names, ""), names);
});
