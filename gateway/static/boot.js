/* Runs before the first paint, so that a chosen theme never flashes. */
"use strict";
try {
  const theme = localStorage.getItem("thalweg.theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch {
  /* storage is off: the system's theme stands */
}
