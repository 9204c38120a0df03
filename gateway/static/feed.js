/**
 * The page's end of the thread that hears (worker.js): it looks like a connection, and gives the page all that is new
 * once an animation frame while the page is in sight, once a second while it is not.
 */

const UNSEEN_MS = 1_000;
const RELOAD_MS = 2_000;

export class Feed {
  /**
   * @param {string} url of the socket
   * @param {string} token to show, or ""
   * @param {{onMessage: function(object, number): void, onState: function(Feed): void}} listener
   *   onMessage has the message and when it was heard, by this page's performance.now()
   */
  constructor(url, token, listener) {
    Object.assign(this, { listener, state: "connecting", since: Date.now(), reason: "", rttMs: null, offsetUs: null, skippedTicks: 0 });
    this.lost = false; // until it was open once, there is nothing to lose
    this.isAnswered = false;
    this.worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }) => (data.state ? this.#become(data.state) : this.#take(data.news));
    this.worker.onerror = (event) => event instanceof ErrorEvent || setTimeout(() => location.reload(), RELOAD_MS);
    this.worker.postMessage({ url, token });
    document.addEventListener("visibilitychange", () => this.#askLater());
  }

  /** Connect, and go on connecting. */
  open() {
    this.worker.postMessage({ open: true });
    this.worker.postMessage({ ask: true });
  }

  /**
   * Make these the subscribed channels. Of each of their books that is there already, all is told again.
   * @param {Map<string, {depth: number, rate_ms: number}>} channels
   */
  want(channels) {
    this.worker.postMessage({ want: [...channels] });
  }

  /** All of this channel's book once more. */
  renew(channel) {
    this.worker.postMessage({ whole: channel });
  }

  #become(state) {
    Object.assign(this, state);
    this.lost ||= this.state === "open";
    this.listener.onState(this);
  }

  #take(news) {
    for (const { message, heardMs } of news) this.listener.onMessage(message, heardMs - performance.timeOrigin);
    this.isAnswered = true;
    this.#askLater();
  }

  /** Ask again when the page can paint what comes; the timer of a page that went out of sight is another one. */
  #askLater() {
    if (!this.isAnswered) return;
    clearTimeout(this.timer);
    cancelAnimationFrame(this.frame);
    const ask = () => {
      this.isAnswered = false;
      this.worker.postMessage({ ask: true });
    };
    if (document.hidden) this.timer = setTimeout(ask, UNSEEN_MS);
    else this.frame = requestAnimationFrame(ask);
  }
}
