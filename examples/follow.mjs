// Follows a book by docs/wire.md and compares it with the aggregator's at each of its key records; BigInt is exact.
//   npm ci && node follow.mjs redis://127.0.0.1:6379/0 binance:BTC-USDT 60
import { Redis } from "ioredis";
const [url, name, seconds] = process.argv.slice(2), [venue, instrument] = name.split(":");
const input = `st:{${instrument}}:${venue}`, out = `out:{${instrument}}`, until = Date.now() + 1000 * seconds;
const EPOCH = 1n << 64n; // a place in a stream is epoch * EPOCH + n: places order as IDs do
const place = (id) => String(id || "0-0").split("-").map(BigInt).reduce((epoch, n) => epoch * EPOCH + n);
const parts = (all, width) => all.flatMap((_, k) => (k % width ? [] : [all.slice(k, k + width)]));
const rows = (data, width) => parts([...new BigInt64Array(new Uint8Array(data).buffer)], width); // little-endian
const know = (v) => { if (Number(v ?? 1) !== 1) throw new RangeError(`layout version ${v} is not known`); };
const unitsOf = (told) => (know(told.v), `${told.price_decimals} ${told.size_decimals}`); // of a readable epoch
let bids, asks, live, units, at, left, goal; // the book, its decimals; places: read last, left last, in a record last
let seen = 0, equal = 0, resyncs = 0, epochs = 0, lost = 0n;
function take(to, entry) {
  const before = at, kind = String(entry.kind), saysLive = String(entry.state) === "live";
  const missing = (to % EPOCH) - 1n - (to / EPOCH === before / EPOCH ? before % EPOCH : 0n);
  at = to;
  if (before && missing) [live, lost] = [false, lost + missing]; // trimmed before it was read
  if (kind === "open") { // a new writer: the book is lost, unless the next entry `follows` the one before
    const now = unitsOf(entry);
    [left, live, units, epochs] = [live && units === now ? before : 0n, false, now, epochs + 1];
  } else if (kind === "status") live = saysLive && (live || (left > 0n && place(entry.follows) === left));
  else if (kind === "snapshot") {
    resyncs += saysLive && !live && bids !== undefined;
    [live, bids, asks] = [saysLive, new Map(rows(entry.bids, 2)), new Map(rows(entry.asks, 2))];
  } else if (kind === "delta" && live)
    for (const [side, changes] of [[bids, entry.bids], [asks, entry.asks]])
      for (const [price, size] of rows(changes, 2)) size ? side.set(price, size) : side.delete(price);
}
function meet(record, held) { // take the entries that went into a record; if it has the whole view, compare
  know(record[1]);
  const runs = 160 + 88 * record.readUInt16LE(6), changes = runs + 32 * record.readUInt32LE(8);
  const line = record.indexOf(venue.padEnd(16, "\0"), 160), code = BigInt((line - 160) / 88) * 2n;
  const run = rows(record.subarray(runs, changes), 4).findLast(([index]) => 2n * index === code);
  goal = run ? run[1] * EPOCH + run[3] : goal;
  while (held.length && held[0][0] <= goal) take(...held.shift());
  if (record[2] !== 2 || record[line + 16] !== 2 || !live || at !== goal) return;
  const view = rows(record.subarray(changes, changes + 24 * record.readUInt32LE(12)), 3);
  const best = (side, sign) => [...side].sort((a, b) => (a[0] < b[0] ? -sign : sign)).slice(0, 200);
  const shows = (code, side) => view.filter((row) => row[0] === code).map((row) => row.slice(1)).join() === side.join();
  [seen, equal] = [seen + 1, equal + (shows(code, best(bids, -1)) && shows(code + 1n, best(asks, 1)))];
}
async function session(redis, held) { // from the newest snapshot on, until 2 s of silence: data may have been lost
  const hash = await redis.hgetall(`status:{${instrument}}:${venue}`), snapshot = place(hash.snap_id);
  [units, live, goal, at] = [unitsOf(hash), false, 0n, snapshot && snapshot - 1n];
  const [newest] = await redis.xrevrange(out, "+", "-", "COUNT", 1);
  const after = { [input]: `${at / EPOCH}-${at % EPOCH}`, [out]: newest?.[0] ?? "0-0" };
  const read = () => redis.xreadBuffer("BLOCK", 2000, "STREAMS", ...Object.keys(after), ...Object.values(after));
  for (let found; Date.now() < until && (found = await read()); )
    for (const [key, [id, flat]] of found.flatMap(([key, entries]) => entries.map((entry) => [String(key), entry]))) {
      after[key] = String(id);
      key === out ? meet(flat[1], held) : held.push([place(id), Object.fromEntries(parts(flat, 2))]);
    }
}
for (; Date.now() < until; await new Promise((done) => setTimeout(done, 500))) { // again after trouble, and silence
  const redis = new Redis(url, { retryStrategy: null, commandTimeout: 3000 }).on("error", () => {});
  await session(redis, []).catch((e) => { if (e instanceof RangeError) throw e; }).finally(() => redis.disconnect());
}
console.log(`${name}: ${equal} of ${seen} books equal, ${resyncs} resyncs, ${epochs} new epochs, ${lost} entries lost`);
process.exit(seen > 0 && equal === seen ? 0 : 1);
