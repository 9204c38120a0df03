import assert from "node:assert/strict";
import test from "node:test";
import { APPLIED, Book, GAP, MISMATCH, checksum } from "../../../gateway/static/books.js";
import { crc32 } from "../../../gateway/static/crc32.js";
import { Focus } from "../../../gateway/static/focus.js";

const SNAP = { t: "snap", ch: "cbook:BTC-USDT", s: 7, b: [["10", "1"], ["9.5", "2"]], a: [["11", "3"]] };
const pairs = (side) => side.map(({ price, size }) => [price, size]);

function loaded() {
  const book = new Book();
  book.take(SNAP);
  return book;
}

test("a delta inserts in order, replaces and removes", () => {
  const book = loaded();
  const verdict = book.take({ t: "d", p: 7, s: 9, b: [["9.75", "4"], ["10", "0"]], a: [["11", "5"], ["10.5", "1"]] });
  assert.equal(verdict, APPLIED);
  assert.deepEqual(pairs(book.bids), [["9.75", "4"], ["9.5", "2"]]);
  assert.deepEqual(pairs(book.asks), [["10.5", "1"], ["11", "5"]]);
});

test("a delta that does not continue is refused and changes nothing", () => {
  const book = loaded();
  assert.equal(book.take({ t: "d", p: 8, s: 9, b: [["10", "0"]], a: [] }), GAP);
  assert.deepEqual(pairs(book.bids)[0], ["10", "1"]);
  assert.equal(new Book().take({ t: "d", p: null, s: 1, b: [], a: [] }), GAP);
});

test("a wrong checksum is told and the right one is not", () => {
  const crc = 3539427230; // zlib.crc32(b"10:1|9.5:2|11:3") in Python
  assert.equal(new Book().take({ ...SNAP, crc }), APPLIED);
  assert.equal(new Book().take({ ...SNAP, crc: crc ^ 1 }), MISMATCH);
});

test("the checksum covers ten levels a side", () => {
  const side = Array.from({ length: 12 }, (_, at) => ({ price: String(at + 1), size: "1" }));
  assert.equal(checksum(side, side), checksum(side.slice(0, 10), side.slice(0, 10)));
  assert.notEqual(checksum(side, side), checksum(side.slice(0, 9), side));
});

test("crc32 gives the published check value", () => {
  assert.equal(crc32("123456789"), 0xcbf43926);
});

test("random deltas leave what a map leaves", () => {
  const book = new Book();
  book.take({ t: "snap", s: 0, b: [], a: [] });
  const truth = new Map();
  let seed = 1;
  const next = (below) => (seed = (seed * 48271) % 2147483647) % below;
  for (let s = 1; s <= 2000; s += 1) {
    const [price, size] = [`${next(50)}.${next(10)}`, String(next(4))];
    if (size === "0") truth.delete(price);
    else truth.set(price, size);
    assert.equal(book.take({ t: "d", p: s - 1, s, b: [[price, size]], a: [] }), APPLIED);
  }
  assert.deepEqual(pairs(book.bids), [...truth].sort((one, other) => Number(other[0]) - Number(one[0])));
});

test("after a gap the focus asks once and waits for the snapshot", () => {
  const focus = new Focus("BTC-USDT", ["kraken"]);
  assert.deepEqual(focus.take(SNAP), { venue: "", renew: false });
  const late = { t: "d", ch: SNAP.ch, p: 99, s: 100, b: [], a: [] };
  assert.deepEqual(focus.take(late), { venue: "", renew: true });
  assert.equal(focus.take({ ...late, p: 100, s: 101 }), null);
  assert.deepEqual(focus.take({ ...SNAP, s: 200 }), { venue: "", renew: false });
});
