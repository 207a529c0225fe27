// What a script makes quicker and nothing needs: the page that waits for a phone asks by itself, codes can be
// printed, times are the reader's own, and a page that is still open goes when its session was ended or ran out.
"use strict";
const channel = new BroadcastChannel("vestibule");
if (document.querySelector("form[action='/sign-in']")) channel.postMessage("signed out");
else if (document.querySelector("form[action='/sign-out']")) {
  channel.addEventListener("message", () => location.reload());
  addEventListener("pageshow", (shown) => { if (shown.persisted) location.reload(); });
}
const waiting = document.querySelector("form[data-poll]");
const idle = Number(document.body.dataset.idle);
if (idle && !waiting) {
  // Nothing is asked of the server: that would keep alive what nobody uses.
  setTimeout(() => {
    const [text, again, way] = ["p", "p", "a"].map((name) => document.createElement(name));
    text.textContent = document.body.dataset.idleText;
    way.textContent = document.body.dataset.idleAgain;
    way.href = location.pathname + location.search;
    again.append(way);
    document.querySelector("main").replaceChildren(text, again);
  }, idle * 1000);
}
if (waiting) {
  const ask = async () => {
    // A connection may stand open with nobody at its other end: then it is asked again.
    const signal = AbortSignal.timeout?.(10_000);
    const answer = await fetch(waiting.dataset.poll, { headers: { accept: "text/plain" }, signal }).catch(() => null);
    const word = answer && answer.ok ? (await answer.text().catch(() => "")).trim() : "";
    if (word === "approved") waiting.requestSubmit();
    else if (word === "ended" || word === "changed") location.reload();
    else setTimeout(ask, 1500);
  };
  setTimeout(ask, 1000);
}
// The time that runs down, without another question to the server.
for (const runs of document.querySelectorAll(".runs")) {
  const [bar, text] = [runs.querySelector("progress"), runs.querySelector("p")];
  const began = performance.now();
  const tick = setInterval(() => {
    const gone = Math.floor((performance.now() - began) / 1000);
    const left = Math.max(0, Number(runs.dataset.left) - gone);
    bar.value = left;
    text.textContent = runs.dataset.text.replace("[left]", left).replace("[age]", Number(runs.dataset.age) + gone);
    if (left === 0) clearInterval(tick);
  }, 1000);
}
for (const form of document.querySelectorAll("form[data-go]")) form.requestSubmit();
for (const button of document.querySelectorAll("button[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
for (const time of document.querySelectorAll("time[datetime]")) {
  const at = new Date(time.dateTime);
  if (!Number.isNaN(at.valueOf())) time.textContent = at.toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
}
