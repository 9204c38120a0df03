/** The top bar: connection, venues with their counts, and the banner that says what is down since when. */

import { element, setData, setText, within } from "./dom.js";
import { clock, counted, glyph, venueWords } from "./words.js";

const ANNOUNCE_MS = 5_000;
const CONNECTION = {
  open: ["●", "connected"],
  connecting: ["○", "connecting"],
  waiting: ["▲", "disconnected"],
  refused: ["■", "refused"],
};

/**
 * What is down, in sentences; [] when all is well. Pure.
 * @param {{state: string, since: number, reason: string}} connection since in ms
 * @param {Map<string, {state: string, since: number, why: string}>} systems since in µs
 * @param {Map<string, string>} refusals why, by channel
 */
export function troubles(connection, systems, refusals) {
  const found = [];
  if (connection.state === "refused") found.push(`The gateway refuses this page: ${connection.reason}. Reload to try again.`);
  else if (connection.state !== "open" && connection.lost) {
    found.push(`No connection to the gateway since ${clock(connection.since * 1000)} (${connection.reason || "closed"}); trying again. What is shown is from before.`);
  }
  if (connection.state !== "open") return found;
  for (const [name, { state, since, why }] of systems) {
    if (state === "live" && !why) continue;
    found.push(`${name[0].toUpperCase()}${name.slice(1)} is ${state === "live" ? "in trouble" : state}${since ? ` since ${clock(since)}` : ""}${why ? `: ${why}` : ""}. Books may not be current.`);
  }
  for (const [channel, why] of refusals) found.push(`The gateway does not give ${channel}: ${why}.`);
  return found;
}

export class TopBar {
  /**
   * @param {{chip: HTMLElement, list: HTMLElement, banner: HTMLElement, announcer: HTMLElement}} nodes
   * @param {Market} market
   */
  constructor(nodes, market) {
    Object.assign(this, nodes);
    this.market = market;
    this.venues = new Map();
    this.told = [];
    this.announcedMs = 0; // the page's first seconds, while books come up, are not news
  }

  /** Show connection, venues and troubles. */
  render(connection, refusals, nowMs) {
    const [mark, words] = CONNECTION[connection.state];
    const rtt = connection.state === "open" && connection.rttMs !== null ? `RTT ${connection.rttMs.toFixed(connection.rttMs < 100 ? 1 : 0)} ms` : "";
    setData(this.chip, "state", connection.state);
    setText(this.chip.querySelector(".mark"), mark);
    setText(this.chip.querySelector(".words"), connection.skippedTicks ? `${words}, ${counted(connection.skippedTicks, "tick")} skipped` : words);
    setText(this.chip.querySelector(".rtt"), rtt);
    for (const venue of this.market.venues) this.#renderVenue(venue);
    const lines = troubles(connection, this.market.systems, refusals);
    setText(this.banner, lines.join(" "));
    this.banner.hidden = lines.length === 0;
    setData(document.body, "down", connection.state === "open" && lines.length === refusals.size ? "" : "yes");
    this.#announce(nowMs);
  }

  /** Tell those who listen which venues changed, seldom enough to be heard out. */
  #announce(nowMs) {
    if (nowMs - this.announcedMs < ANNOUNCE_MS) return;
    const told = this.market.venues.map((venue) => venueWords(venue, this.market.liveOf(venue), this.market.checks.get(venue)));
    const news = told.filter((words) => !this.told.includes(words));
    if (news.length === 0) return;
    Object.assign(this, { told, announcedMs: nowMs });
    setText(this.announcer, news.join(", "));
  }

  #renderVenue(venue) {
    const chip = this.venues.get(venue) ?? this.#build(venue);
    const counts = this.market.liveOf(venue);
    const { live, verified, all, state } = counts;
    const check = this.market.checks.get(venue);
    setData(chip.node, "state", live === all ? "live" : live === 0 ? state : "part");
    setText(chip.mark, live === all ? glyph("live") : glyph(state));
    setText(chip.count, `${live}/${all}`);
    setText(chip.checked, check ? `verified ${verified} of ${all}` : "not verified yet");
    setData(chip.checked, "short", check && verified < all ? "yes" : "");
    const words = venueWords(venue, counts, check);
    if (chip.node.title !== words) chip.node.title = words;
  }

  #build(venue) {
    const mark = element("span", "mark");
    mark.ariaHidden = "true";
    const count = element("span", "count");
    const checked = element("span", "checked");
    const line = within(element("span", "counts"), mark, " ", element("span", "name", venue), " ", count, " ", element("span", "count word", "live"));
    const node = within(element("li"), line, " ", checked);
    this.list.append(node);
    this.venues.set(venue, { node, mark, count, checked });
    return this.venues.get(venue);
  }
}
