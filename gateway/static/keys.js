/** The keyboard map: one list that the page obeys and the help shows. Pure. */

/** Every key: its name in help, what it does, and the action it asks for. */
export const KEYS = [
  { keys: "1 – 9", does: "focus the first to ninth instrument" },
  { keys: "⇧ 1 – 9", does: "switch a venue off or on" },
  { keys: "/", does: "find an instrument" },
  { keys: "[ ]", does: "group prices finer, coarser" },
  { keys: "− +", does: "fewer, more rows" },
  { keys: "Q", does: "cumulative size in base or quote" },
  { keys: "Space", does: "freeze all, and go on" },
  { keys: "C", does: "put the axis back to the middle" },
  { keys: "L", does: "lock the axis where it is" },
  { keys: "V", does: "venues on one axis, or each from its top" },
  { keys: "S", does: "depth over one another, or stacked" },
  { keys: "M B N T", does: "to market, ladder, venues, trades" },
  { keys: "D A P", does: "to depth, edges, latency" },
  { keys: "X", does: "diagnostics" },
  { keys: "arrows", does: "move in the market matrix and the ladder" },
  { keys: "?", does: "this help" },
  { keys: "Esc", does: "close what is open" },
];

const PLAIN = {
  "/": ["find"], "[": ["regroup", -1], "]": ["regroup", 1], "-": ["deepen", -1], "+": ["deepen", 1], "=": ["deepen", 1],
  " ": ["freeze"], c: ["recentre"], l: ["lock"], q: ["toggle", "totals"], v: ["toggle", "books"], s: ["toggle", "chart"],
  m: ["panel", "market"], b: ["panel", "ladder"], n: ["panel", "books"], t: ["panel", "trades"],
  d: ["panel", "depth"], a: ["panel", "edges"], p: ["panel", "latency"], x: ["diagnostics"], "?": ["help"], escape: ["close"],
};
const ALWAYS = new Set(["escape"]); // also while single keys are off

/**
 * What a key asks for, or null: nothing in inputs, with modifiers, or while single keys are off.
 * @param {{key: string, code: string, shiftKey: boolean, ctrlKey: boolean, metaKey: boolean, altKey: boolean}} event
 * @param {{isTyping: boolean, isOnControl: boolean, isOff: boolean}} where isOnControl: Space and Enter are the control's own
 * @returns {[string, (string|number)?] | null}
 */
export function actionOf(event, { isTyping, isOnControl, isOff }) {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  const key = event.key.toLowerCase();
  if (isOff && !ALWAYS.has(key)) return null;
  if (isTyping && !ALWAYS.has(key)) return null;
  if (isOnControl && key === " ") return null;
  const digit = /^Digit([1-9])$/.exec(event.code)?.[1];
  if (digit && (event.shiftKey || key === digit)) return [event.shiftKey ? "venue" : "instrument", Number(digit) - 1];
  if (event.shiftKey && key.length === 1 && key >= "a" && key <= "z") return null;
  return PLAIN[key] ?? null;
}
