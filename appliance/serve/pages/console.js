// A VM's screen: /console#token=…&name=…, with a token of RequestConsoleAccess, which is good for one visit.
import {SCANCODES, symbol, typing} from "./keys.js";
import {Rfb} from "./rfb.js";
import {has, translate, word} from "./words.js";

const find = (id) => document.getElementById(id);
const TYPING_MS = 12;  // a key; guests lose those that come faster

const given = new URLSearchParams(location.hash.slice(1));
// It is of no use a second time, and of none in a bookmark or over somebody's shoulder.
history.replaceState(null, "", location.pathname);
const held = new Map();
let rfb = null;

function say(text) {
  find("state").textContent = text;
}

function begin(token) {
  const url = `${location.origin.replace(/^http/, "ws")}/websockify?token=${encodeURIComponent(token)}`;
  rfb = new Rfb(url, find("screen"));
  rfb.addEventListener("ready", () => {
    say("");
    find("screen").focus();
  });
  rfb.addEventListener("end", ({detail}) => {
    rfb = null;
    const known = `end${detail.code ?? ""}`;
    say(word("consoleEnded", {why: has(known) ? word(known) : detail.reason || word("end")}));
  });
}

function press(down, code, key) {
  rfb?.key(down, SCANCODES[code] ?? 0, symbol(key));
}

function letGo() {
  for (const [code, key] of held) press(false, code, key);
  held.clear();
}

async function type(text) {
  for (const stroke of typing(text)) {
    if (stroke === null) {
      say(word("noKey"));
      continue;
    }
    if (stroke.shift) press(true, "ShiftLeft", "Shift");
    press(true, stroke.code, stroke.key);
    press(false, stroke.code, stroke.key);
    if (stroke.shift) press(false, "ShiftLeft", "Shift");
    await new Promise((done) => { setTimeout(done, TYPING_MS); });
  }
}

const screen = find("screen");
screen.addEventListener("keydown", (event) => {
  event.preventDefault();
  held.set(event.code, event.key);
  press(true, event.code, event.key);
});
screen.addEventListener("keyup", (event) => {
  event.preventDefault();
  press(false, event.code, held.get(event.code) ?? event.key);
  held.delete(event.code);
});
screen.addEventListener("blur", letGo);
for (const kind of ["pointermove", "pointerdown", "pointerup", "wheel"]) {
  screen.addEventListener(kind, (event) => {
    rfb?.pointer(event);
    if (kind === "wheel") event.preventDefault();
    if (kind === "pointerdown") screen.setPointerCapture(event.pointerId);
  }, {passive: false});
}
screen.addEventListener("contextmenu", (event) => event.preventDefault());

find("leave").addEventListener("click", () => {
  const keys = [["ControlLeft", "Control"], ["AltLeft", "Alt"], ["Delete", "Delete"]];
  for (const [code, key] of keys) press(true, code, key);
  for (const [code, key] of keys.reverse()) press(false, code, key);
  screen.focus();
});
find("paste").addEventListener("click", () => {
  find("typing").hidden = !find("typing").hidden;
  find("text").focus();
});
find("typing").addEventListener("submit", (event) => {
  event.preventDefault();
  find("typing").hidden = true;
  screen.focus();
  type(find("text").value);
  find("text").value = "";
});
find("whole").addEventListener("click", () => {
  document.documentElement.requestFullscreen();
  screen.focus();
});

translate();
if (given.has("name")) {
  find("name").textContent = given.get("name");
  document.title = given.get("name");
}
if (given.has("token")) {
  say(word("connecting"));
  begin(given.get("token"));
} else {
  say(word("noToken"));
}
