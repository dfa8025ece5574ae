// The texts of our pages, in the three languages of the screens.
const WORDS = {
  "en": {
    language: "English", name: "account, or account/user", secret: "password, or access token",
    enter: "Log in", busy: "Logging in …", away: "The appliance does not answer: {why}",
    ended: "The full screen has ended.", again: "Log in again",
    wrong: "wrong account name or password", wrongUser: "wrong account, user name or password",
    locked: "too many wrong passwords for account {0}; try again in {1} seconds",
    unknownToken: "the access token is unknown; it may have been revoked",
    expired: "the access token has expired; make another with CreateAccessToken",
    notAdmin: "account {0} has no full screen: it shows what all accounts do, so only the admin may have it",
    manyLogins: "too many logins are being checked at once; try again in a moment",
    manyScreens: "{0} full screens are open here, which is the limit; close one, or run zstui --connect on your own machine",
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
    wrong: "账户名或密码错误", wrongUser: "账户名、用户名或密码错误",
    locked: "账户 {0} 的密码错误次数过多；请在 {1} 秒后再试",
    unknownToken: "未知的访问令牌；它可能已被吊销",
    expired: "访问令牌已过期；请用 CreateAccessToken 另建一个",
    notAdmin: "账户 {0} 不能使用全屏界面：它显示所有账户的操作，因此仅供管理员使用",
    manyLogins: "同时检查的登录过多；请稍后再试",
    manyScreens: "这里已打开 {0} 个全屏界面，达到上限；请关闭一个，或在自己的机器上运行 zstui --connect",
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
    wrong: "帳戶名稱或密碼錯誤", wrongUser: "帳戶名稱、使用者名稱或密碼錯誤",
    locked: "帳戶 {0} 的密碼錯誤次數過多；請在 {1} 秒後再試",
    unknownToken: "未知的存取權杖；它可能已被撤銷",
    expired: "存取權杖已過期；請用 CreateAccessToken 另建一個",
    notAdmin: "帳戶 {0} 不能使用全螢幕介面：它顯示所有帳戶的操作，因此僅供管理員使用",
    manyLogins: "同時檢查的登入過多；請稍後再試",
    manyScreens: "這裡已開啟 {0} 個全螢幕介面，達到上限；請關閉一個，或在自己的機器上執行 zstui --connect",
    ctrlAltDel: "Ctrl+Alt+Del", typeText: "鍵入文字……", typeIt: "鍵入", whole: "全螢幕",
    end: "連線已中斷，或該網址已用過；請從 zstui 重新開啟", end4001: "雲主機已停止",
    end4002: "實體主機失聯", end4003: "您不再有權存取", end4004: "管理服務正在停止",
    end4005: "雲主機可能已遷移；請從 zstui 重新開啟",
    connecting: "正在連線……", consoleEnded: "主控台已結束：{why}。",
    noToken: "網址中沒有權杖：請從 zstui 開啟主控台。",
    noKey: "美式鍵盤上沒有的字元已略去。",
  },
};
// What the appliance says against a login, in its words.
const TOLD = [
  [/^wrong account name or password$/, "wrong"],
  [/^wrong account, user name or password$/, "wrongUser"],
  [/^too many wrong passwords for account\[(.*)\]; try again in (\d+) seconds$/, "locked"],
  [/^the access token is unknown; it may have been revoked$/, "unknownToken"],
  [/^the access token\[uuid:.*\] has expired; make another with CreateAccessToken$/, "expired"],
  [/^account\[(.*)\] has no full screen: .*$/, "notAdmin"],
  [/^too many logins are being checked at once; try again in a moment$/, "manyLogins"],
  [/^(\d+) full screens are open here, .*$/, "manyScreens"],
];
const KEPT = "zstui.language";

export const LANGUAGES = Object.keys(WORDS);

// The language that was chosen here, which the screen then speaks, too; nothing when none was.
export function chosen() {
  const kept = localStorage.getItem(KEPT);
  return kept in WORDS ? kept : "";
}

// The language that was chosen here, else the browser's, else English.
export function language() {
  if (chosen()) return chosen();
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

// The same in the language of the page; in the appliance's own words where they are not known here.
export function told(details) {
  for (const [looks, key] of TOLD) {
    const found = looks.exec(details);
    if (found) return word(key, found.slice(1));
  }
  return details;
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
