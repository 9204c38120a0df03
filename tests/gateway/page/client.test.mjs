import assert from "node:assert/strict";
import test from "node:test";
import { Client } from "../../../gateway/static/client.js";
import { backoff, isRefusal, requestsBetween } from "../../../gateway/static/connection.js";

const BOOK = "book:kraken:BTC-USD";
const TRADES = "trades:*:BTC-USD";
const WANTED = new Map([[BOOK, { depth: 25, rate_ms: 100 }], [TRADES, { depth: 25, rate_ms: 100 }]]);
const SNAP = { t: "snap", ch: BOOK, e: 5, s: 7, st: "live", b: [["10", "1"], ["9.5", "2"]], a: [["11", "3"]], crc: 3539427230 };
const TRADE = { t: "trades", ch: TRADES, e: 5, s: 8, p: 7, x: [] };

/** A socket without a network: what was sent is kept, what is heard is said by the test. */
class FakeSocket {
  static all = [];

  constructor(url, protocols) {
    Object.assign(this, { url, protocols, sent: [], closed: null });
    FakeSocket.all.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close(...farewell) {
    this.closed = farewell;
  }

  say(...messages) {
    this.onmessage({ data: messages.map((message) => JSON.stringify(message)).join("\n") });
  }

  asked(op) {
    return this.sent.filter((request) => request.op === op);
  }
}

function connected(t, options = {}) {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  FakeSocket.all = [];
  const heard = [];
  const client = new Client("ws://x/ws/v1", { onMessage: (message) => heard.push(message) }, { Socket: FakeSocket, ...options });
  client.want(WANTED);
  client.open();
  FakeSocket.all[0].say({ t: "hello", node: "one" });
  return { client, heard, socket: FakeSocket.all[0] };
}

/** Lose the socket and have the next one greet. */
function reconnected(t, socket, node) {
  socket.onclose({ code: 1006, reason: "" });
  t.mock.timers.tick(20_000);
  const next = FakeSocket.all.at(-1);
  next.say({ t: "hello", node });
  return next;
}

test("what is wanted is asked for on hello, and a book is kept and told of", (t) => {
  const { client, heard, socket } = connected(t);
  assert.deepEqual(socket.asked("subscribe").map(({ ch, depth, rate_ms, resume }) => [ch, depth, rate_ms, resume]), [[[BOOK, TRADES], 25, 100, undefined]]);
  socket.say(SNAP, { t: "d", ch: BOOK, p: 7, s: 9, b: [["10", "0"]], a: [], st: "stale" });
  assert.deepEqual(client.book(BOOK).bids.map(({ price }) => price), ["9.5"]);
  assert.deepEqual([client.book(BOOK).about.st, client.state], ["stale", "open"]);
  assert.deepEqual(heard.map(({ t: kind }) => kind), ["hello", "snap", "d"]);
});

test("at the same node every channel goes on from its place", (t) => {
  const { client, socket } = connected(t);
  socket.say(SNAP, TRADE, { t: "d", ch: BOOK, p: 7, s: 9, e: 6, b: [], a: [] });
  const next = reconnected(t, socket, "one");
  const [{ node, resume }] = next.asked("subscribe");
  assert.deepEqual([node, resume], ["one", { [BOOK]: { epoch: 6, seq: 9 }, [TRADES]: { epoch: 5, seq: 8 } }]);
  next.say({ t: "d", ch: BOOK, p: 9, s: 12, b: [["9.75", "4"]], a: [], resumed: true, crc: 2365092600 });
  assert.deepEqual([client.book(BOOK).sequence, client.counts], [12, { gap: 0, checksum: 0, resumed: 1, snapshots: 1 }]);
});

test("at another node only trades go on, and the book is what its snapshot says", (t) => {
  const { client, socket } = connected(t);
  socket.say(SNAP, TRADE);
  const next = reconnected(t, socket, "two");
  const [{ node, resume }] = next.asked("subscribe");
  assert.deepEqual([node, resume], ["two", { [TRADES]: { epoch: 5, seq: 8 } }]);
  next.say({ ...SNAP, s: 2, b: [["10", "1"]], crc: undefined });
  assert.deepEqual([client.book(BOOK).bids.length, client.place(BOOK).node], [1, "two"]);
});

for (const [why, frame] of [["gap", { p: 8, s: 9 }], ["checksum", { p: 7, s: 9, crc: 1 }]]) {
  test(`a ${why} empties the book, is told, and asks for a snapshot, not to go on`, (t) => {
    const { client, heard, socket } = connected(t);
    socket.say(SNAP, { t: "d", ch: BOOK, b: [], a: [], ...frame });
    assert.deepEqual(heard.at(-1), { t: "renewed", ch: BOOK, why });
    t.mock.timers.tick(1_000);
    assert.deepEqual(socket.asked("unsubscribe").map(({ ch }) => ch), [[BOOK]]);
    assert.deepEqual(socket.asked("subscribe").slice(1).map(({ ch, resume }) => [ch, resume]), [[[BOOK], undefined]]);
    socket.say({ t: "d", ch: BOOK, p: 9, s: 10, b: [["9", "1"]], a: [] }); // of before the request
    assert.deepEqual([client.book(BOOK).bids, client.counts[why]], [[], 1]);
    socket.say({ ...SNAP, s: 20 });
    assert.equal(client.book(BOOK).sequence, 20);
  });
}

test("what is left or wanted otherwise is forgotten: it begins anew", (t) => {
  const { client, socket } = connected(t);
  socket.say(SNAP, TRADE);
  t.mock.timers.tick(1_000);
  client.want(new Map([[BOOK, { depth: 200, rate_ms: 100 }]]));
  t.mock.timers.tick(1_000);
  const again = socket.asked("subscribe").at(-1);
  assert.deepEqual([again.ch, again.depth, again.resume], [[BOOK], 200, undefined]);
  assert.deepEqual([client.book(BOOK).sequence, client.place(TRADES)], [null, undefined]);
});

test("trades whose place is not known any more are asked for without it", (t) => {
  const { socket } = connected(t);
  socket.say(TRADE);
  const next = reconnected(t, socket, "one");
  next.say({ t: "ack", id: next.asked("subscribe")[0].id, ok: [BOOK], err: [{ ch: TRADES, code: 112 }] });
  t.mock.timers.tick(1_000);
  assert.deepEqual(next.asked("subscribe").slice(1).map(({ ch, resume }) => [ch, resume]), [[[TRADES], undefined]]);
});

test("five silent seconds close with 4011 and come back", (t) => {
  const { client, socket } = connected(t);
  t.mock.timers.tick(4_999);
  assert.equal(socket.closed, null);
  t.mock.timers.tick(1);
  assert.deepEqual([socket.closed[0], client.state, client.reason], [4011, "waiting", "silent for 5 s"]);
  t.mock.timers.tick(20_000);
  assert.equal(FakeSocket.all.length, 2);
});

test("a ping every five seconds, and the clock offset of the quickest answer", (t) => {
  const { client, socket } = connected(t);
  for (let second = 0; second < 10; second += 1) {
    t.mock.timers.tick(1_000);
    socket.say({ t: "hb" });
  }
  const pings = socket.asked("ping");
  assert.equal(pings.length, 3);
  const nowUs = (performance.timeOrigin + performance.now()) * 1000;
  socket.say({ t: "pong", id: pings[2].id, c: nowUs - 1_000, srv: nowUs + 5_000_000 });
  assert.ok(Math.abs(client.offsetUs - 5_000_500) < 100_000, String(client.offsetUs));
});

test("a code from 4400 on is final until somebody opens again", (t) => {
  const { client, socket } = connected(t);
  socket.onclose({ code: 4401, reason: "no token" });
  t.mock.timers.tick(60_000);
  assert.deepEqual([FakeSocket.all.length, client.state, client.reason], [1, "refused", "no token"]);
  client.open();
  assert.equal(FakeSocket.all.length, 2);
  const codes = [4001, 4008, 4010, 4011, 4100, 4399, 1006, 4400, 4413, 4429, 1009];
  assert.deepEqual(codes.filter(isRefusal), [4400, 4413, 4429, 1009]);
});

test("the gateway's farewell says how long to stay away", (t) => {
  const { socket } = connected(t);
  socket.say({ t: "bye", code: 4001, after_ms: 3_000 });
  socket.onclose({ code: 4001, reason: "" });
  t.mock.timers.tick(2_999);
  assert.equal(FakeSocket.all.length, 1);
  t.mock.timers.tick(1);
  assert.equal(FakeSocket.all.length, 2);
});

test("a token goes along as a subprotocol", (t) => {
  const { socket } = connected(t, { token: "secret" });
  assert.deepEqual(socket.protocols, ["thalweg.v1+json", "thalweg.token.secret"]);
});

test("back-off is anywhere between half a second and a ceiling that doubles up to twenty", () => {
  assert.deepEqual([0, 1, 5, 40].map((attempt) => backoff(attempt, 1)), [1_000, 2_000, 20_000, 20_000]);
  assert.deepEqual([0, 40].map((attempt) => backoff(attempt, 0)), [500, 500]);
});

test("another depth leaves the channel and asks for it again", () => {
  const deeper = new Map([[BOOK, { depth: 50, rate_ms: 100 }], [TRADES, { depth: 25, rate_ms: 100 }]]);
  assert.deepEqual(requestsBetween(WANTED, deeper), [{ op: "unsubscribe", ch: [BOOK] }, { op: "subscribe", ch: [BOOK], depth: 50, rate_ms: 100 }]);
});
