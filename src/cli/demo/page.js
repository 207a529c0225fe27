"use strict";
// Asks for the view, waits for it to change, shows it. Everything is put in as text, never as markup.
const $ = (id) => document.getElementById(id);
const make = (tag, text, style) => Object.assign(document.createElement(tag), { textContent: text, className: style || "" });
const post = (path, body) => fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

// What the screen shows, and the number of the login that was begun here: the first one after the button was pressed.
let before = null, own = null, latest = 0, shown = { user: "" };

const SCREENS = { idle: "Nobody logs in.", asking: "Connecting…", accepted: "Connected.", rejected: "Refused.", silent: "No answer.", challenge: "" };

function showScreen(screen) {
  const who = screen.user ? screen.user + " at " + screen.client + ": " : "";
  const said = screen.phase === "accepted" ? SCREENS.accepted : screen.message || SCREENS[screen.phase];
  if ($("screen").textContent !== who + said) $("screen").textContent = who + said;
  $("screen").className = "screen " + screen.phase;
  const asked = screen.phase === "challenge" && screen.number === own;
  if (asked && $("challenge").hidden) { $("challenge").hidden = false; $("code").value = ""; $("code").focus(); }
  if (!asked) $("challenge").hidden = true;
}

function showPhone(view) {
  const known = new Set(view.ringing.map((ring) => ring.prompt));
  for (const card of [...$("phone").children].filter((card) => !known.has(card.dataset.prompt))) {
    // Whoever tapped with a key stays at the phone, and is not thrown back to the top of the page.
    if (card.contains(document.activeElement)) $("phone").focus();
    card.remove();
  }
  for (const ring of view.ringing) {
    if ([...$("phone").children].some((card) => card.dataset.prompt === ring.prompt)) continue;
    const card = make("div", "", "ring");
    card.dataset.prompt = ring.prompt;
    card.append(make("p", ring.user + "'s phone"), make("p", "Log in at " + ring.client + " from " + (ring.station || "an unknown place") + "?"));
    for (const [word, answer, style] of [["Approve", "approve", ""], ["Deny", "deny", "deny"]]) {
      const button = make("button", word, style);
      button.setAttribute("aria-label", word + " the login of " + ring.user);
      button.addEventListener("click", () => post("tap", { prompt: ring.prompt, answer }));
      card.append(button);
    }
    $("phone").append(card);
  }
  if (!$("phone").children.length) $("phone").append(make("p", "Nothing rings.", "quiet"));
}

function inWords(record) {
  const seconds = (ms) => (ms / 1000).toFixed(2) + " s";
  const waited = record.waited_ms;
  return record.user + " at " + record.client + " · rule " + (record.rule || "–") + " · primary " + (record.primary || "–") +
    " · factor " + (record.factor || "–") + " · " + (record.answer || "no answer") + ": " + record.reason +
    " · waited " + seconds(waited.total) + " (primary " + seconds(waited.primary) + ", factor " + seconds(waited.factor) + ")";
}

function showLog(view) {
  const records = view.records.map(({ record }) => ({ at: Date.parse(record.time) + record.waited_ms.total, who: "log", tone: "record", text: inWords(record) }));
  const lines = [...view.lines, ...records].sort((a, b) => a.at - b.at).reverse();
  $("log").replaceChildren(...lines.map((line) => {
    const item = document.createElement("li");
    item.append(make("span", line.who, "who"), make("span", line.text, line.tone === "asking" ? "asked" : line.tone));
    return item;
  }));
}

async function follow() {
  let version = 0, failures = 0;
  while (failures < 5) {
    try {
      const view = await (await fetch("view?after=" + version)).json();
      version = view.version;
      failures = 0;
      shown = view.screen;
      latest = shown.number;
      if (before !== null && latest > before) { own = latest; before = null; }
      showScreen(shown);
      showPhone(view);
      showLog(view);
    } catch {
      failures += 1;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
  $("gone").hidden = false;
}

$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  before = latest;
  post("login", { user: $("user").value, password: $("password").value });
});
$("challenge").addEventListener("submit", (event) => {
  event.preventDefault();
  post("login", { user: shown.user, password: "", code: $("code").value });
});
for (const button of document.querySelectorAll("button.who")) {
  button.addEventListener("click", () => { $("user").value = button.dataset.user; $("password").value = button.dataset.password; });
}
follow();
