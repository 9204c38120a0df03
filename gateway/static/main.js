/** The page put together: messages in, at most one render per animation frame out. */

import { Connection } from "./connection.js";
import { ConsolidatedPanel } from "./consolidated.js";
import { setText } from "./dom.js";
import { Focus } from "./focus.js";
import { LatencyPanel } from "./latency.js";
import { Market } from "./market.js";
import { Matrix } from "./matrix.js";
import { Samples } from "./samples.js";
import { fromAddress, nextTheme, theme, toAddress } from "./state.js";
import { channels } from "./subscriptions.js";
import { Tape } from "./tape.js";
import { TopBar } from "./topbar.js";
import { VenuePanels } from "./venues.js";

const PANELS = ["market", "ladder", "books", "trades", "latency"];
const AGES_MS = 500; // ages grow though no frame comes; this often is read easily
const SMALL = matchMedia("(max-width: 899px)");
const CHECKS_MS = 5_000;
const MIN_ROWS = 5;
const MAX_ROWS = 25; // the subscribed depth
const HEADER_PX = 29; // each venue ladder carries its own

const byId = (id) => document.getElementById(id);

class Page {
  constructor(instruments) {
    this.market = new Market();
    this.market.load(instruments);
    this.dirty = new Set();
    this.scheduled = false;
    this.arrivals = [];
    this.refusals = new Map();
    this.hops = { browser: new Samples(), paint: new Samples() };
    this.tab = PANELS.includes(fromAddress("panel")) ? fromAddress("panel") : "ladder";
    this.#buildPanels();
    const url = new URL("ws/v1", document.baseURI);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.search = "";
    this.connection = new Connection(url.href, {
      onMessage: (message, heard) => this.#take(message, heard),
      onState: (connection) => this.#connectionChanged(connection),
    });
    this.#listen();
    this.focusOn(this.market.instrument(fromAddress("instrument")) ? fromAddress("instrument") : instruments[0].name);
    this.connection.open();
    this.#learnChecks();
  }

  /** Make this the focused instrument. */
  focusOn(name) {
    const { venues } = this.market.instrument(name);
    this.focus = new Focus(name, venues);
    byId("picker").value = name;
    document.title = `${name} · thalweg`;
    toAddress("instrument", name);
    this.ladder.open(this.focus);
    this.books.open(this.focus);
    this.tape.open(name);
    this.#subscribe();
    this.#mark(...PANELS);
  }

  #buildPanels() {
    const { market } = this;
    this.topbar = new TopBar({ chip: byId("connection"), list: byId("venues"), banner: byId("banner"), announcer: byId("announcer") }, market);
    this.matrix = new Matrix(byId("matrix"), byId("market-detail"), market, (name) => this.focusOn(name));
    const nodes = { title: byId("ladder-title"), legend: byId("ladder-venues"), body: byId("ladder-body"), detail: byId("ladder-detail"), card: byId("ladder-card") };
    this.ladder = new ConsolidatedPanel(nodes, market);
    this.books = new VenuePanels({ title: byId("books-title"), body: byId("books") }, market);
    const tape = { title: byId("trades-title"), box: byId("tape-box"), newer: byId("trades-new"), body: byId("tape").tBodies[0] };
    this.tape = new Tape(tape, market, () => this.#mark("trades"));
    const hops = { table: byId("hops"), path: byId("path"), by: byId("latency-by") };
    this.latency = new LatencyPanel(hops, () => this.#mark("latency"));
    byId("picker").replaceChildren(...market.instruments.map(({ name }) => new Option(name, name)));
  }

  #listen() {
    byId("picker").addEventListener("change", (event) => this.focusOn(event.target.value));
    const button = byId("theme");
    setText(button, `theme: ${theme()}`);
    button.addEventListener("click", () => setText(button, `theme: ${nextTheme()}`));
    for (const tab of byId("tabs").children) tab.addEventListener("click", () => this.#turnTo(tab.dataset.panel));
    byId("tabs").addEventListener("keydown", (event) => this.#keyInTabs(event));
    document.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("visibilitychange", () => this.#viewChanged());
    SMALL.addEventListener("change", () => this.#viewChanged());
    new ResizeObserver(() => this.#mark("ladder", "books")).observe(document.body);
    setInterval(() => this.#mark("market", "books", "latency"), AGES_MS);
    this.#turnTo(this.tab);
  }

  /** What each venue's feed is checked by is known once its worker runs: ask until all are. */
  async #learnChecks() {
    const answer = await ask("api/v1/venues");
    this.market.loadChecks(answer?.venues ?? []);
    this.#mark("books");
    if (this.market.checks.size < this.market.venues.length) setTimeout(() => this.#learnChecks(), CHECKS_MS);
  }

  #take(message, heard) {
    const now = performance.now();
    if (message.t === "snap" || message.t === "d") this.#takeBook(message, heard, now);
    else if (message.t === "bbo") this.#then(() => this.market.takeBest(message, now), "market", "books");
    else if (message.t === "status") this.#then(() => this.market.takeStatus(message, now), "market", "ladder", "books");
    else if (message.t === "trades") this.#takeTrades(message);
    else if (message.t === "metrics") this.#then(() => this.latency.take(message), "latency");
    else if (message.t === "lag") this.#then(() => (this.connection.skippedTicks += message.skipped ?? 0), "market");
    else if (message.t === "ack") this.#takeRefusals(message);
    else if (message.t === "err" && !message.retry) this.#then(() => this.refusals.set("an answer", message.msg), "market");
  }

  #takeRefusals(ack) {
    for (const channel of ack.ok ?? []) this.refusals.delete(channel);
    for (const refusal of ack.err ?? []) {
      if (!this.focus.takeRefusal(refusal)) this.refusals.set(refusal.ch, refusal.msg);
    }
    this.#mark("market", "ladder", "books");
  }

  #takeBook(frame, heard, now) {
    const taken = this.focus.take(frame);
    if (!taken) return;
    if (taken.renew) this.connection.renew(frame.ch);
    if (taken.venue) this.market.takeState(this.focus.instrument, taken.venue, frame, now);
    this.#mark(taken.venue ? "books" : "ladder");
    this.arrivals.push(heard);
    const { offsetUs } = this.connection;
    if (frame.ts?.g && offsetUs !== null) {
      this.hops.browser.add((performance.timeOrigin + heard) * 1000 + offsetUs - frame.ts.g, now);
    }
  }

  #takeTrades(message) {
    if (message.ch !== `trades:*:${this.focus.instrument}`) return;
    this.tape.trades.take(message);
    this.#mark("trades");
  }

  #connectionChanged(connection) {
    connection.lost ||= connection.state === "open";
    if (connection.state !== "open") {
      this.focus.expectSnapshots();
      this.tape.trades.interrupt();
    }
    this.#mark("market", "trades");
  }

  #then(act, ...panels) {
    act();
    this.#mark(...panels);
  }

