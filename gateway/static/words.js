/** How the page words and draws states, ages, instants and durations. Pure. */

const GLYPHS = { live: "●", syncing: "◔", connecting: "○", stale: "▲", halted: "■", delisted: "✕" };
const SHORT_FLAGS = { crossed: "cross", late: "late", conflated: "confl", unverified: "unver" }; // weightiest first
const SECOND_MS = 1_000;

/** The shape that stands for a state, so that colour is never alone. */
export function glyph(state) {
  return GLYPHS[state] ?? "?";
}

/** Flags for a narrow column: the weightiest, and a sign that there are more. */
export function shortFlags(flags) {
  const order = Object.keys(SHORT_FLAGS);
  const [first] = [...flags].sort((one, other) => order.indexOf(one) - order.indexOf(other));
  return (SHORT_FLAGS[first] ?? first ?? "") + (flags.length > 1 ? "+" : "");
}

/** An age that does not flicker: tenths of a second up to ten, then seconds, minutes, hours. */
export function age(ms) {
  if (ms < 10 * SECOND_MS) return `${(Math.max(0, ms) / SECOND_MS).toFixed(1)}s`;
  if (ms < 100 * SECOND_MS) return `${Math.round(ms / SECOND_MS)}s`;
  if (ms < 6_000 * SECOND_MS) return `${Math.round(ms / (60 * SECOND_MS))}m`;
  return `${Math.round(ms / (3_600 * SECOND_MS))}h`;
}

/** A number of things: "1 trade", "2 trades". */
export function counted(count, thing) {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}

const two = (number) => String(number).padStart(2, "0");

/** Local wall time of an instant in microseconds: 12:03:11, or with milliseconds. */
export function clock(us, withMs = false) {
  const date = new Date(us / 1000);
  const seconds = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return withMs ? `${seconds}.${String(date.getMilliseconds()).padStart(3, "0")}` : seconds;
}

/** A duration in microseconds to three significant digits, with its unit. */
export function duration(us) {
  if (us === null || us === undefined || Number.isNaN(us)) return "–";
  const size = Math.abs(us);
  if (size < 999.5) return `${significant(us)} µs`;
  if (size < 999_500) return `${significant(us / 1e3)} ms`;
  return `${significant(us / 1e6)} s`;
}

function significant(value) {
  const size = Math.abs(value);
  const places = size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return value.toFixed(places);
}

/** Two letters for each venue, different ones, for narrow places. */
export function shortNames(venues) {
  const names = new Map();
  const taken = new Set();
  for (const venue of venues) {
    let at = 1;
    while (taken.has(venue[0] + (venue[at] ?? at)) && at < venue.length) at += 1;
    const name = venue[0].toUpperCase() + (venue[at] ?? at);
    taken.add(venue[0] + (venue[at] ?? at));
    names.set(venue, name);
  }
  return names;
}

const DETECTORS = { connection: "socket sequence" };

const detectorName = (check) => DETECTORS[check?.detector] ?? check?.detector ?? "check";
const depthWords = (check) => (check.verified_depth ? `top ${check.verified_depth}` : "all");

/** What finds a loss in a venue's feed, and how deep: "top 10 verified by checksum". */
export function checkWords(check) {
  if (!check) return "";
  return check.detector === "none" ? "unverified: no detector" : `${depthWords(check)} verified by ${detectorName(check)}`;
}

/** The same of one book as it stands: one that is not live, or whose check failed too often, is not verified. */
export function bookCheckWords({ state, flags }, check) {
  if (state !== "live") return `unverified: ${state}`;
  if (flags.includes("unverified") && check?.detector !== "none") return `unverified: ${detectorName(check)} in doubt`;
  return checkWords(check) || "not known yet";
}

/** One venue in words: "kraken: 18 of 18 books live, 18 of 18 verified (top 10 by checksum)". */
export function venueWords(venue, { live, verified, all }, check) {
  const how = !check ? "not known yet" : check.detector === "none" ? "no detector" : `${depthWords(check)} by ${detectorName(check)}`;
  return `${venue}: ${live} of ${all} books live, ${verified} of ${all} verified (${how})`;
}

/** State and reason in words: "stale since 12:03:11: checksum mismatch". */
export function stateWords({ state, since, why }) {
  return `${state}${since ? ` since ${clock(since)}` : ""}${why ? `: ${why}` : ""}`;
}
