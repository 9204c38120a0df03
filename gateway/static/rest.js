/**
 * Single questions to the gateway, with its token where it wants one. The reader is asked for the token; it is kept as long as
 * this tab is, and is never in an address.
 */

import { setText } from "./dom.js";

const KEY = "thalweg.token";
const UNAUTHORISED = 401;

let held = recall();

/** The token to show, or "". */
export function token() {
  return held;
}

/**
 * The answer of a REST request, or null where the gateway gives none.
 * @param {string} path
 * @param {HTMLDialogElement} dialog asks for the token, as often as it is wrong
 */
export async function ask(path, dialog) {
  try {
    const response = await fetch(new URL(path, document.baseURI), held ? { headers: { authorization: `Bearer ${held}` } } : {});
    if (response.ok) return await response.json();
    if (response.status !== UNAUTHORISED) return null;
  } catch (error) {
    if (error instanceof TypeError) return null; // the network's way to fail; anything else is ours
    throw error;
  }
  await askReader(dialog);
  return ask(path, dialog);
}

async function askReader(dialog) {
  const input = dialog.querySelector("[type=password]");
  setText(dialog.querySelector(".note"), held ? "That was not the token." : "It is the one in THALWEG_TOKEN.");
  input.value = "";
  if (!dialog.open) dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  held = input.value.trim();
  input.value = "";
  keep(held);
}

function recall() {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return ""; // storage is off
  }
}

function keep(text) {
  try {
    sessionStorage.setItem(KEY, text);
  } catch {
    // storage is off: the token lasts until the page is loaded again
  }
}
