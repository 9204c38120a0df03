/** Find an instrument by a few of its letters: type, arrows, Enter. */

import { element, setData, within } from "./dom.js";
import { found } from "./finding.js";

export class Palette {
  /**
   * @param {HTMLDialogElement} dialog
   * @param {string[]} names
   * @param {function(string): void} onChoose
   */
  constructor(dialog, names, onChoose) {
    Object.assign(this, { dialog, names, onChoose, at: 0 });
    this.input = Object.assign(element("input"), { type: "text", spellcheck: false, placeholder: "instrument, as btc or eth usd", autocomplete: "off" });
    for (const [name, value] of Object.entries({ role: "combobox", "aria-expanded": "true", "aria-controls": "found", "aria-label": "Find an instrument" })) this.input.setAttribute(name, value);
    this.list = Object.assign(element("ul", "found"), { id: "found", role: "listbox", ariaLabel: "Instruments" });
    within(dialog, this.input, this.list);
    this.input.addEventListener("input", () => this.#show());
    this.input.addEventListener("keydown", (event) => this.#key(event));
    this.list.addEventListener("click", (event) => this.#choose(event.target.closest("li")?.dataset.name));
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  }

  /** Open it with nothing typed. */
  open() {
    this.input.value = "";
    this.dialog.showModal();
    this.#show();
    this.input.focus();
  }

  #show() {
    this.at = 0;
    this.items = found(this.names, this.input.value).map((name, index) => {
      const item = Object.assign(element("li", "", name), { role: "option", id: `found-${index}` });
      item.dataset.name = name;
      return item;
    });
    this.list.replaceChildren(...this.items);
    this.#mark();
  }

  #mark() {
    this.items.forEach((item, index) => {
      item.ariaSelected = String(index === this.at);
      setData(item, "at", index === this.at ? "yes" : "");
    });
    const item = this.items[this.at];
    this.input.setAttribute("aria-activedescendant", item?.id ?? "");
    item?.scrollIntoView({ block: "nearest" });
  }

  #key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter") this.#choose(this.items[this.at]?.dataset.name);
    if (!step || this.items.length === 0) return;
    event.preventDefault();
    this.at = (this.at + step + this.items.length) % this.items.length;
    this.#mark();
  }

  #choose(name) {
    if (!name) return;
    this.input.blur(); // a browser does so only with its next frame, and a key pressed before that would be typed here
    this.dialog.close();
    this.onChoose(name);
  }
}
