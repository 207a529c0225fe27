// The phone's page: activates this browser as a phone, shows who asks to be let in, and signs the answer. What is shown is what
// is signed. It works by itself while it is open; notifications only call for it.
"use strict";

(() => {
  const SHORT_MS = 2000;
  const RETRY_MS = 3000;
  const FOLLOW_MS = 3000;
  const TICK_MS = 1000;
  // Where a challenge follows the end of the appliance's patience, the time of that is told a moment later.
  const LAPSE_MS = 1500;
  const SECTIONS = ["activate", "request", "outcome", "rest", "unknown"];

  const at = (id) => document.getElementById(id);
  const show = (id, yes = true) => { at(id).hidden = !yes; };
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  let site = { lang: "en", texts: {} };
  let mine;
  // What is on the screen, and what was answered already: an answered prompt may stay open for a while.
  let current;
  let last;
  // The last one, until it is known what its answer led to.
  let awaited;
  // When nobody waits any more for what is on the screen, and since when it is asked, by this browser's own clock.
  let running;
  // What the server was told to be known already.
  let known;
  const done = new Set();
  // One that no answer could be taken for yet: it is asked again once what was said of it has been read.
  let aside;
  let busy = false;
  let installing;

  // --- texts --------------------------------------------------------------------------------------------------------

  function text(key, values = {}) {
    const found = site.texts[key] ?? key;
    return found.replaceAll(/\{ ?\$(\w+) ?\}/g, (whole, name) => values[name] ?? whole);
  }

  function say(key, values) {
    at("status").classList.remove("heard");
    at("status").textContent = key ? text(key, values) : "";
  }

  // What stands on the screen already is said to those who don't see it, and not written twice.
  function tell(key, values) {
    say(key, values);
    at("status").classList.add("heard");
  }

  function alarm(key, values) {
    at("alarm").textContent = key ? text(key, values) : "";
    show("alarm", Boolean(key));
  }

  // One thing at a time; whoever can't see the screen is led to its heading.
  function open(section) {
    const changed = at(section).hidden;
    for (const other of SECTIONS) show(other, other === section);
    if (changed) at(`${section}-title`).focus({ preventScroll: false });
    document.title = section === "request" ? `(1) ${site.account}` : site.account;
  }

  // What the page was sent in is what the browser asks for. The user may have chosen another language in the portal: then all
  // that stands here is said in that one, and the service worker, which speaks while the page is closed, is given it too.
  async function speak(lang) {
    const path = lang ? `site.json?lang=${encodeURIComponent(lang)}` : "site.json";
    site = await vestibule.ask(path);
    relabel();
    // The texts are for the worker and for a start without a network: a page without storage speaks all the same.
    vestibule.keepTexts(site).catch(() => undefined);
  }

  function relabel() {
    if (document.documentElement.lang === site.lang) return;
    document.documentElement.lang = site.lang;
    for (const place of document.querySelectorAll("[data-text]")) place.textContent = text(place.dataset.text);
    for (const place of document.querySelectorAll("[data-label]")) place.setAttribute("aria-label", text(place.dataset.label));
  }

  // What its user chose, or null where nothing was: told with each poll, and kept for the next start.
  async function follow(lang) {
    if (lang === undefined || (mine.lang ?? null) === lang) return;
    await speak(lang);
    if (!mine || busy) return;
    mine = { ...mine, lang };
    // What is put together here is put together anew, where nothing would be lost by it.
    if (!at("rest").hidden) showRing();
    if (current && !at("sure").open) labels(current);
    await vestibule.keepDevice(mine);
  }

  // --- start --------------------------------------------------------------------------------------------------------

  async function start() {
    const able = window.isSecureContext && window.crypto?.subtle && window.indexedDB;
    let kept = true;
    if (able) mine = await vestibule.device().catch(() => { kept = false; });
    try {
      await (able ? speak(mine?.lang) : vestibule.ask("site.json").then((told) => { site = told; }));
    } catch {
      site = (able && (await vestibule.keptTexts().catch(() => undefined))) || site;
      relabel();
    }
    say();
    if (!able) return alarm("phone-needs-browser");
    // Another phone would be made beside the one that can't be read.
    if (!kept) return alarm("phone-storage");
    navigator.serviceWorker?.register("sw.js").catch(() => undefined);
    navigator.serviceWorker?.addEventListener("message", () => look());
    wire();
    if (mine) enter();
    else offerActivation();
    watch();
    setInterval(tick, TICK_MS);
  }

  function wire() {
    at("activation").addEventListener("submit", (event) => { event.preventDefault(); activate(); });
    at("scan").addEventListener("click", scan);
    at("scan-stop").addEventListener("click", stopScanning);
    at("answer").addEventListener("submit", (event) => { event.preventDefault(); answer("approve"); });
    at("deny").addEventListener("click", () => answer("deny"));
    at("report").addEventListener("click", () => report(current));
    at("outcome-close").addEventListener("click", rest);
    at("outcome-report").addEventListener("click", () => report(last));
    at("ring-on").addEventListener("click", ringOn);
    at("install-now").addEventListener("click", installNow);
    at("remove").addEventListener("click", remove);
    at("forget").addEventListener("click", forget);
    window.addEventListener("hashchange", offerActivation);
    document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
    window.addEventListener("online", () => look());
  }

  // --- activation ---------------------------------------------------------------------------------------------------

  // The code comes in the fragment, which no server and no log sees; it is taken out of the address at once.
  function codeOfAddress() {
    const code = decodeURIComponent(location.hash.slice(1));
    if (code) history.replaceState(null, "", location.pathname);
    return code;
  }

  function offerActivation() {
    if (mine) return codeOfAddress() ? alarm("phone-already") : undefined;
    const code = codeOfAddress();
    if (code) at("code").value = code;
    if (!at("name").value) at("name").value = guessName();
    show("scan", "BarcodeDetector" in window && Boolean(navigator.mediaDevices?.getUserMedia));
    // Its own storage: what is activated in Safari would be another phone than the one on the Home Screen.
    const first = isIos() && !isInstalled();
    at("install-first").textContent = first ? text("phone-install-ios-first") : "";
    show("install-first", first);
    open("activate");
  }

  function guessName() {
    const agent = navigator.userAgent;
    const kinds = [["iPhone", "iPhone"], ["iPad", "iPad"], ["Android", "Android"], ["Mac OS", "Mac"], ["Windows", "Windows"], ["Linux", "Linux"]];
    return kinds.find(([mark]) => agent.includes(mark))?.[1] ?? text("phone-this-phone");
  }

  async function activate() {
    const code = at("code").value.replaceAll(/\s/g, "").toUpperCase();
    if (!code) return at("code").focus();
    await whileBusy("activate-now", async () => {
      alarm();
      say("phone-activating");
      // A browser that keeps nothing would lose the key with the page, and the code would be spent.
      if (!(await vestibule.keepTexts(site).then(() => true, () => false))) return say(), alarm("phone-storage");
      const pair = await vestibule.makeKey();
      const told = await vestibule.enrol(code, at("name").value.trim(), pair, null);
      mine = { device: told.device, account: told.account, user: told.user, key: pair.key, spki: pair.spki };
      await vestibule.keepDevice(mine);
      // Some browsers ask their owner, who may never answer: nothing waits for it.
      navigator.storage?.persist?.().catch(() => false);
      at("code").value = "";
      enter();
      say("phone-activated");
    });
  }

  // --- the camera ---------------------------------------------------------------------------------------------------

  let stream;

  async function scan() {
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" }, audio: false });
    } catch {
      return alarm("phone-no-camera");
    }
    const detector = new BarcodeDetector({ formats: ["qr_code"] });
    at("camera").srcObject = stream;
    // It plays when it can; until then nothing is found in it.
    at("camera").play().catch(() => undefined);
    show("scanning");
    show("scan", false);
    say("phone-scanning");
    while (stream) {
      const found = await vestibule.soon(detector.detect(at("camera"))).catch(() => []);
      const read = found.map((mark) => mark.rawValue).find(Boolean);
      if (read && take(read)) return stopScanning();
      await pause(200);
    }
  }

  // Only an address of this very page is taken: a code for another server would be shown to ours, and ours to nobody.
  function take(read) {
    try {
      const address = new URL(read);
      if (address.origin !== vestibule.origin) {
        alarm("phone-other-server", { server: address.host });
        return false;
      }
      at("code").value = decodeURIComponent(address.hash.slice(1));
      alarm();
      at("activate-now").focus();
      return true;
    } catch {
      alarm("phone-not-a-code");
      return false;
    }
  }

  function stopScanning() {
    stream?.getTracks().forEach((track) => track.stop());
    stream = undefined;
    show("scanning", false);
    show("scan");
    say();
  }

  // --- an activated phone ---------------------------------------------------------------------------------------------

  // What is shown stands at once. What has to be asked for comes beside it: a login is never waited for behind it.
  function enter() {
    at("about-account").textContent = mine.account;
    at("about-user").textContent = mine.user;
    vestibule.fingerprint(mine.spki).then((letters) => {
      at("about-key").textContent = at("fingerprint").textContent = letters;
    }, failed);
    codeOfAddress();
    rest();
    showRing().then(tellRing);
  }

  // A browser may have changed the address, or lost it, while the page was closed.
  async function tellRing() {
    const subscription = await subscribed();
    if (!mine || !site.vapid || !subscription) return;
    await vestibule.subscribe(mine, vestibule.told(subscription)).catch(failedToRing);
  }

  function rest() {
    current = aside = running = lately = undefined;
    tick();
    // What is open is told anew: it may be drawn again.
    known = undefined;
    look();
    say();
    open("rest");
  }

  // A yes that came too late, and until when the same login may come back for it.
  let lately;
  let woken;
  // The first answer comes at once: it tells the language.
  let met = false;

  // A look at once: the page came back, or a notification was tapped.
  function look() {
    woken?.abort();
  }

  // Asks what is open for as long as the page is looked at: held by the server while there is nothing, every two seconds
  // while something is on the screen, so that its end is seen.
  async function watch() {
    for (;;) {
      if (!mine || document.hidden || busy) {
        await pause(500);
        continue;
      }
      const waking = (woken = new AbortController());
      try {
        const asked = awaited;
        const began = performance.now();
        const told = await vestibule.poll(mine, met, asked, known, waking.signal);
        const news = told.known !== known;
        met = true;
        alarm();
        // A text that can't be had is no reason to show nobody who asks.
        if (!busy) await vestibule.within(FOLLOW_MS, follow(told.lang)).catch(() => undefined);
        if (!busy) {
          known = told.known;
          draw(told, asked);
        }
        // A server that can't hold the poll is not asked all the time.
        if (!news && performance.now() - began < TICK_MS) await pause(SHORT_MS);
      } catch (error) {
        if (waking.signal.aborted) continue;
        failed(error);
        await pause(RETRY_MS);
      }
    }
  }

  function failed(error) {
    if (error instanceof vestibule.TooSlow && error.what === "browser") return say("phone-stuck");
    if (!(error instanceof vestibule.Refused)) return say("phone-offline");
    // What was being done has ended in this.
    say();
    switch (error.told.reason) {
      case "unknown": return mine ? open("unknown") : alarm("phone-code-wrong");
      case "clock": return alarm("phone-clock", { by: error.told.by });
      case "busy": return say("phone-busy");
      default: return alarm("phone-failed", { status: String(error.status) });
    }
  }

  function draw(told, asked) {
    if (asked && asked === awaited) became(told.about);
    const tested = told.state === "test";
    show("compare", tested);
    at("rest-title").textContent = text(tested ? "phone-keyed-title" : "phone-rest-title");
    at("rest-text").textContent = text(tested ? "phone-keyed-text" : "phone-rest-text");
    const prompt = told.prompts.find(({ nonce }) => nonce !== aside && !done.has(nonce));
    if (prompt && prompt.nonce !== current?.nonce) return ask(prompt);
    if (prompt) return again(prompt);
    if (current) {
      rest();
      say("phone-ended");
    } else if (at("unknown").hidden === false || at("activate").hidden === false) {
      rest();
    }
  }

  // --- a request --------------------------------------------------------------------------------------------------------

  function ask(prompt) {
    current = prompt;
    const { shown } = prompt;
    running = undefined;
    for (const name of ["app", "user", "appliance"]) at(`shown-${name}`).textContent = shown[name];
    show("request-test", Boolean(prompt.test));
    const choices = prompt.number?.choices;
    show("ask-number", Boolean(prompt.number) && !choices);
    show("ask-choice", Boolean(choices));
    at("choices").replaceChildren(...(choices ?? []).map(choice));
    show("ask-pin", Boolean(prompt.pin));
    at("number").value = at("pin").value = "";
    show("answer-hint", Boolean(prompt.typed));
    wrong();
    labels(prompt);
    again(prompt);
    if (prompt.test) tell("phone-request-test");
    else tell("phone-asks", { user: shown.user });
    open("request");
  }

  // What of a request is in words, and not what is asked: it may change while the request is looked at.
  function labels(prompt) {
    at("shown-ip").textContent = prompt.shown.ip || text("phone-place-unknown");
    at("shown-time").textContent = whole(prompt.shown.time);
    at("verify").textContent = text(prompt.pin ? "phone-authenticate" : "phone-verify");
    at("answer-hint").textContent = prompt.typed ? text("phone-typed-hint") : "";
    at("request-title").textContent = text(prompt.test ? "phone-test-title" : "phone-request-title");
  }

  // Told once, also to whoever can't see it: the VPN has asked a second time for this very login.
  function again(prompt) {
    const now = performance.now();
    running = { until: now + prompt.left_ms, since: now - prompt.age_ms };
    tick();
    if (prompt.again && at("again").hidden) tell("phone-asked-again");
    show("again", Boolean(prompt.again));
  }

  // The time that runs down, seen and read. It goes by itself when it is over, also where no server can be asked.
  function tick() {
    const lapses = lately && Math.ceil((lately.until - performance.now()) / 1000);
    if (lapses > 0) at("outcome-text").textContent = text("phone-state-late-text", { appliance: lately.appliance, left: String(lapses) });
    show("running", Boolean(current && running));
    if (!current || !running) return;
    const now = performance.now();
    const left = Math.max(0, running.until - now);
    at("running-left").textContent = text("phone-left", { left: String(Math.ceil(left / 1000)) });
    at("running-age").textContent = text("phone-age", { left: String(Math.max(0, Math.floor((now - running.since) / 1000))) });
    at("running-ring").setAttribute("stroke-dashoffset", String(100 - (100 * left) / Math.max(1, running.until - running.since)));
    if (left > 0 || busy) return;
    if (now > running.until + LAPSE_MS) lapse();
  }

  // Not answered, and not to be: should the same login ask again, it comes back.
  function lapse() {
    if (at("sure").open) return;
    rest();
    say("phone-ended");
  }

  function choice(number) {
    const label = document.createElement("label");
    const input = document.createElement("input");
    const face = document.createElement("span");
    Object.assign(input, { type: "radio", name: "choice", value: number });
    face.textContent = number;
    label.append(input, face);
    return label;
  }

  function whole(time) {
    const read = new Date(time);
    return Number.isNaN(read.valueOf()) ? time : read.toLocaleString(site.lang, { dateStyle: "medium", timeStyle: "medium" });
  }

  function wrong(key, values) {
    at("answer-wrong").textContent = key ? text(key, values) : "";
    show("answer-wrong", Boolean(key));
  }

  function numberGiven(prompt) {
    if (!prompt.number) return "";
    if (prompt.number.choices) return document.querySelector("#choices input:checked")?.value ?? "";
    return at("number").value.replaceAll(/\D/g, "");
  }

  // What is answered is the prompt that was on the screen at the tap, whatever has come or gone since.
  async function answer(said, prompt = current) {
    if (!prompt || busy) return;
    const approves = said === "approve";
    const number = approves ? numberGiven(prompt) : "";
    const pin = approves && prompt.pin ? at("pin").value : "";
    if (approves && prompt.number && !number) return missing("phone-number-missing", prompt.number.choices ? "choices" : "number");
    if (approves && prompt.pin && pin.length < prompt.pin.length) return missing("phone-pin-missing", "pin");
    await whileBusy("verify", async () => {
      wrong();
      const told = await vestibule.answer(mine, prompt, said, number, pin);
      at("pin").value = "";
      ended(told, prompt);
    });
  }

  function missing(key, id) {
    wrong(key);
    const field = at(id);
    (field.querySelector?.("input") ?? field).focus();
  }

  // The question may stand for a while, and meanwhile another login asks, or this one ends: it is this one that is reported,
  // and a late report counts too. After a code was shown it still counts as well, where an ordinary denial would not.
  function report(prompt) {
    if (prompt) sure("phone-report-title", "phone-report-text", "phone-report", () => answer("report", prompt));
  }

  // The server's word on it, and nothing else, says how it ended.
  function ended(told, prompt) {
    if (told.state === "wrong_pin") {
      at("pin").focus();
      return wrong("phone-state-wrong-pin", { left: String(told.left) });
    }
    // Another login asks by now, and stays on the screen.
    if (current && current.nonce !== prompt.nonce) {
      done.add(prompt.nonce);
      return say(`phone-state-${stateOf(told)}-title`);
    }
    lately = told.state === "late" ? { until: performance.now() + told.left * 1000, appliance: prompt.shown.appliance } : undefined;
    finish(told, prompt);
    tick();
    // A yes is the phone's word. What the login made of it is known a moment later, and told then.
    awaited = ["approved", "late", "show_code"].includes(told.state) ? prompt : undefined;
    // Nothing was answered where the PIN must be set first: once it is, this login is asked again.
    if (["pin_change", "no_pin"].includes(told.state)) aside = prompt.nonce;
    else done.add(prompt.nonce);
    last = prompt;
    current = undefined;
    open("outcome");
  }

  // What the answer led to, as far as the server knows; another request may be on the screen by now.
  function became(end) {
    if (end === "open" || !end) return;
    lately = undefined;
    awaited = undefined;
    if (!at("outcome").hidden) finish({ state: end });
  }

  function stateOf(told) {
    const states = {
      approved: "approved", denied: "denied", reported: "reported", show_code: "show-code", wrong_number: "wrong-number",
      pin_locked: "pin-locked", pin_change: "pin-change", no_pin: "no-pin", ended: "ended", tested: "tested",
      let_in: "let-in", over: "over", late: "late",
    };
    return states[told.state] ?? "ended";
  }

  function finish(told, prompt = last) {
    const state = stateOf(told);
    at("outcome").className = { approved: "good", "let-in": "good", tested: "good", "show-code": "ask", late: "ask" }[state] ?? "bad";
    at("outcome-title").textContent = text(`phone-state-${state}-title`);
    at("outcome-text").textContent = text(`phone-state-${state}-text`, { help: site.help_desk, appliance: prompt?.shown.appliance ?? "", left: String(told.left ?? "") });
    if (state === "approved" && prompt?.enter) at("outcome-text").textContent = text("phone-press-enter");
    if (told.quiet) at("outcome-text").textContent += ` ${text("phone-quiet", { left: String(told.quiet) })}`;
    at("digits").textContent = told.code ?? "";
    // Read out one by one, and not as a number.
    at("digits").setAttribute("aria-label", [...(told.code ?? "")].join(" "));
    show("digits", Boolean(told.code));
    show("outcome-report", Boolean(told.code));
    tell(`phone-state-${state}-title`);
  }

  // --- notifications ------------------------------------------------------------------------------------------------------

  const canRing = () => Boolean(site.vapid) && "PushManager" in window && "Notification" in window && "serviceWorker" in navigator;

  // Why this phone won't ring although its owner wants it to: the key of the text that says so.
  let ringFault;
  let ringing = false;

  async function subscribed() {
    try {
      const registration = await vestibule.soon(navigator.serviceWorker?.getRegistration());
      return (await vestibule.soon(registration?.pushManager?.getSubscription())) ?? null;
    } catch {
      return null;
    }
  }

  async function showRing() {
    const subscription = await subscribed();
    const granted = "Notification" in window && Notification.permission === "granted";
    const denied = "Notification" in window && Notification.permission === "denied";
    const key = ringing ? "phone-ring-trying"
      : !site.vapid ? "phone-ring-off-here"
      : isIos() && !isInstalled() ? "phone-install-ios"
      : !canRing() ? "phone-ring-cannot"
      : denied ? "phone-ring-denied"
      : ringFault ? ringFault
      : subscription && granted ? "phone-ring-is-on"
      : "phone-ring-ask";
    at("ring-text").textContent = text(key);
    const again = at("ring-on");
    again.dataset.text = ringFault ? "phone-ring-again" : "phone-ring-on";
    again.textContent = text(again.dataset.text);
    show("ring");
    show("ring-on", ["phone-ring-ask", "phone-ring-trying"].includes(key) || key === ringFault);
    showInstall();
  }

  // Inside the tap: browsers grant nothing else. Its owner may take their time, and the push service may never answer: logins
  // are asked for meanwhile, so this is not one of the things that stop the page.
  async function ringOn() {
    if (ringing) return;
    ringing = true;
    ringFault = undefined;
    at("ring-on").setAttribute("aria-disabled", "true");
    try {
      const asked = Notification.requestPermission();
      showRing();
      if ((await asked) === "granted") await ringBy();
    } catch (error) {
      failedToRing(error);
    } finally {
      ringing = false;
      at("ring-on").removeAttribute("aria-disabled");
      showRing();
    }
  }

  async function ringBy() {
    // Whoever was never registered would never be ready.
    await vestibule.soon(navigator.serviceWorker.register("sw.js"));
    const registration = await vestibule.soon(navigator.serviceWorker.ready);
    await rings(await vestibule.listen(registration, vestibule.fromBase64url(site.vapid), rings));
  }

  // The address is known; it counts once the server has it, also where it came late.
  async function rings(subscription) {
    if (!mine) return;
    try {
      await vestibule.subscribe(mine, vestibule.told(subscription));
      ringFault = undefined;
    } catch (error) {
      failedToRing(error);
    }
    showRing();
  }

  // Three that can be at fault, and each has its own remedy: the way to the push service, this site's rules, and our server.
  function failedToRing(error) {
    const { Refused, TooSlow } = vestibule;
    ringFault = error instanceof Refused && error.told.reason === "malformed" ? "phone-ring-not-taken"
      : error instanceof Refused || (error instanceof TooSlow && error.what === "server") || error instanceof TypeError ? "phone-ring-not-told"
      : "phone-ring-unreachable";
    showRing();
  }

  // --- installing -----------------------------------------------------------------------------------------------------------

  const isIos = () => /iPhone|iPad|iPod/.test(navigator.userAgent) || (navigator.platform === "MacIntel" && navigator.maxTouchPoints > 1);
  const isInstalled = () => navigator.standalone === true || matchMedia("(display-mode: standalone)").matches;

  window.addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    installing = event;
    showInstall();
  });
  window.addEventListener("appinstalled", () => { installing = undefined; showInstall(); });

  function showInstall() {
    const agent = navigator.userAgent;
    const key = isInstalled() || isIos() ? ""
      : installing ? "phone-install-now"
      : /Android/.test(agent) && /Firefox/.test(agent) ? "phone-install-firefox"
      : /Android/.test(agent) && /SamsungBrowser/.test(agent) ? "phone-install-samsung"
      : /Android/.test(agent) ? "phone-install-chrome"
      : "";
    at("install-text").textContent = key ? text(key) : "";
    show("install", Boolean(key));
    show("install-now", Boolean(installing));
  }

  async function installNow() {
    await installing?.prompt();
    installing = undefined;
    showInstall();
  }

  // --- farewell ---------------------------------------------------------------------------------------------------------------

  function remove() {
    sure("phone-remove-title", "phone-remove-text", "phone-remove", async () => {
      await whileBusy("remove", async () => {
        await vestibule.leave(mine);
        await forget();
      });
    });
  }

  async function forget() {
    await vestibule.forgetDevice();
    // The push service may be out of reach: the key is gone already, and what it would ring is nobody's phone.
    subscribed().then((subscription) => subscription?.unsubscribe()).catch(() => false);
    ringFault = undefined;
    if (mine.lang) await speak().catch(() => undefined);
    mine = current = awaited = known = undefined;
    met = false;
    alarm();
    say("phone-removed");
    offerActivation();
  }

  // --- small things -------------------------------------------------------------------------------------------------------------

  function sure(title, words, yes, act) {
    at("sure-title").textContent = text(title);
    at("sure-text").textContent = text(words);
    at("sure-yes").textContent = text(yes);
    const dialog = at("sure");
    dialog.onclose = () => dialog.returnValue === "yes" && act().catch(failed);
    dialog.returnValue = "no";
    dialog.showModal();
  }

  // One thing under way: a second tap does nothing, and a failure is told.
  async function whileBusy(id, act) {
    if (busy) return;
    busy = true;
    const buttons = [...document.querySelectorAll("button")];
    buttons.forEach((button) => { button.disabled = true; });
    at(id).setAttribute("aria-busy", "true");
    woken?.abort();
    try {
      await act();
    } catch (error) {
      failed(error);
    } finally {
      busy = false;
      buttons.forEach((button) => { button.disabled = false; });
      at(id).removeAttribute("aria-busy");
    }
  }

  start();
})();
