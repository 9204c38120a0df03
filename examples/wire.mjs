// What follow.mjs needs to read the streams: a Redis client, in the place of a package (one connection, RESP2, no retries),
// and the layouts of docs/wire.md.
import net from "node:net";

class Redis {
  #socket;
  #unread = Buffer.alloc(0);
  #waiting = [];

  /** Connect to redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]. */
  static async open(url) {
    const { hostname, port, username, password, pathname } = new URL(url);
    const redis = new Redis();
    const lost = new Error("connection lost");
    redis.#socket = net.connect({ host: hostname, port: Number(port || 6379) });
    redis.#socket.on("data", (data) => redis.#read(data));
    redis.#socket.on("error", () => {}); // "close" follows
    redis.#socket.on("close", () => redis.#waiting.splice(0).forEach((settle) => settle(lost)));
    if (password) await redis.call("AUTH", ...[username, password].filter(Boolean).map(decodeURIComponent));
    if (pathname.length > 1) await redis.call("SELECT", pathname.slice(1));
    return redis;
  }

  /** Send a command and give its reply: Buffers, BigInts, null and arrays of them. Rejects an error, and after 3 s. */
  async call(...words) {
    const packed = words.map((word) => `$${Buffer.byteLength(String(word))}\r\n${word}\r\n`);
    const reply = await new Promise((resolve) => {
      if (this.#socket.destroyed) return resolve(new Error("connection lost"));
      const timer = setTimeout(() => this.close(), 3000);
      this.#waiting.push((value) => (clearTimeout(timer), resolve(value)));
      this.#socket.write(`*${words.length}\r\n${packed.join("")}`);
    });
    if (reply instanceof Error) throw reply;
    return reply;
  }

  close() {
    this.#socket.destroy();
  }

  #read(data) {
    this.#unread = Buffer.concat([this.#unread, data]);
    for (let found; (found = parse(this.#unread, 0)); this.#unread = this.#unread.subarray(found[1]))
      this.#waiting.shift()(found[0]);
  }
}

/** The reply at `at` and where it ends; undefined while it is not whole. */
function parse(data, at) {
  const end = data.indexOf("\r\n", at);
  if (end < 0) return undefined;
  const kind = String.fromCharCode(data[at]), line = data.toString("utf8", at + 1, end);
  const start = end + 2, length = Number(line);
  if (kind === "+") return [Buffer.from(line), start];
  if (kind === "-") return [new Error(line), start];
  if (kind === ":") return [BigInt(line), start];
  if (length < 0) return [null, start];
  const stop = start + length;
  if (kind === "$") return data.length < stop + 2 ? undefined : [data.subarray(start, stop), stop + 2];
  const all = [];
  let next = start;
  for (let found; all.length < length; [, next] = found, all.push(found[0]))
    if (!(found = parse(data, next))) return undefined;
  return [all, next];
}

/** An object of names and values that come in turn: the fields of an entry, or of a hash. */
const fields = (flat) =>
  Object.fromEntries(flat.flatMap((word, k) => (k % 2 ? [] : [[String(word), flat[k + 1]]])));

/** Little-endian int64 numbers, so many a row, as BigInts. */
export const rows = (data, width) =>
  Array.from({ length: data.length / 8 / width }, (_, row) =>
    Array.from({ length: width }, (_, column) => data.readBigInt64LE(8 * (row * width + column))));

/** A place in a stream, epoch * EPOCH + n: it orders as IDs do. */
export const EPOCH = 1n << 64n;
export const place = (id) => String(id ?? "0-0").split("-").map(BigInt).reduce((epoch, n) => epoch * EPOCH + n);

/** Refuse what is written in a layout that is not version 1. */
export function know(version) {
  if (Number(version ?? 1) !== 1) throw new RangeError(`layout version ${version} is not known here`);
}

/** What a record of `out:` says of a venue: whether it holds the whole view and the book is live there, the last entry
 *  that went into it, if one did, and changes, [price, size], a side. */
function decode(record, venue) {
  know(record[1]);
  const runs = 160 + 88 * record.readUInt16LE(6), changes = runs + 32 * record.readUInt32LE(8);
  const line = record.indexOf(venue.padEnd(16, "\0"), 160), mine = BigInt((line - 160) / 88);
  const run = rows(record.subarray(runs, changes), 4).findLast(([index]) => index === mine);
  const all = rows(record.subarray(changes, changes + 24 * record.readUInt32LE(12)), 3);
  const side = (code) => all.filter((row) => row[0] === code).map((row) => row.slice(1));
  const whole = record[2] === 2 && record[line + 16] === 2;
  return { whole, last: run && run[1] * EPOCH + run[3], bids: side(2n * mine), asks: side(2n * mine + 1n) };
}

/** A book's stream and its instrument's `out:`, in step: no entry is given before a record names it, so that books can be
 *  compared. Whoever only follows needs `out:` not at all. Gives `{ joined }`, then `{ entry }` and `{ record }`, each with
 *  its place; ends after 2 s of silence. */
export async function* streams(url, venue, instrument) {
  const stream = `st:{${instrument}}:${venue}`, out = `out:{${instrument}}`, held = [];
  const redis = await Redis.open(url);
  try {
    const joined = fields(await redis.call("HGETALL", `status:{${instrument}}:${venue}`));
    know(joined.v);
    let at = joined.snap_id ? place(joined.snap_id) - 1n : 0n, goal = 0n; // begin before the newest snapshot
    yield { at, joined };
    const after = { [stream]: `${at / EPOCH}-${at % EPOCH}`, [out]: "0-0" };
    for (const [id] of await redis.call("XREVRANGE", out, "+", "-", "COUNT", 1)) after[out] = id;
    let reply;
    while ((reply = await redis.call("XREAD", "BLOCK", 2000, "STREAMS", stream, out, after[stream], after[out])))
      for (const [key, found] of reply)
        for (const [id, flat] of found) {
          after[key] = id;
          if (String(key) === stream) {
            held.push({ at: place(id), entry: fields(flat) });
            continue;
          }
          const record = decode(flat[1], venue);
          goal = record.last ?? goal;
          while (held.length && held[0].at <= goal) yield held.shift();
          yield { at: goal, record };
        }
  } finally {
    redis.close();
  }
}
