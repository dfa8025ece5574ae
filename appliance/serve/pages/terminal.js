// Logs in, then lets textual-serve's script show the full screen in this page.
import {LANGUAGES, chosen, language, named, speak, told, translate, word} from "./words.js";

const find = (id) => document.getElementById(id);

function offerLanguages() {
  for (const tongue of LANGUAGES) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = named(tongue, "language");
    button.lang = tongue;
    button.addEventListener("click", () => speak(tongue));
    find("languages").append(button, " ");
  }
}

async function ticket() {
  const said = {name: find("name").value, secret: find("secret").value, language: language(), wish: chosen()};
  const answer = await fetch("/terminal", {method: "POST", body: JSON.stringify(said)});
  const body = await answer.json();
  if (!answer.ok) throw new Error(told(body.error.details));
  return body.ticket;
}

function show(given) {
  const place = document.createElement("div");
  place.id = "terminal";
  place.className = "textual-terminal";
  place.dataset.sessionWebsocketUrl = `${location.origin.replace(/^http/, "ws")}/terminal/${given}`;
  place.dataset.fontSize = "16";
  find("door").remove();
  document.body.append(place);
  const script = document.createElement("script");
  script.src = "/pages/textual.js";
  // It begins with the page, which is there already.
  script.addEventListener("load", () => window.onload());
  document.body.append(script);
}

function tellTheEnd() {
  const again = document.createElement("button");
  again.textContent = word("again");
  again.addEventListener("click", () => location.reload());
  find("ended").replaceChildren(word("ended"), " ", again);
  find("ended").hidden = false;
  again.focus();
}

find("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  find("said").textContent = word("busy");
  try {
    const given = await ticket();
    await document.fonts.load("16px 'Roboto Mono'");
    show(given);
  } catch (error) {
    find("said").textContent = error instanceof TypeError ? word("away", {why: error.message}) : error.message;
    find("secret").select();
  }
});
// textual-serve's script says by classes of the page that its stream has begun and ended.
new MutationObserver(() => {
  const said = document.body.classList;
  if (said.contains("-closed")) tellTheEnd();
  else if (said.contains("-loaded")) document.querySelector("#terminal textarea").focus();
}).observe(document.body, {attributeFilter: ["class"]});

offerLanguages();
translate();
find("secret").focus();
