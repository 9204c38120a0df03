// Follows a book by docs/wire.md and compares it with the aggregator's at each of its key records. BigInt keeps it exact.
//   node follow.mjs redis://127.0.0.1:6379/0 binance:BTC-USDT 60
import { EPOCH, know, place, rows, streams } from "./wire.mjs";

let bids = new Map(), asks = new Map(), live = false, units = ""; // the book, whether to trust it, and its decimals
let at = 0n, left = 0n; // places: of the entry read last, and from where a new epoch may go on
let compared = 0, equal = 0, resyncs = 0, epochs = 0, lost = 0n;

function take(to, entry) {
  const before = at, unitsBefore = units, kind = String(entry.kind), saysLive = String(entry.state) === "live";
  const missing = (to % EPOCH) - 1n - (to / EPOCH === before / EPOCH ? before % EPOCH : 0n);
  at = to;
  if (before && missing) { // trimmed before it was read
    live = false;
    lost += missing;
  }
  if (kind === "open") { // a new writer: the book is lost, unless the next entry `follows` the one before
    know(entry.v);
    units = `${entry.price_decimals} ${entry.size_decimals}`;
    left = live && units === unitsBefore ? before : 0n;
    live = false;
    epochs += 1;
  } else if (kind === "status") {
    live = saysLive && (live || (left > 0n && place(entry.follows) === left));
  } else if (kind === "snapshot") {
    if (saysLive && !live && bids.size) resyncs += 1;
    [live, bids, asks] = [saysLive, new Map(rows(entry.bids, 2)), new Map(rows(entry.asks, 2))];
  } else if (kind === "delta" && live) {
    for (const [side, changes] of [[bids, entry.bids], [asks, entry.asks]])
      for (const [price, size] of rows(changes, 2)) size ? side.set(price, size) : side.delete(price);
  }
}

function compare(record) {
  const best = (levels, sign) => [...levels].sort((a, b) => (a[0] < b[0] ? -sign : sign)).slice(0, 200).join();
  compared += 1;
  if (best(bids, -1) === best(record.bids, -1) && best(asks, 1) === best(record.asks, 1)) equal += 1;
}

const [url, name, seconds] = process.argv.slice(2), until = Date.now() + 1000 * seconds;
while (Date.now() < until) // joined anew after trouble, and after 2 s of silence: the server may have lost data
  try {
    for await (const { at: place, joined, entry, record } of streams(url, ...name.split(":"))) {
      if (joined) [at, live, units] = [place, false, `${joined.price_decimals} ${joined.size_decimals}`];
      if (entry) take(place, entry);
      if (record?.whole && live && at === place) compare(record);
      if (Date.now() >= until) break;
    }
  } catch (error) {
    if (error instanceof RangeError) throw error; // a layout that is not known
    await new Promise((done) => setTimeout(done, 500));
  }
console.log(`${name}: ${equal} of ${compared} books equal, ${resyncs} resyncs, ${epochs} new epochs, ${lost} entries lost`);
process.exit(compared > 0 && equal === compared ? 0 : 1);
