/** What the page remembers: the instrument and panel in its address, the theme in local storage. */

const THEME_KEY = "thalweg.theme";
const THEMES = ["system", "dark", "light"];

/** The value of one address parameter, or "". */
export function fromAddress(name) {
  return new URLSearchParams(location.search).get(name) ?? "";
}

/** Write one address parameter without a navigation; "" removes it. */
export function toAddress(name, value) {
  const parameters = new URLSearchParams(location.search);
  if (value === "") parameters.delete(name);
  else parameters.set(name, value);
  history.replaceState(null, "", `?${parameters}`);
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
  try {
    localStorage.setItem(THEME_KEY, next);
  } catch {
    // storage is off: the choice lasts as long as the page
  }
  return next;
}
