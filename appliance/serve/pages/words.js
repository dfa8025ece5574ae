// The texts of our pages, in the three languages of the screens.
const WORDS = {
  "en": {
    language: "English", name: "account, or account/user", secret: "password, or access token",
    enter: "Log in", busy: "Logging in …", away: "The appliance does not answer: {why}",
    ended: "The full screen has ended.", again: "Log in again",
  },
  "zh-CN": {
    language: "简体中文", name: "账户，或 账户/用户", secret: "密码，或访问令牌",
    enter: "登录", busy: "正在登录……", away: "管理节点没有应答：{why}",
    ended: "全屏界面已结束。", again: "重新登录",
  },
  "zh-TW": {
    language: "繁體中文", name: "帳戶，或 帳戶/使用者", secret: "密碼，或存取權杖",
    enter: "登入", busy: "正在登入……", away: "管理節點沒有回應：{why}",
    ended: "全螢幕介面已結束。", again: "重新登入",
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

// Writes the texts of the page's elements: each names its own in data-text.
export function translate() {
  document.documentElement.lang = language();
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = word(element.dataset.text);
}
