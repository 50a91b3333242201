/** The page starts here: the link, the door, and then the talk. */

import { connect, parseLink } from "../chatd/index.js";
import { Dialogs } from "./dialogs.js";
import { Door } from "./door.js";
import { part } from "./elements.js";
import { Marks } from "./marks.js";
import { browserStorage, Memory } from "./memory.js";
import { Banner, Notifications, togglePanel } from "./notices.js";
import { Talk } from "./talk.js";
import { View } from "./view.js";

/** @typedef {import("./door.js").Entered} Entered */

const memory = new Memory(browserStorage("localStorage"));
const marks = {
  remembered: new Marks(browserStorage("localStorage")),
  ofTab: new Marks(browserStorage("sessionStorage")),
};
const banner = new Banner();
const notifications = new Notifications();
const view = new View();
const dialogs = new Dialogs(() => view.focus());
const door = new Door((entered) => void enter(entered));
/** @type {Talk | null} */
let talk = null;
/** @type {import("./state.js").Chat | null} A session whose person has not sent all. */
let unsent = null;
/** @type {string | null} The room of the link that the person followed. */
let invitedTo = null;
/** Whether a session is about to begin. */
let isEntering = false;
/** Longest name of a room, in UTF-16 code units: 64 characters. */
const MAX_ROOM = 128;

/**
 * Take the key and the room out of the address: nobody shall see them there, or in the history.
 *
 * @returns {{key: string | null, error?: unknown}}
 */
function readAddress() {
  const { href } = location;
  history.replaceState(null, "", location.pathname + location.search);
  try {
    const { key, room } = parseLink(href);
    if (room !== null && room.length > MAX_ROOM) return { key, error: { code: "bad-link" } };
    if (room !== null) invitedTo = room;
    return { key };
  } catch (error) {
    return { key: null, error };
  }
}

/** @returns {string} The address of the WebSocket that belongs to this page. */
function socketAddress() {
  return parseLink(new URL("./", location.href).href).url;
}

/** @returns {string[]} The room of the link, and those that the browser has kept. */
function roomsToEnter() {
  const kept = memory.read()?.rooms ?? [];
  return invitedTo === null ? kept : [invitedTo, ...kept.filter((room) => room !== invitedTo)];
}

/**
 * @param {Entered} entered
 * @param {string[]} [rooms] Where the session begins, if it goes on with an earlier one.
 */
async function enter(entered, rooms = roomsToEnter()) {
  if (isEntering) return;
  isEntering = true;
  const { name, key, password, isRemembered } = entered;
  const hasPassword = password !== "";
  const invited = invitedTo;
  door.busy(true);
  const client = connect(socketAddress(), {
    name: name || undefined,
    key: key || null,
    password: password || undefined,
    rooms: rooms.length > 0 ? rooms : undefined,
  });
  const begun = new Talk(client, {
    view,
    banner,
    notifications,
    dialogs,
    marks: isRemembered ? marks.remembered : marks.ofTab,
    left: () => leave(),
    joinAgain: (error, chat) => {
      unsent = chat;
      const again = { ...entered, name: client.name, password: "" };
      leave(error);
      door.fill(again);
      const places = chat.rooms.filter((each) => each.isJoined).map((each) => each.name);
      if (!hasPassword) void enter(again, places);
    },
    keep: (name, rooms) => {
      if (isRemembered) memory.write({ name, key, rooms, hasPassword });
    },
  });
  if (unsent !== null) begun.chat.takeUnsent(unsent);
  try {
    await client.welcomed;
  } catch (error) {
    begun.end();
    banner.clear();
    door.open(error);
    return;
  } finally {
    isEntering = false;
  }
  if (isRemembered) memory.write({ name: client.name, key, rooms: client.rooms, hasPassword });
  else forget();
  talk = begun;
  unsent = null;
  door.close();
  talk.begin();
  if (invitedTo !== null && invitedTo !== invited) talk.join(invitedTo); // of a later link
  invitedTo = null;
}

/** Forget what is kept beyond this tab. */
function forget() {
  memory.forget();
  marks.remembered.forget();
}

/** @param {unknown} [error] Why the session is over, if the person did not end it. */
function leave(error) {
  talk = null;
  document.title = "chatd";
  if (error === undefined) {
    unsent = null;
    forget();
    marks.ofTab.forget();
  }
  const kept = memory.read();
  door.fill({ ...kept, isRemembered: kept !== null });
  banner.clear();
  door.open(error);
}

/** @type {Record<string, "findRoom" | "findPerson" | "options" | "newest">} */
const BUTTONS = {
  "find-room": "findRoom",
  "hint-join": "findRoom",
  "find-person": "findPerson",
  "room-menu": "options",
  newest: "newest",
};
for (const [id, what] of Object.entries(BUTTONS)) {
  part(id).addEventListener("click", () => talk?.does(what));
}
part("leave-chat").addEventListener("click", () => talk?.askToLeave());
part("show-places").addEventListener("click", () => togglePanel("show-places", "places"));
part("show-people").addEventListener("click", () => togglePanel("show-people", "people-panel"));
document.addEventListener("keydown", (event) => {
  if (talk === null) return;
  if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
    event.preventDefault();
    talk.does(event.key === "ArrowUp" ? "up" : "down");
  } else if (event.key === "Escape") {
    togglePanel("show-places", "places", false);
    togglePanel("show-people", "people-panel", false);
  }
});
document.addEventListener("visibilitychange", () => talk?.does("seen"));
addEventListener("beforeunload", (event) => {
  if (talk?.hasUnsent) event.preventDefault(); // the browser asks whether to stay
});
// A browser may keep a page that the person has left, with its session: others could not tell.
addEventListener("pagehide", () => void talk?.suspend());
addEventListener("pageshow", (event) => event.persisted && location.reload());
addEventListener("hashchange", () => {
  const { key, error } = readAddress();
  if (isEntering) return; // the room of the link is joined then
  if (talk === null) {
    if (key !== null) door.fill({ key });
    door.open(error);
  } else if (error !== undefined) {
    talk.tell(error);
  } else if (invitedTo !== null) {
    talk.join(invitedTo);
    invitedTo = null;
  }
});

const { key, error } = readAddress();
const kept = memory.read();
door.fill({
  ...kept,
  ...(key === null ? {} : { key }),
  isRemembered: kept !== null,
});
door.open(error);
const isKnown = key === null || key === kept?.key;
if (kept !== null && !kept.hasPassword && isKnown && error === undefined) {
  void enter({ name: kept.name, key: kept.key, password: "", isRemembered: true });
}
