"use strict";
// Asks for the view, waits for it to change, shows it. Everything is put in as text, never as markup.
const $ = (id) => document.getElementById(id);
const make = (tag, text, style) => Object.assign(document.createElement(tag), { textContent: text, className: style || "" });
const post = (path, body) => fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

// The house's clock may be another than the browser's.
let ahead = 0;
const now = () => Date.now() + ahead;

// A ring that empties, drawn anew each second; the same in words beside it.
function timer(from, until, words) {
  const box = make("p", "", "timer");
  box.setAttribute("role", "timer");
  box.append($("ring").content.cloneNode(true), make("span", ""));
  Object.assign(box, { from, until, words });
  turn(box);
  return box;
}

function turn(box) {
  const left = Math.max(0, Math.min(1, (box.until - now()) / (box.until - box.from)));
  box.querySelector(".left").setAttribute("stroke-dasharray", (left * 100).toFixed(1) + " 100");
  const text = box.words();
  if (box.lastChild.textContent !== text) box.lastChild.textContent = text;
}

const seconds = (ms) => Math.max(0, Math.round(ms / 1000)) + " s";
setInterval(() => {
  document.querySelectorAll(".timer").forEach(turn);
  if (codesEnd && now() > codesEnd) showApps();
}, 1000);

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
    card.append(timer(ring.since, ring.ends_at, () => seconds(now() - ring.since) + " ago, " + seconds(ring.ends_at - now()) + " left"));
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

// Who reported a login gets in nowhere, as at a real site, until the service desk helps.
function showShutOut(people) {
  const known = [...$("shut-out").children].map((note) => note.dataset.user).join();
  if (known === people.map(({ user }) => user).join()) return;
  $("shut-out").replaceChildren(...people.map(({ user, reported }) => {
    const note = make("div", "", "ring");
    note.dataset.user = user;
    const button = make("button", "Let " + user + " in again");
    button.addEventListener("click", () => {
      $("phone").focus();
      button.replaceWith(make("p", "One moment: for ten seconds after a refusal the same login hears it again.", "quiet"));
      // In vain: the next view shows the button anew.
      post("let-in-again", { user }).then((told) => { if (!told.ok) $("shut-out").replaceChildren(); });
    });
    note.append(make("p", user + (reported ? " said “It wasn't me”" : " is blocked") + ", and so is let in nowhere until the service desk helps. Be the service desk:"), button);
    return note;
  }));
}

let codesEnd = 0;

async function showApps() {
  codesEnd = 0;
  try {
    const told = await (await fetch("apps")).json();
    ahead = told.now - Date.now();
    $("apps").replaceChildren(...told.apps.map((app) => {
      const item = document.createElement("li");
      const code = make("strong", app.code.slice(0, 3) + " " + app.code.slice(3), "code");
      code.setAttribute("aria-label", app.user + "'s code: " + [...app.code].join(" "));
      code.setAttribute("role", "img");
      item.append(make("span", app.user), code, timer(app.ends_at - app.step_ms, app.ends_at, () => "another in " + seconds(app.ends_at - now())));
      return item;
    }));
    codesEnd = Math.min(...told.apps.map((app) => app.ends_at));
  } catch {
    codesEnd = now() + 1000;
  }
}

function inWords({ of, record, sentence }) {
  if (of === "amendment") {
    return record.user + " at " + record.client + ", " + (record.times ? "refused below (" + record.reason + "): " + record.times + " times in a minute" : "told below: refused after all (" + record.reason + ")");
  }
  if (of === "act") {
    return record.by + " (" + record.role + "): " + String(record.act).replaceAll("_", " ") + ", on " + record.user + (record.reason ? ": " + record.reason : "");
  }
  const seconds = (ms) => (ms / 1000).toFixed(2) + " s";
  const waited = record.waited_ms;
  return record.user + " at " + record.client + " · rule " + (record.rule || "–") + " · primary " + (record.primary || "–") +
    " · factor " + (record.factor || "–") + " · " + (record.answer || "no answer") + ": " + record.reason + (sentence ? " (" + sentence + ")" : "") +
    " · waited " + seconds(waited.total) + " (primary " + seconds(waited.primary) + ", factor " + seconds(waited.factor) + ")";
}

function showLog(view) {
  // A login is written down when it ends, an amendment some time after the login that it names.
  const end = ({ of, record }) => Date.parse(of === "amendment" ? record.last || record.time : record.time) + (of === "login" ? record.waited_ms.total : 0);
  const records = view.records.map((recorded) => ({ at: end(recorded), who: "log", tone: "record", text: inWords(recorded) }));
  const lines = [...view.lines, ...records].sort((a, b) => a.at - b.at).reverse();
  $("log").replaceChildren(...lines.map((line) => {
    const item = document.createElement("li");
    item.append(make("span", line.who, "who"), make("span", line.text, line.tone === "asking" ? "asked" : line.tone));
    return item;
  }));
}

async function follow() {
  let version = 0, failures = 0, records = -1;
  while (failures < 5) {
    try {
      const view = await (await fetch("view?after=" + version)).json();
      version = view.version;
      failures = 0;
      shown = view.screen;
      latest = shown.number;
      if (before !== null && latest > before) { own = latest; before = null; }
      showScreen(shown);
      ahead = view.now - Date.now();
      showPhone(view);
      showShutOut(view.shut_out);
      if (view.records.length !== records) { records = view.records.length; showApps(); }
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
