/** The help: every key with what it does, and the switch that turns single keys off. */

import { element, within } from "./dom.js";
import { KEYS } from "./keys.js";

const STORED = "thalweg.keys";

export class Help {
  /** @param {HTMLDialogElement} dialog */
  constructor(dialog) {
    this.dialog = dialog;
    this.isOff = stored() === "off";
    const list = element("dl", "keys");
    for (const { keys, does } of KEYS) within(list, within(element("div"), within(element("dt"), element("kbd", "", keys)), element("dd", "", does)));
    const box = Object.assign(element("input"), { type: "checkbox", checked: !this.isOff, id: "single-keys" });
    box.addEventListener("change", () => this.#turn(!box.checked));
    const label = within(element("label", "single"), box, "single keys act; off, this help stays behind its button");
    const close = Object.assign(element("button", "", "close"), { type: "button" });
    close.addEventListener("click", () => dialog.close());
    within(dialog, within(element("header"), element("h2", "", "Keys"), close), list, label);
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  }

  /** Open it, or close it. */
  toggle() {
    if (this.dialog.open) this.dialog.close();
    else this.dialog.showModal();
  }

  #turn(isOff) {
    this.isOff = isOff;
    try {
      localStorage.setItem(STORED, isOff ? "off" : "on");
    } catch {
      // storage is off: the choice lasts as long as the page
    }
  }
}

function stored() {
  try {
    return localStorage.getItem(STORED);
  } catch {
    return null; // storage is off
  }
}
