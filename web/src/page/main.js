// The page: what the user does goes to the loop, what the loop finds goes to the page.

import { Choice } from "./choice.js";
import { sentence } from "./errors.js";
import { showFacts, showSize, showStats } from "./figures.js";
import { Input } from "./input.js";
import { Loop } from "./loop.js";
import { Messages } from "./messages.js";
import { goOffline } from "./offline.js";
import { place } from "./place.js";
import { followSaving } from "./saving.js";
import { Stats } from "./stats.js";
import { followTab } from "./tab.js";
import { followTransport } from "./transport.js";
import { View } from "./view.js";

const messages = new Messages({
  status: place("status"),
  alert: place("alert"),
  alertText: place("alert-text"),
  close: place("alert-close"),
});
const fail = (error, about = "") => messages.fail(sentence(error), about);
const stats = new Stats();

const view = new View({
  say: (text) => messages.say(text),
  fail,
  lost: (text) => messages.fail(text, "screen"),
  restored: () => {
    messages.clear("screen");
    loop.again();
  },
});
const loop = new Loop({ compositor: view.compositor, stats, show: () => view.draw(), fail, seen });
const follow = followTransport({ jumping: () => loop.forget(), jumped: () => loop.again() });
const saving = followSaving({ view, source: () => loop.source, say: (text) => messages.say(text), fail });
const choice = new Choice({
  open: (engine) => {
    messages.clear("model");
    loop.setEngine(engine);
    showFacts(engine, view.compositor.kind);
    ready();
  },
  changed: () => {
    stats.clear();
    loop.again();
  },
  busy: (text) => messages.say(text),
  fail: (error) => {
    fail(error, "model");
    ready();
  },
});
const input = new Input({
  open,
  close: () => shown(null),
  fail: (error) => fail(error, "source"),
  model: (files) => choice.own(files),
  largest: () => view.compositor.largest,
});
let turn = 0;

/** Another source: the one before stays where the new one cannot be opened. */
async function open(making) {
  const mine = ++turn;
  messages.say("Opening…");
  try {
    const source = await making();
    if (mine !== turn) return source.close();
    messages.clear("source");
    shown(source);
    await source.video?.play();
  } catch (error) {
    if (mine !== turn) return;
    // a browser that lets no video with sound start by itself: the button is there
    if (error?.name !== "NotAllowedError" || !loop.source?.video) fail(error, "source");
    ready();
  }
}

function shown(source) {
  saving.stop();
  loop.setSource(source);
  follow(source?.kind === "video" ? source.video : null);
  input.shown(source);
  view.setMirror(source?.kind === "camera" && place("mirror").checked);
  ready();
}

function seen(mask) {
  showSize(mask);
  view.describe(loop.source?.name ?? "Picture");
  saving.ready();
  if (!loop.source?.live) showStats(stats, false);
}

/** The quiet line: what is running, and what could not be had. */
function ready() {
  const engine = loop.engine;
  const parts = [loop.source ? `${loop.source.name}.` : "Open a picture, a video or the camera."];
  if (loop.source?.note) parts.push(loop.source.note);
  if (!engine) parts.push("No model is loaded.");
  else if (!engine.facts.isolated)
    parts.push("One thread: this page is not cross-origin isolated, so the browser gives it no SharedArrayBuffer.");
  if (engine?.facts.note) parts.push(engine.facts.note);
  if (view.slow) parts.push(view.slow);
  messages.say(parts.join(" "));
}

place("mirror").addEventListener("change", (event) => view.setMirror(event.target.checked));
followTab({ loop, saving, say: (text) => messages.say(text), back: ready });
setInterval(() => loop.source?.live && showStats(stats, true), 500);
const idle = () => !loop.source;
const news = (load) => {
  place("news").hidden = false;
  place("update").onclick = load;
};
goOffline({ news, idle }).catch(() => {}); // without it the page works as well, only not offline
choice.start();
