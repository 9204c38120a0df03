/**
 * What the page remembers: the reader's choices in its address, so that a link shows the same, and in local storage, for
 * an address that says nothing; the theme in local storage alone.
 */

const THEME_KEY = "thalweg.theme";
const CHOICES_KEY = "thalweg.choices";
const THEMES = ["system", "dark", "light"];

const isBare = location.search.length < 2; // as it was opened: what is written later is this page's own
const remembered = new URLSearchParams(isBare ? recall(CHOICES_KEY) : "");

/** The value of one address parameter, or of the last page's where the address was opened without any; or "". */
export function fromAddress(name) {
  return new URLSearchParams(location.search).get(name) ?? remembered.get(name) ?? "";
}

/** Write one address parameter without a navigation; "" removes it. */
export function toAddress(name, value) {
  const parameters = new URLSearchParams(location.search);
  for (const [other, kept] of remembered) if (!parameters.has(other)) parameters.set(other, kept);
  for (const other of [...remembered.keys()]) remembered.delete(other); // all of it is in the address now
  if (value === "") parameters.delete(name);
  else parameters.set(name, value);
  history.replaceState(null, "", `?${parameters}`);
  keep(CHOICES_KEY, String(parameters));
}

function recall(key) {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return ""; // storage is off
  }
}

function keep(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // storage is off: the choice lasts as long as the page
  }
}

/** The theme in force: "system", "dark" or "light". */
export function theme() {
  return document.documentElement.dataset.theme ?? "system";
}

/** Go on to the next theme, keep it and give its name. */
export function nextTheme() {
  const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
  if (next === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  keep(THEME_KEY, next);
  return next;
}
