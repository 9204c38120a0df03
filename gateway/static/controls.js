/** Keys and buttons to deeds: one place where an action's name meets what does it. */

import { actionOf } from "./keys.js";

const CONTROLS = "button, a, summary, [role=grid] td, [role=tab]";
const INPUTS = "input, select, textarea, [contenteditable]";

export class Controls {
  /**
   * @param {View} view
   * @param {Help} help
   * @param {object} page what else there is to act on: find, freeze, panel, instrument, venue, diagnostics, close
   */
  constructor(view, help, page) {
    Object.assign(this, { view, help, page });
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  #key(event) {
    const where = {
      isTyping: Boolean(event.target.closest?.(INPUTS)),
      isOnControl: Boolean(event.target.closest?.(CONTROLS)),
      isOff: this.help.isOff,
    };
    const action = event.defaultPrevented ? null : actionOf(event, where);
    if (!action || (document.querySelector("dialog[open]") && action[0] !== "help")) return;
    event.preventDefault();
    this.act(...action);
  }

  /** Do what an action's name says. */
  act(name, value) {
    const { view, page } = this;
    const deeds = {
      regroup: () => view.regroup(value),
      deepen: () => view.deepen(value),
      recentre: () => view.recentre(),
      lock: () => view.lock(),
      toggle: () => view.toggle(value),
      help: () => this.help.toggle(),
    };
    (deeds[name] ?? (() => page[name](value)))();
  }
}