  #visible() {
    return SMALL.matches ? new Set([this.tab]) : new Set(PANELS);
  }

  #subscribe() {
    const { instrument, venues } = this.focus;
    const instruments = this.market.instruments.map(({ name }) => name);
    this.refusals.clear();
    const view = { instrument, venues, instruments, panels: this.#visible(), hidden: document.hidden, small: SMALL.matches };
    this.connection.want(channels(view));
  }

  #viewChanged() {
    this.#subscribe();
    this.#mark(...PANELS);
  }

  #turnTo(panel) {
    this.tab = panel;
    document.body.dataset.panel = panel;
    if (SMALL.matches) toAddress("panel", panel);
    for (const tab of byId("tabs").children) {
      tab.ariaSelected = String(tab.dataset.panel === panel);
      tab.tabIndex = tab.dataset.panel === panel ? 0 : -1;
    }
    if (this.focus) this.#viewChanged();
  }

  #keyInTabs(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    this.#turnTo(PANELS[(PANELS.indexOf(this.tab) + step + PANELS.length) % PANELS.length]);
    byId(`tab-${this.tab}`).focus();
  }

  #key(event) {
    const isTyping = event.target.closest?.("input, select, textarea");
    if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    byId("picker").focus();
  }

  #mark(...panels) {
    for (const panel of panels) this.dirty.add(panel);
    if (this.scheduled || document.hidden) return;
    this.scheduled = true;
    requestAnimationFrame(() => this.#render());
  }

  #render() {
    this.scheduled = false;
    const now = performance.now();
    const visible = this.#visible();
    const due = (panel) => this.dirty.has(panel) && visible.has(panel);
    const [ladder, books] = [due("ladder"), due("books")];
    const rows = ladder || books ? rowsThatFit() : 0;
    this.topbar.render(this.connection, this.refusals, now);
    if (due("market")) this.matrix.render(now, this.focus.instrument);
    if (ladder) this.ladder.render(rows);
    if (books) this.books.render(rows, now);
    if (due("trades")) this.tape.render();
    if (due("latency")) this.latency.render(this.#pageHops(now));
    this.dirty.clear();
    const painted = performance.now();
    for (const heard of this.arrivals) this.hops.paint.add((painted - heard) * 1000, painted);
    this.arrivals.length = 0;
  }

  #pageHops(now) {
    const { bestRttMs } = this.connection;
    const bound = bestRttMs === undefined ? "" : ` (± ${(bestRttMs / 2).toFixed(1)} ms: half the quickest round trip)`;
    const browser = { hop: "browser", by: "this page", what: `The gateway's tick to the frame in this page${bound}.`, from: "gateway tick", to: "frame in the page", clock: "gateway's and this machine's, offset from pings" };
    const paint = { hop: "paint", by: "this page", what: "Frame in this page to the document written, in the next animation frame.", from: "frame in the page", to: "document written", clock: "this page's own" };
    return [{ ...browser, ...this.hops.browser.summary(now) }, { ...paint, ...this.hops.paint.summary(now) }];
  }
}

/** How many rows a side fit into the ladder panels as they are laid out now. */
function rowsThatFit() {
  const style = getComputedStyle(document.documentElement);
  const row = parseInt(style.getPropertyValue("--row"), 10);
  const body = byId("ladder-body").clientHeight || byId("books").clientHeight - HEADER_PX;
  const taken = parseInt(style.getPropertyValue("--ladder-taken"), 10);
  return Math.max(MIN_ROWS, Math.min(MAX_ROWS, Math.floor((body - taken) / row / 2)));
}

/** The answer of a REST request, or null where the gateway gives none. */
async function ask(path) {
  try {
    const response = await fetch(new URL(path, document.baseURI));
    return response.ok ? await response.json() : null;
  } catch (error) {
    if (error instanceof TypeError) return null; // the network's way to fail; anything else is ours
    throw error;
  }
}

async function start() {
  for (let attempt = 0; ; attempt += 1) {
    const answer = await ask("api/v1/instruments");
    if (answer) return new Page(answer.instruments);
    setText(byId("banner"), "The gateway does not answer yet; trying again.");
    byId("banner").hidden = false;
    await new Promise((resolve) => setTimeout(resolve, Math.min(5_000, 500 * 2 ** attempt)));
  }
}

start();
