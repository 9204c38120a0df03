/**
 * The socket to the gateway: connects, keeps the wanted channels subscribed, notices silence, and
 * connects again with full-jitter back-off. What it hears goes to `onMessage`, one object at a time.
 * What it asks goes through `onRequest`, which may add to it. No document is needed: see client.js.
 */

const SUBPROTOCOL = "thalweg.v1+json";
const SILENCE_MS = 5_000; // the gateway beats each second; five missed beats are a dead socket
const PING_MS = 5_000;
const BACKOFF_FLOOR_MS = 500;
const BACKOFF_CAP_MS = 20_000;
const SETTLE_MS = 400; // at most three requests each: below the gateway's ten a second
const RETRY_MS = 1_000; // after an answer that says: not now
const REFUSED_FROM = 4400; // close codes from here on mean: do not come back unasked
const TOO_BIG = 1009; // and so does the one that WebSocket itself has
const SILENT = 4011;

/**
 * How long to wait before the n-th attempt: anywhere up to a doubling ceiling ("full jitter").
 * @param {number} attempt 0 for the first
 * @param {number} random in [0, 1)
 */
export function backoff(attempt, random) {
  const ceiling = Math.min(BACKOFF_CAP_MS, BACKOFF_FLOOR_MS * 2 ** Math.min(attempt + 1, 16));
  return BACKOFF_FLOOR_MS + random * (ceiling - BACKOFF_FLOOR_MS);
}

/** Whether a close code asks the client to stay away. */
export function isRefusal(code) {
  return code >= REFUSED_FROM || code === TOO_BIG;
}

/**
 * What to send to get from one set of channels to another, grouped by depth and rate.
 * @param {Map<string, {depth: number, rate_ms: number}>} from
 * @param {Map<string, {depth: number, rate_ms: number}>} to
 * @param {Set<string>} [again] channels to drop and ask for again though nothing changed
 * @returns {Array<object>} requests without ids
 */
export function requestsBetween(from, to, again = new Set()) {
  const same = (ch) => !again.has(ch) && to.get(ch)?.depth === from.get(ch)?.depth && to.get(ch)?.rate_ms === from.get(ch)?.rate_ms;
  const leaving = [...from.keys()].filter((ch) => !same(ch));
  const groups = new Map();
  for (const [ch, { depth, rate_ms }] of to) {
    if (same(ch)) continue;
    const key = `${depth}/${rate_ms}`;
    if (!groups.has(key)) groups.set(key, { op: "subscribe", ch: [], depth, rate_ms });
    groups.get(key).ch.push(ch);
  }
  const requests = [...groups.values()];
  return leaving.length ? [{ op: "unsubscribe", ch: leaving }, ...requests] : requests;
}

/** One gateway connection. `state` is "connecting", "open", "waiting" or "refused". */
export class Connection {
  #socket = null;
  #wanted = new Map();
  #held = new Map();
  #again = new Set();
  #sent = new Map();
  #settledMs = -Infinity;
  #nextId = 1;
  #attempt = 0;
  #pauseMs = undefined;
  #timers = {};

  /**
   * @param {string} url
   * @param {{onMessage: Function, onState: Function, onRequest: Function}} listener
   * @param {{protocols?: string[], Socket?: Function}} [options] further subprotocols; another WebSocket than the global one
   */
  constructor(url, listener, { protocols = [], Socket = globalThis.WebSocket } = {}) {
    Object.assign(this, { url, listener, Socket, protocols: [SUBPROTOCOL, ...protocols] });
    this.state = "connecting";
    this.since = Date.now();
    this.rttMs = null;
    this.offsetUs = null;
    this.skippedTicks = 0;
    this.reason = "";
    this.characters = 0; // heard since the start; all text is ASCII, so they are bytes before compression
    this.frames = 0;
    this.node = ""; // the gateway process that greeted last
  }

  /** Open the socket now; also the way back after a refusal. */
  open() {
    this.#stop();
    this.#become("connecting");
    const socket = new this.Socket(this.url, this.protocols);
    this.#socket = socket;
    socket.onmessage = (event) => socket === this.#socket && this.#hear(event.data);
    socket.onclose = (event) => socket === this.#socket && this.#lost(event.code, event.reason);
    this.#watch();
  }

  /** Go away for good, or until `open`. */
  close() {
    this.#stop();
    this.reason = "closed by this side";
    this.#become("waiting");
  }

