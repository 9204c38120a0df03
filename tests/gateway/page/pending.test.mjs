import assert from "node:assert/strict";
import test from "node:test";
import { APPLIED, Book } from "../../../gateway/static/books.js";
import { Pending } from "../../../gateway/static/pending.js";

const CH = "book:kraken:BTC-USD";
const pairs = ({ bids, asks }) => [bids, asks].map((side) => side.map(({ price, size }) => [price, size]));

/** A book and what is pending of it, as the worker has them. */
class Side {
  book = new Book();
  pending = new Pending();

  take(frame) {
    assert.equal(this.book.take(frame), APPLIED);
    const { b, a, crc, ...about } = frame;
    this.book.about = about;
    this.pending.take(frame, frame.s, this.book);
  }
}

test("of two deltas the page gets one, with the later sizes and the first instants", () => {
  const side = new Side();
  side.take({ t: "snap", ch: CH, e: 1, s: 1, b: [["10", "1"]], a: [] });
  side.pending.drain();
  side.take({ t: "d", ch: CH, p: 1, s: 3, n: 2, ts: { g: 100 }, b: [["10", "2"], ["9", "1"]], a: [], crc: side.crc });
  side.take({ t: "d", ch: CH, p: 3, s: 4, n: 1, ts: { g: 200 }, b: [["10", "0"]], a: [["11", "1"]], st: "stale" });
  const [{ message, heardMs }] = side.pending.drain();
  assert.deepEqual(message, { t: "d", ch: CH, p: 1, s: 4, n: 3, ts: { g: 100 }, b: [["10", "0"], ["9", "1"]], a: [["11", "1"]], st: "stale" });
  assert.deepEqual([heardMs, side.pending.isEmpty], [3, true]);
});

test("whatever the page asks for when, its book becomes the worker's", () => {
  const side = new Side();
  let page = new Book();
  let seed = 7;
  const next = (below) => (seed = (seed * 48271) % 2147483647) % below;
  side.take({ t: "snap", ch: CH, e: 1, s: 0, b: [], a: [] });
  for (let s = 1; s <= 3000; s += 1) {
    const level = [`${next(40)}.${next(10)}`, String(next(3))];
    if (next(100) === 0) side.take({ t: "snap", ch: CH, e: 1, s, b: [["5", "1"]], a: [["50", "2"]] });
    else side.take({ t: "d", ch: CH, p: s - 1, s, b: next(2) ? [level] : [], a: [level] });
    if (next(200) === 0) {
      page = new Book(); // another instrument and back
      side.pending.whole(CH, side.book, s);
    }
    if (next(4)) continue;
    for (const { message } of side.pending.drain()) assert.equal(page.take(message), APPLIED);
    assert.deepEqual(pairs(page), pairs(side.book));
  }
});

test("a book told again has no instants, for nothing came just now", () => {
  const side = new Side();
  side.take({ t: "snap", ch: CH, e: 1, s: 1, ts: { g: 100 }, st: "live", b: [["10", "1"]], a: [] });
  side.pending.drain();
  side.pending.whole(CH, side.book, 50);
  assert.deepEqual(side.pending.drain(), [{ heardMs: 50, message: { t: "snap", ch: CH, e: 1, s: 1, ts: undefined, st: "live", b: [["10", "1"]], a: [] } }]);
});

test("of a book found wrong nothing is told until its snapshot", () => {
  const side = new Side();
  side.take({ t: "snap", ch: CH, e: 1, s: 1, b: [["10", "1"]], a: [] });
  side.pending.drop(CH);
  side.book.clear();
  side.pending.whole(CH, side.book, 2);
  assert.deepEqual(side.pending.drain(), []);
});

test("trades are all told up to a bound, and beyond it counted", () => {
  const pending = new Pending();
  const ch = "trades:*:BTC-USD";
  for (let s = 1; s <= 500; s += 1) pending.take({ t: "trades", ch, p: s - 1, s, x: [[s, "1", "1", "b", "", "kraken"]], drop: 0 }, s);
  const [{ message }] = pending.drain();
  assert.deepEqual([message.p, message.s, message.x.length, message.drop, message.x[0][0], message.x.at(-1)[0]], [0, 500, 400, 100, 101, 500]);
});

test("of best prices the latest is told, of states each", () => {
  const pending = new Pending();
  for (const s of [1, 2]) pending.take({ t: "bbo", ch: "bbo:*:X", p: s - 1, s, n: 1 }, s);
  for (const st of ["stale", "live"]) pending.take({ t: "status", ex: "kraken", sym: "X", st }, 3);
  const told = pending.drain().map(({ message }) => message);
  assert.deepEqual(told.map(({ t, st, p, s, n }) => [t, st, p, s, n]), [["status", "stale", undefined, undefined, undefined], ["status", "live", undefined, undefined, undefined], ["bbo", undefined, 0, 2, 2]]);
});
