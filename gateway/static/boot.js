/* Runs before the first paint, so that a chosen theme never flashes, and before anything else can fail to load. */
"use strict";

const RELOAD_MS = 2000;

try {
  const theme = localStorage.getItem("thalweg.theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch {
  /* storage is off: the system's theme stands */
}

/* A page that got only some of its files would stand there empty for ever: get them all again. */
addEventListener(
  "error",
  ({ target }) => {
    if (target instanceof HTMLScriptElement || target instanceof HTMLLinkElement) setTimeout(() => location.reload(), RELOAD_MS);
  },
  true,
);
