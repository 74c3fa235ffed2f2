// @ts-check
/** The playground page: everything together. */

import { byId, h } from "./dom.js";
import { drawHome, leaveHome } from "./home.js";
import { showModals } from "./modal.js";
import { drawRoom, drawThread, focusComposer, leaveRoom } from "./room.js";
import { drawSide } from "./side.js";
import { ask, listen, load, markSeen, rememberPerson } from "./state.js";
import { drawTop, drawTrouble } from "./top.js";

/** @import { Message } from "./types.js" */

const state = await load().catch((error) => {
  document.body.replaceChildren(h("p", { class: "plain" }, error instanceof Error ? error.message : String(error)));
  throw error;
});

/** The message of ours whose thread opens when the answer is there. */
let expected = /** @type {string | null} */ (null);

/** Opens the thread that is waited for. The cursor goes along unless something is being written here. */
function openExpected() {
  const ts = expected;
  expected = null;
  if (ts === null) return;
  const box = document.getElementById("composer-text");
  const writing = box instanceof HTMLTextAreaElement && box.value !== "";
  state.thread = ts;
  place();
  draw();
  if (!writing) focusComposer("thread");
}

/** @type {import("./room.js").Hooks} */
const hooks = {
  expectAnswer(ts) {
    expected = ts;
    const answered = [...(state.messages.get(state.channel)?.values() ?? [])].some((m) => answers(m, ts));
    if (answered) openExpected();
  },
  openThread(ts) {
    state.thread = ts;
    place();
    draw();
    focusComposer("thread");
  },
  closeThread() {
    const root = state.thread;
    state.thread = null;
    place();
    draw();
    const line = document.querySelector(`#room [data-key="${root}"] [data-focus="replies"]`);
    if (line instanceof HTMLElement) line.focus({ preventScroll: true });
    else focusComposer("room");
  },
  dismiss(message) {
    state.dismissed.add(`${message.channel}/${message.ts}`);
    draw();
  },
};

/** @param {Message} message @param {string | null} ts */
const answers = (message, ts) =>
  message.thread_ts === ts &&
  message.ts !== ts &&
  (message.visible_to === null || message.visible_to.includes(state.me));

/** Keeps the address true, so that a reload or a copied link leads back here. */
function place() {
  if (state.home) return history.replaceState(null, "", "/#home");
  const thread = state.thread === null ? "" : `/${state.thread}`;
  history.replaceState(null, "", `/#${state.channel}${thread}`);
}

/** On a phone the channels lie over the room. */
function openSide() {
  byId("desk").classList.toggle("side-open");
  const here = document.querySelector("#side [aria-current]");
  if (here instanceof HTMLElement) here.focus();
}

/** The app hears that somebody looks at its Home, and publishes it then. */
function goHome() {
  state.home = true;
  state.thread = null;
  expected = null;
  byId("desk").classList.remove("side-open");
  place();
  draw();
  void ask("home", { user: state.me });
}

/** @param {string} channel */
function go(channel) {
  state.home = false;
  state.channel = channel;
  state.thread = null;
  expected = null;
  byId("desk").classList.remove("side-open");
  place();
  draw();
  focusComposer("room");
}

/** @param {string} user */
function become(user) {
  state.me = user;
  rememberPerson(user);
  const here = state.channels.get(state.channel);
  if (!here?.members.includes(user)) {
    state.channel = [...state.channels.values()].find((channel) => channel.members.includes(user))?.id ?? "";
    state.thread = null;
  }
  place();
  draw();
  if (state.home) void ask("home", { user });
}

function draw() {
  const channel = state.channels.get(state.channel);
  const name = state.home ? "Home" : `#${channel?.name ?? ""}`;
  document.title = `${name} · ${state.space.team.name}`;
  byId("room").setAttribute("aria-label", name);
  if (state.home) {
    leaveRoom();
    drawHome(state);
  } else {
    leaveHome();
    drawRoom(state, hooks);
  }
  drawThread(state, hooks);
  if (!state.home) markSeen(state);
  drawTop(state, {
    become,
    menu: openSide,
  });
  drawSide(state, go, goHome);
  drawTrouble(state);
  showModals(state);
}

/** Says a new message of somebody else aloud. @param {Message} message */
function announce(message) {
  if (message.user === state.me) return;
  if (message.visible_to !== null && !message.visible_to.includes(state.me)) return;
  const channel = state.channels.get(message.channel);
  if (!channel?.members.includes(state.me)) return;
  const name = state.users.get(message.user)?.real_name ?? message.user;
  const text = message.text.replace(/<[@#!][^>|]*\|?([^>]*)>/g, "$1").replace(/[*_`~]/g, "");
  byId("news").textContent =
    `${name} in #${channel.name}${message.is_ephemeral ? ", only to you" : ""}: ${text.slice(0, 300)}`;
}

/** Many changes in one moment are one drawing. */
let planned = false;
function drawSoon() {
  if (planned) return;
  planned = true;
  requestAnimationFrame(() => {
    planned = false;
    draw();
  });
}

async function reload() {
  try {
    const fresh = await load();
    const { me, channel, thread, dismissed, home } = state;
    Object.assign(state, fresh, { me, channel, thread, dismissed, home });
    const root = thread === null ? null : state.messages.get(channel)?.get(thread);
    if (root === undefined) state.thread = null;
    drawSoon();
  } catch {
    // The stream reconnects by itself and asks again then.
    state.connected = false;
    drawSoon();
  }
}

listen(
  state,
  (message) => {
    if (message) announce(message);
    if (message && message.channel === state.channel && answers(message, expected)) openExpected();
    drawSoon();
  },
  () => void reload(),
);

document.addEventListener("visibilitychange", drawSoon);
document.addEventListener("click", (event) => {
  const inside = event.target instanceof Element && event.target.closest("#side, .menu") !== null;
  if (!inside) byId("desk").classList.remove("side-open");
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
  if (byId("desk").classList.contains("side-open")) byId("desk").classList.remove("side-open");
  else if (state.thread !== null) hooks.closeThread();
});
window.addEventListener("hashchange", () => {
  const [channel = "", thread] = location.hash.slice(1).split("/");
  if (channel === "home") return goHome();
  if (!state.channels.get(channel)?.members.includes(state.me)) return;
  state.home = false;
  state.channel = channel;
  state.thread = thread && state.messages.get(channel)?.has(thread) ? thread : null;
  draw();
});
place();
draw();
if (state.home) void ask("home", { user: state.me });
