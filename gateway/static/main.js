/** The page put together: messages in, at most one render per animation frame out. */

import { Controls } from "./controls.js";
import { basisPoints } from "./decimals.js";
import { Diagnostics } from "./diagnostics.js";
import { setText } from "./dom.js";
import { Feed } from "./feed.js";
import { Focus } from "./focus.js";
import { Help } from "./help.js";
import { Hops } from "./hops.js";
import { Journal } from "./journal.js";
import { Market } from "./market.js";
import { Pace } from "./pace.js";
import { Palette } from "./palette.js";
import { Panels, SMALL, WIDE } from "./panels.js";
import { ask, token } from "./rest.js";
import { fromAddress, nextTheme, theme, toAddress } from "./state.js";
import { channels } from "./subscriptions.js";
import { TopBar } from "./topbar.js";
import { PANELS, View } from "./view.js";
import { clock, counted } from "./words.js";

const AGES_MS = 500; // ages grow though no frame comes; this often is read easily
const CHECKS_MS = 5_000;
const STARTED_MS = 6_000; // before frames are looked at: those of the start, when all is compiled and built, say nothing
const DARK = matchMedia("(prefers-color-scheme: dark)");

const byId = (id) => document.getElementById(id);

class Page {
  constructor(instruments) {
    this.market = new Market();
    this.market.load(instruments);
    this.dirty = new Set();
    this.scheduled = false;
    this.pace = new Pace();
    this.refusals = new Map();
    this.journal = new Journal();
    this.hops = new Hops();
    this.view = new View(fromAddress, toAddress, () => this.#choicesChanged());
    this.#buildPanels();
    const url = new URL("ws/v1", document.baseURI);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.search = "";
    this.connection = new Feed(url.href, token(), {
      onMessage: (message, heard) => this.#take(message, heard),
      onState: () => this.#mark("market"),
    });
    this.#listen();
    this.focusOn(this.market.instrument(fromAddress("instrument")) ? fromAddress("instrument") : instruments[0].name);
    this.connection.open();
    setTimeout(() => this.#beginPace(), STARTED_MS);
    this.#learnChecks();
  }

  /** Make this the focused instrument. */
  focusOn(name) {
    const { venues } = this.market.instrument(name);
    this.focus = new Focus(name, venues);
    byId("picker").value = name;
    document.title = `${name} · thalweg`;
    toAddress("instrument", name);
    if (this.view.frozen) this.view.freeze(null);
    this.panels.open(this.focus);
    this.#subscribe();
    this.#mark(...PANELS);
  }

  #buildPanels() {
    const { market } = this;
    this.topbar = new TopBar({ chip: byId("connection"), list: byId("venues"), banner: byId("banner"), announcer: byId("announcer") }, market);
    this.panels = new Panels(market, this.view, { focusOn: (name) => this.focusOn(name), mark: (...names) => this.#mark(...names) });
    this.help = new Help(byId("help"));
    this.diagnostics = new Diagnostics(byId("diagnostics"), this.journal, market, () => ask("api/v1/uptime", byId("token")));
    this.palette = new Palette(byId("palette"), market.instruments.map(({ name }) => name), (name) => this.focusOn(name));
    byId("picker").replaceChildren(...market.instruments.map(({ name }) => new Option(name, name)));
  }

  #listen() {
    byId("picker").addEventListener("change", (event) => this.focusOn(event.target.value));
    const button = byId("theme");
    setText(button, `theme: ${theme()}`);
    button.addEventListener("click", () => this.#themeChanged(setText(button, `theme: ${nextTheme()}`)));
    byId("freeze").addEventListener("click", () => this.#freeze());
    byId("diagnostics-open").addEventListener("click", () => this.diagnostics.toggle());
    byId("help-open").addEventListener("click", () => this.help.toggle());
    for (const tab of byId("tabs").children) tab.addEventListener("click", () => this.#turnTo(tab.dataset.panel));
    byId("tabs").addEventListener("keydown", (event) => this.#keyInTabs(event));
    this.controls = new Controls(this.view, this.help, this.#deeds());
    document.addEventListener("visibilitychange", () => this.#viewChanged());
    for (const size of [SMALL, WIDE]) size.addEventListener("change", () => this.#viewChanged());
    DARK.addEventListener("change", () => this.#themeChanged());
    this.#watchRoom();
    setInterval(() => this.#mark("market", "books", "latency", "edges"), AGES_MS);
    this.#turnTo(PANELS.includes(fromAddress("panel")) ? fromAddress("panel") : "ladder");
  }

  /** Panels change their size with the window, with the choices and when banners come and go. */
  #watchRoom() {
    const watcher = new ResizeObserver(() => {
      this.panels.resized();
      this.#mark(...PANELS);
    });
    for (const node of [document.body, byId("ladder-body"), byId("books")]) watcher.observe(node);
  }

  /** What keys ask of the page itself. */
  #deeds() {
    return {
      find: () => this.palette.open(),
      freeze: () => this.#freeze(),
      panel: (name) => this.#turnTo(name, true),
      instrument: (index) => this.market.instruments[index] && this.focusOn(this.market.instruments[index].name),
      venue: (index) => this.focus.venues[index] && this.view.switchVenue(this.focus.venues[index]),
      close: () => this.diagnostics.close(),
      diagnostics: () => this.diagnostics.toggle(),
    };
  }

  #freeze() {
    this.view.freeze({ atUs: Date.now() * 1000, mid: this.focus.quote?.mid ?? null, trades: this.panels.tape.trades.heard });
  }

  #themeChanged() {
    this.panels.themeChanged();
    this.#mark(...PANELS);
  }

  #choicesChanged() {
    this.panels.viewChanged();
    this.#viewChanged();
  }

  /** What each venue's feed is checked by is known once its worker runs: ask until all are. */
  async #learnChecks() {
    const answer = await ask("api/v1/venues", byId("token"));
    this.market.loadChecks(answer?.venues ?? []);
    this.#mark("books", "ladder", "edges");
    if (this.market.checks.size < this.market.venues.length) setTimeout(() => this.#learnChecks(), CHECKS_MS);
  }

  #take(message, heard) {
    const now = performance.now();
    this.journal.take(message, now);
    if (message.t === "snap" || message.t === "d") this.#takeBook(message, heard, now);
    else if (message.t === "bbo") this.#then(() => this.market.takeBest(message, now), "market", "books", "edges");
    else if (message.t === "status") this.#then(() => this.market.takeStatus(message, now), ...PANELS);
    else if (message.t === "trades") this.#takeTrades(message);
    else if (message.t === "metrics") this.#then(() => this.panels.latency.take(message), "latency");
    else if (message.t === "renewed") this.#takeRenewed(message);
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
    this.#mark(...(taken.venue ? ["books", "depth", "edges"] : ["ladder", "depth"]));
    this.hops.take(frame, heard, this.connection.offsetUs, now);
  }

  #takeRenewed({ ch, why }) {
    this.focus.renewed(ch);
    this.journal.renewed(ch, why);
    this.#mark("ladder", "books", "depth", "edges");
  }

  #takeTrades(message) {
    if (message.ch !== `trades:*:${this.focus.instrument}`) return;
    this.panels.tape.trades.take(message);
    this.#mark("trades");
  }

  #then(act, ...panels) {
    act();
    this.#mark(...panels);
  }

  #subscribe() {
    const { instrument, venues } = this.focus;
    const instruments = this.market.instruments.map(({ name }) => name);
    this.refusals.clear();
    const sight = { panels: this.panels.visible(), hidden: document.hidden, small: SMALL.matches, grouped: this.view.multiple > 0 };
    this.connection.want(channels({ instrument, venues, instruments, ...sight }));
  }

  #viewChanged() {
    if (!this.focus) return;
    this.#subscribe();
    this.#mark(...PANELS);
  }

