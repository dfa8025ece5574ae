// Keys of a PC's keyboard: the scan codes of a browser's key names, and the keys that type a text.
const ROWS = {
  0x02: "Digit1 Digit2 Digit3 Digit4 Digit5 Digit6 Digit7 Digit8 Digit9 Digit0 Minus Equal Backspace Tab",
  0x10: "KeyQ KeyW KeyE KeyR KeyT KeyY KeyU KeyI KeyO KeyP BracketLeft BracketRight Enter ControlLeft",
  0x1e: "KeyA KeyS KeyD KeyF KeyG KeyH KeyJ KeyK KeyL Semicolon Quote Backquote ShiftLeft Backslash",
  0x2c: "KeyZ KeyX KeyC KeyV KeyB KeyN KeyM Comma Period Slash ShiftRight NumpadMultiply AltLeft Space CapsLock",
  0x3b: "F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 NumLock ScrollLock",
  0x47: "Numpad7 Numpad8 Numpad9 NumpadSubtract Numpad4 Numpad5 Numpad6 NumpadAdd",
  0x4f: "Numpad1 Numpad2 Numpad3 Numpad0 NumpadDecimal",
  0x56: "IntlBackslash F11 F12",
  0xc7: "Home ArrowUp PageUp",
  0xcf: "End ArrowDown PageDown Insert Delete",
};
export const SCANCODES = {
  Escape: 0x01, NumpadEnter: 0x9c, ControlRight: 0x9d, NumpadDivide: 0xb5, PrintScreen: 0xb7, AltRight: 0xb8,
  ArrowLeft: 0xcb, ArrowRight: 0xcd, MetaLeft: 0xdb, MetaRight: 0xdc, ContextMenu: 0xdd,
};
for (const [first, names] of Object.entries(ROWS)) {
  names.split(" ").forEach((name, place) => { SCANCODES[name] = Number(first) + place; });
}

const SYMBOLS = {
  Backspace: 0xff08, Tab: 0xff09, Enter: 0xff0d, Escape: 0xff1b, Home: 0xff50, ArrowLeft: 0xff51, ArrowUp: 0xff52,
  ArrowRight: 0xff53, ArrowDown: 0xff54, PageUp: 0xff55, PageDown: 0xff56, End: 0xff57, Insert: 0xff63,
  Shift: 0xffe1, Control: 0xffe3, CapsLock: 0xffe5, Meta: 0xffeb, Alt: 0xffe9, AltGraph: 0xfe03, Delete: 0xffff,
};

// X's symbol of a browser's key: its own number, or for a character that of Unicode.
export function symbol(key) {
  if (key in SYMBOLS) return SYMBOLS[key];
  const function_ = /^F(\d\d?)$/.exec(key);
  if (function_) return 0xffbd + Number(function_[1]);
  const [character, ...more] = key;
  if (more.length) return 0;
  const point = character.codePointAt(0);
  return point < 0x100 ? point : 0x01000000 + point;
}

const PLAIN = "1234567890-=qwertyuiop[]asdfghjkl;'`\\zxcvbnm,./ \n\t";
const SHIFTED = "!@#$%^&*()_+QWERTYUIOP{}ASDFGHJKL:\"~|ZXCVBNM<>?";
const TYPED = [
  ...ROWS[0x02].split(" ").slice(0, 12), ...ROWS[0x10].split(" ").slice(0, 12), ...ROWS[0x1e].split(" ").slice(0, 12),
  "Backslash", ...ROWS[0x2c].split(" ").slice(0, 10), "Space", "Enter", "Tab",
];

// The keys that type a text on a keyboard with the American layout: names of keys, shifted or not.
// A character that is on no key becomes null.
export function typing(text) {
  return [...text.replaceAll("\r\n", "\n")].map((character) => {
    const plain = PLAIN.indexOf(character), shifted = SHIFTED.indexOf(character);
    if (plain < 0 && shifted < 0) return null;
    return {code: TYPED[plain >= 0 ? plain : shifted], shift: plain < 0, key: character};
  });
}