  /**
   * Make these the subscribed channels, now and after every reconnect.
   * @param {Map<string, {depth: number, rate_ms: number}>} channels
   */
  want(channels) {
    this.#wanted = channels;
    this.#settleSoon();
  }

  /** Drop one channel and ask for it again: its next frame is a snapshot. */
  renew(channel) {
    if (!this.#held.has(channel)) return;
    this.#again.add(channel);
    this.#settleSoon();
  }

  /** A channel was not granted after all: ask for it as one that is not held. */
  askAnew(channel) {
    this.#held.delete(channel);
    this.#settleSoon();
  }

  /** Many wishes in a row cost one exchange: the first at once, the others together a little later. */
  #settleSoon() {
    if (this.state !== "open") return;
    clearTimeout(this.#timers.settle);
    const wait = this.#settledMs + SETTLE_MS - performance.now();
    if (wait <= 0) this.#settle();
    else this.#timers.settle = setTimeout(() => this.#settle(), wait);
  }

  #settle() {
    this.#settledMs = performance.now();
    for (const request of requestsBetween(this.#held, this.#wanted, this.#again)) this.#send(this.listener.onRequest(request));
    this.#held = new Map(this.#wanted);
    this.#again.clear();
  }

  #send(request) {
    const id = this.#nextId++;
    if (request.op !== "ping") this.#sent.set(id, request);
    this.#socket.send(JSON.stringify({ ...request, id }));
  }

  /** A refused request that may be repeated is, once it has cooled. */
  #answered(message) {
    const request = this.#sent.get(message.id);
    this.#sent.delete(message.id);
    if (message.t !== "err" || !message.retry || !request) return;
    setTimeout(() => this.state === "open" && this.#send(request), RETRY_MS);
  }

  #hear(text) {
    const heard = performance.now();
    this.characters += text.length;
    this.frames += 1;
    this.#watch();
    for (const line of text.split("\n")) {
      if (!line) continue;
      const message = JSON.parse(line);
      if (message.t === "hello") this.#welcome(message);
      else if (message.t === "pong") this.#measure(message);
      else if (message.t === "ack" || message.t === "err") this.#answered(message);
      else if (message.t === "lag") this.skippedTicks += message.skipped ?? 0;
      else if (message.t === "bye") this.#takeLeave(message);
      this.listener.onMessage(message, heard);
    }
  }

  /** The gateway says when to come back, so that not all pages come at once. */
  #takeLeave({ code, after_ms }) {
    this.reason = `the gateway is going away (${code})`;
    this.#pauseMs = after_ms;
  }

  #welcome({ node }) {
    Object.assign(this, { node, reason: "", bestRttMs: undefined, skippedTicks: 0 });
    this.#attempt = 0;
    this.#pauseMs = undefined;
    this.#held = new Map();
    this.#sent.clear();
    this.#become("open");
    this.#settle();
    this.#ping();
    this.#timers.ping = setInterval(() => this.#ping(), PING_MS);
  }

  #ping() {
    this.#send({ op: "ping", c: Math.round((performance.timeOrigin + performance.now()) * 1000) });
  }

  /** Keep the clock offset of the quickest round trip: it bounds the error by half its length. */
  #measure(pong) {
    const now = (performance.timeOrigin + performance.now()) * 1000;
    const rttMs = (now - pong.c) / 1000;
    if (this.bestRttMs === undefined || rttMs <= this.bestRttMs) {
      this.bestRttMs = rttMs;
      this.offsetUs = pong.srv - (pong.c + now) / 2;
    }
    this.rttMs = rttMs;
    this.listener.onState(this);
  }

  #watch() {
    clearTimeout(this.#timers.silence);
    this.#timers.silence = setTimeout(() => this.#lost(SILENT, "silent for 5 s"), SILENCE_MS);
  }

  #lost(code, reason) {
    this.#stop(code === SILENT ? [SILENT, reason] : []);
    this.reason = reason || this.reason || (code ? `closed with code ${code}` : "closed");
    if (isRefusal(code)) return this.#become("refused");
    const delay = this.#pauseMs ?? backoff(this.#attempt, Math.random());
    this.#pauseMs = undefined;
    this.#attempt += 1;
    this.#become("waiting");
    this.#timers.retry = setTimeout(() => this.open(), delay);
    return undefined;
  }

  #stop(farewell = []) {
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    this.#timers = {};
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(...farewell);
  }

  #become(state) {
    const wasOpen = this.state === "open";
    if (wasOpen !== (state === "open")) this.since = Date.now();
    this.state = state;
    this.listener.onState(this);
  }
}