  #turnTo(panel, isByKey = false) {
    this.panels.turnTo(panel);
    if (SMALL.matches) toAddress("panel", panel);
    else if (isByKey) byId(`panel-${panel}`).focus();
    this.#viewChanged();
  }

  #keyInTabs(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const order = [...byId("tabs").children].map((tab) => tab.dataset.panel);
    this.#turnTo(order[(order.indexOf(this.panels.tab) + step + order.length) % order.length]);
    byId(`tab-${this.panels.tab}`).focus();
  }

  #mark(...panels) {
    for (const panel of panels) this.dirty.add(panel);
    if (this.scheduled || document.hidden) return;
    this.scheduled = true;
    requestAnimationFrame(() => this.#render());
  }

  #beginPace() {
    this.pace.begin(performance.now());
    this.#watchPace(performance.now());
  }

  /** Now and then look how regularly frames come, and say so where panels are drawn less often for it. */
  #watchPace(nowMs) {
    const rest = document.hidden ? 0 : this.pace.take(nowMs);
    if (document.hidden) this.pace.begin(nowMs);
    if (!rest) return requestAnimationFrame((now) => this.#watchPace(now));
    const { perSecond } = this.pace;
    byId("pace").hidden = perSecond === 0;
    setText(byId("pace"), `slowed to ${perSecond}/s`);
    return setTimeout(() => this.#beginPace(), rest);
  }

  #render() {
    this.scheduled = false;
    const now = performance.now();
    this.topbar.render(this.connection, this.refusals, now);
    this.diagnostics.render(this.connection, now);
    this.#tellFrozen();
    if (this.view.frozen) return;
    const pageHops = () => this.hops.lines(this.connection.bestRttMs, now);
    const { early, late } = this.panels.render(this.dirty, { now, leastMs: this.pace.leastMs, pageHops });
    this.dirty = new Set(early);
    if (late.length) this.#mark(...late);
    else this.hops.painted(performance.now());
  }

  /** While all is held, say since when and how far the market has gone. */
  #tellFrozen() {
    const { frozen } = this.view;
    byId("frozen").hidden = !frozen;
    byId("freeze").ariaPressed = String(Boolean(frozen));
    setText(byId("freeze"), frozen ? "go on" : "freeze");
    if (!frozen) return;
    this.hops.forget();
    const mid = this.focus.quote?.mid;
    const drift = mid && frozen.mid ? basisPoints(mid, frozen.mid) : "";
    const moved = drift ? `the middle has gone from ${frozen.mid} to ${mid}, ${drift} bps; ` : "";
    setText(byId("frozen"), `Frozen at ${clock(frozen.atUs)}. Since then ${moved}${counted(this.panels.tape.trades.heard - frozen.trades, "trade")}. Space goes on.`);
  }
}

async function start() {
  for (let attempt = 0; ; attempt += 1) {
    const answer = await ask("api/v1/instruments", byId("token"));
    if (answer) return new Page(answer.instruments);
    setText(byId("banner"), "The gateway does not answer yet; trying again.");
    byId("banner").hidden = false;
    await new Promise((resolve) => setTimeout(resolve, Math.min(5_000, 500 * 2 ** attempt)));
  }
}

start();
