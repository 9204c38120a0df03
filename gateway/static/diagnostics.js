/** The drawer for when something looks wrong: losses by book, what the page itself did, the newest messages as they came. */

import { element, setText, within } from "./dom.js";
import { bookCheckWords, clock, glyph } from "./words.js";

const RENDER_MS = 500;
const COLUMNS = ["Book", "State", "Since", "Losses", "Why, or the last change", "Verified"];
const LONGEST = 2_000; // characters of a message shown; the copy has all

export class Diagnostics {
  /**
   * @param {HTMLElement} drawer
   * @param {Journal} journal
   * @param {Market} market
   * @param {function(): Promise<?object>} askUptime how long books were live of late; null where the gateway does not say
   */
  constructor(drawer, journal, market, askUptime) {
    Object.assign(this, { drawer, journal, market, askUptime });
    this.renderedMs = -Infinity;
    this.rows = new Map();
    this.opener = null;
    this.#build();
  }

  /** Open it, or close it and give the focus back. */
  toggle() {
    const isOpen = this.drawer.hidden;
    this.drawer.hidden = !isOpen;
    this.journal.isListening = isOpen;
    this.renderedMs = -Infinity;
    if (isOpen) {
      this.opener = document.activeElement;
      this.drawer.focus();
      this.#renderUptime();
    } else this.opener?.focus?.();
  }

  /** Close it if it is open. */
  close() {
    if (!this.drawer.hidden) this.toggle();
  }

  /** Show what is known, twice a second. */
  render(connection, nowMs) {
    if (this.drawer.hidden || nowMs - this.renderedMs < RENDER_MS) return;
    this.renderedMs = nowMs;
    for (const [name, text] of Object.entries(this.#facts(connection))) setText(this.facts.get(name), text);
    this.#renderBooks();
    if (!this.journal.isPaused) setText(this.messages, this.#messageText());
  }

  #facts(connection) {
    const { journal } = this;
    const renewals = [...journal.renewals.values()];
    const sum = (name) => renewals.reduce((total, counts) => total + counts[name], 0);
    return {
      "round trip": connection.rttMs === null ? "–" : `${connection.rttMs.toFixed(1)} ms`,
      "clock offset": connection.offsetUs === null ? "–" : `${(connection.offsetUs / 1000).toFixed(1)} ms`,
      "messages heard": journal.heard.toLocaleString("en"),
      reconnects: String(journal.reconnects),
      "ticks skipped": String(journal.skippedTicks),
      "trades dropped": String(journal.droppedTrades),
      "gaps in frames": String(sum("gap")),
      "checksums failed": String(sum("checksum")),
    };
  }

  #messageText() {
    const chosen = this.filter.value;
    const shown = this.journal.messages.filter((message) => !chosen || message.t === chosen);
    return shown.map((message) => cut(JSON.stringify(message))).join("\n") || "nothing heard since this was opened";
  }

  /** Every book, those with losses first; rows are made once. */
  #renderBooks() {
    const books = [...this.market.cells].map(([name, cell]) => [name, cell, this.journal.books.get(name)]);
    for (const [name, cell, heard] of books) {
      const row = this.rows.get(name) ?? this.#buildRow(name);
      const last = this.journal.changes.find((change) => change.book === name);
      const state = [`${glyph(cell.state)} ${cell.state}`, ...cell.flags].join(", ");
      const why = cell.why || (last ? `${last.from} → ${last.to}${last.why ? `: ${last.why}` : ""}` : "–");
      const check = bookCheckWords(cell, this.market.checks.get(name.split(":")[0]));
      const texts = [state, cell.since ? clock(cell.since) : "–", String(heard?.losses ?? 0), why, check];
      texts.forEach((text, index) => setText(row.cells[index], text));
    }
  }

  #buildRow(name) {
    const title = element("th", "", name);
    title.scope = "row";
    const cells = Array.from({ length: COLUMNS.length - 1 }, () => element("td"));
    this.body.append(within(element("tr"), title, ...cells));
    this.rows.set(name, { cells });
    return this.rows.get(name);
  }

  #build() {
    const button = (word, act) => {
      const node = Object.assign(element("button", "", word), { type: "button" });
      node.addEventListener("click", () => act(node));
      return node;
    };
    const head = within(element("header"), element("h2", "", "Diagnostics"), button("copy as JSON", (node) => this.#copy(node)), button("close", () => this.toggle()));
    this.uptime = element("p", "uptime");
    const sums = within(element("div", "sums"), this.#buildFacts(), this.uptime);
    Object.assign(sums, { tabIndex: 0, role: "region", ariaLabel: "Counts" });
    within(this.drawer, head, sums, this.#buildTable(), this.#buildMessages(button));
  }

  #buildFacts() {
    this.facts = new Map();
    const list = element("dl", "figures");
    for (const name of Object.keys(this.#facts({ rttMs: null, offsetUs: null }))) {
      this.facts.set(name, element("dd", "", "–"));
      within(list, within(element("div"), element("dt", "", name), this.facts.get(name)));
    }
    return list;
  }

  /** Ask once whenever the drawer is opened: hours change slowly. */
  async #renderUptime() {
    const answer = await this.askUptime();
    const words = (one) => `${one.venue} ${uptimeWords(one)}`;
    setText(this.uptime, answer?.venues.length ? `Live in the last ${answer.hours} h: ${answer.venues.map(words).join("; ")}` : "");
  }

  #buildTable() {
    this.body = element("tbody");
    const heads = COLUMNS.map((word) => Object.assign(element("th", "", word), { scope: "col" }));
    const caption = element("caption", "unseen", "Every book: its state, how often this page saw it cease to be live and why, and how far and by what it is verified.");
    const table = within(element("table", "losses"), caption, within(element("thead"), within(element("tr"), ...heads)), this.body);
    const box = within(element("div", "scroll"), table);
    Object.assign(box, { tabIndex: 0, role: "region", ariaLabel: "Books" });
    return box;
  }

  #buildMessages(button) {
    const kinds = ["", "snap", "d", "bbo", "trades", "status", "metrics", "ack", "err", "lag", "hb"];
    this.filter = within(element("select"), ...kinds.map((kind) => new Option(kind || "all messages", kind)));
    this.filter.ariaLabel = "Kind of message";
    const pause = button("pause", (node) => {
      this.journal.isPaused = !this.journal.isPaused;
      setText(node, this.journal.isPaused ? "go on" : "pause");
      node.ariaPressed = String(this.journal.isPaused);
    });
    this.messages = element("pre", "messages");
    this.messages.tabIndex = 0;
    const bar = within(element("div", "messages-bar"), element("span", "", "newest 50 messages, as they came"), this.filter, pause);
    return within(element("div", "inspector"), bar, this.messages);
  }

  async #copy(node) {
    try {
      await navigator.clipboard.writeText(JSON.stringify(this.journal.report(), null, 1));
      setText(node, "copied");
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      setText(node, "the browser does not allow it");
    }
    setTimeout(() => setText(node, "copy as JSON"), 4 * RENDER_MS);
  }
}

/** "99.98 %, 3 losses": of all books of a venue together. */
function uptimeWords(one) {
  const share = one.live_share === null ? "not observed" : `${(Number(one.live_share) * 100).toFixed(3)} %`;
  return `${share}, ${one.falls} ${one.falls === 1 ? "loss" : "losses"}`;
}

function cut(text) {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)} … ${text.length - LONGEST} more` : text;
}
