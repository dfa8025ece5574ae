// The texts of our pages, in the three languages of the screens.
const WORDS = {
  "en": {
    language: "English", name: "account, or account/user", secret: "password, or access token",
    enter: "Log in", busy: "Logging in …", away: "The appliance does not answer: {why}",
    ended: "The full screen has ended.", again: "Log in again",
    ctrlAltDel: "Ctrl+Alt+Del", typeText: "Type a text …", typeIt: "Type it", whole: "Full screen",
    end: "the connection broke, or the address was used before; open it again from zstui", end4001: "the VM is off",
    end4002: "its host is away", end4003: "you may not have it any longer", end4004: "the appliance is stopping",
    end4005: "the VM has moved, perhaps; open it again from zstui",
    connecting: "connecting …", consoleEnded: "The console has ended: {why}.",
    noToken: "The address has no token: open the console from zstui.",
    noKey: "Characters that are on no key of an American keyboard were left out.",
  },
  "zh-CN": {
    language: "简体中文", name: "账户，或 账户/用户", secret: "密码，或访问令牌",
    enter: "登录", busy: "正在登录……", away: "管理服务没有应答：{why}",
    ended: "全屏界面已结束。", again: "重新登录",
    ctrlAltDel: "Ctrl+Alt+Del", typeText: "键入文本……", typeIt: "键入", whole: "全屏",
    end: "连接已断开，或该地址已用过；请从 zstui 重新打开", end4001: "云主机已停止",
    end4002: "物理机失联", end4003: "您不再有权访问", end4004: "管理服务正在停止",
    end4005: "云主机可能已迁移；请从 zstui 重新打开",
    connecting: "正在连接……", consoleEnded: "控制台已结束：{why}。",
    noToken: "地址中没有令牌：请从 zstui 打开控制台。",
    noKey: "美式键盘上没有的字符已略去。",
  },
  "zh-TW": {
    language: "繁體中文", name: "帳戶，或 帳戶/使用者", secret: "密碼，或存取權杖",
    enter: "登入", busy: "正在登入……", away: "管理服務沒有回應：{why}",
    ended: "全螢幕介面已結束。", again: "重新登入",
    ctrlAltDel: "Ctrl+Alt+Del", typeText: "鍵入文字……", typeIt: "鍵入", whole: "全螢幕",
    end: "連線已中斷，或該網址已用過；請從 zstui 重新開啟", end4001: "雲主機已停止",
    end4002: "實體主機失聯", end4003: "您不再有權存取", end4004: "管理服務正在停止",
    end4005: "雲主機可能已遷移；請從 zstui 重新開啟",
    connecting: "正在連線……", consoleEnded: "主控台已結束：{why}。",
    noToken: "網址中沒有權杖：請從 zstui 開啟主控台。",
    noKey: "美式鍵盤上沒有的字元已略去。",
  },
};
const KEPT = "zstui.language";

export const LANGUAGES = Object.keys(WORDS);

// The language that was chosen here, else the browser's, else English.
export function language() {
  const kept = localStorage.getItem(KEPT);
  if (kept in WORDS) return kept;
  for (const wanted of navigator.languages) {
    if (/^zh\b.*(TW|HK|MO|Hant)/i.test(wanted)) return "zh-TW";
    if (/^zh\b/i.test(wanted)) return "zh-CN";
    if (/^en\b/i.test(wanted)) return "en";
  }
  return "en";
}

export function speak(name) {
  localStorage.setItem(KEPT, name);
  translate();
}

export function word(key, values = {}) {
  return named(language(), key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

export function named(tongue, key) {
  return WORDS[tongue][key];
}

export function has(key) {
  return key in WORDS.en;
}

// Writes the texts of the page's elements: each names its own in data-text.
export function translate() {
  document.documentElement.lang = language();
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = word(element.dataset.text);
}
