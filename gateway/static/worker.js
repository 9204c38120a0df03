/**
 * The thread that hears: socket, JSON and books are here, so that a busy page delays no frame and a burst of frames
 * no paint. The page asks once a frame; the answer is all that is new, merged, as soon as there is something.
 *
 * From the page: first {url, token}, then {open: true}, {want: [[channel, {depth, rate_ms}]]}, {ask: true}, {whole: channel}.
 * To the page: {state: {...}} when the connection changes, {news: [{message, heardMs}]} once for each ask.
 * `heardMs` is of this machine's clock, milliseconds since the Unix epoch.
 */

import { Client } from "./client.js";
import { Pending } from "./pending.js";

const TELL = ["state", "since", "reason", "rttMs", "bestRttMs", "offsetUs", "skippedTicks", "characters", "frames", "counts"];

const pending = new Pending();
let client = null;
let isAsked = false;

function answer() {
  if (!isAsked || pending.isEmpty) return;
  isAsked = false;
  postMessage({ news: pending.drain() });
}

function take(message, heard) {
  const channel = message.ch;
  if (message.t === "renewed") pending.drop(channel);
  const isBook = message.t === "snap" || message.t === "d";
  pending.take(message, performance.timeOrigin + heard, isBook ? client.book(channel) : undefined);
  answer();
}

function tell() {
  postMessage({ state: Object.fromEntries(TELL.map((name) => [name, client[name]])) });
}

function makeWhole(channels) {
  const now = performance.timeOrigin + performance.now();
  for (const channel of channels) {
    const book = client.book(channel);
    if (book) pending.whole(channel, book, now);
  }
}

function want(channels) {
  client.want(channels);
  makeWhole([...channels.keys()]);
}

onmessage = ({ data }) => {
  if (data.url) client = new Client(data.url, { onMessage: take, onState: tell }, { token: data.token });
  else if (data.open) client.open();
  else if (data.want) want(new Map(data.want));
  else if (data.whole) makeWhole([data.whole]);
  else if (data.ask) isAsked = true;
  answer();
};
