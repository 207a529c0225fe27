// What the page and its service worker share: the key that can't leave this browser, what is signed with it, and the server's
// address. It draws nothing and decides nothing.
"use strict";

const vestibule = (() => {
  // --- what may never come ------------------------------------------------------------------------------------------

  // A browser's promise may stay open for good: a push service that is out of reach, storage that another tab holds, a worker
  // that was never registered. Nothing here is waited for without a limit, so that a login is never left unseen for it.
  const BROWSER_MS = 10_000;
  const PUSH_MS = 20_000;
  const ANSWER_MS = 15_000;
  const HELD_MS = 40_000;

  class TooSlow extends Error {
    constructor(what) {
      super(`${what} did not answer`);
      this.name = "TooSlow";
      this.what = what;
    }
  }

  function within(ms, promise, what = "browser") {
    let timer;
    const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new TooSlow(what)), ms); });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
  }

  const soon = (promise) => within(BROWSER_MS, promise);

  // --- octets and text ---------------------------------------------------------------------------------------------

  const utf8 = (text) => new TextEncoder().encode(text);

  const base64url = (octets) =>
    btoa(String.fromCharCode(...new Uint8Array(octets))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

  const fromBase64url = (text) =>
    Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (mark) => mark.charCodeAt(0));

  const sha256 = async (octets) => new Uint8Array(await soon(crypto.subtle.digest("SHA-256", octets)));

  // JSON in its one form (RFC 8785). What is signed is an object of texts: members in the order of their UTF-16 units, which is
  // how sort() compares, and texts as JSON.stringify writes them (RFC 8785 §3.2.2.2 is ECMAScript's own).
  function canonical(value) {
    const member = (name) => {
      if (typeof value[name] !== "string") throw new TypeError("only texts are signed");
      return `${JSON.stringify(name)}:${JSON.stringify(value[name])}`;
    };
    return `{${Object.keys(value).sort().map(member).join(",")}}`;
  }

  const printOf = async (value) => base64url(await sha256(utf8(canonical(value))));

  // The first 40 bits of the key's SHA-256 in base32 with a dash: what the portal shows beside it, to be compared by a person.
  async function fingerprint(spki) {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    const bits = [...(await sha256(spki)).slice(0, 5)].map((octet) => octet.toString(2).padStart(8, "0")).join("");
    const letters = bits.match(/.{5}/g).map((five) => alphabet[Number.parseInt(five, 2)]).join("");
    return `${letters.slice(0, 4)}-${letters.slice(4)}`;
  }

  // --- what lasts in this browser ------------------------------------------------------------------------------------

  const opened = (mode, act) =>
    soon(new Promise((resolve, reject) => {
      const opening = indexedDB.open("vestibule", 1);
      opening.onupgradeneeded = () => opening.result.createObjectStore("kept");
      opening.onerror = () => reject(opening.error);
      opening.onsuccess = () => {
        const base = opening.result;
        const work = base.transaction("kept", mode);
        const asked = act(work.objectStore("kept"));
        work.oncomplete = () => {
          base.close();
          resolve(asked.result);
        };
        work.onerror = work.onabort = () => {
          base.close();
          reject(work.error);
        };
      };
    }));

  // One device per origin: { device, account, user, key, spki }. The CryptoKey itself is kept, which no script can read.
  const device = () => opened("readonly", (kept) => kept.get("device"));
  const keepDevice = (value) => opened("readwrite", (kept) => kept.put(value, "device"));
  const forgetDevice = () => opened("readwrite", (kept) => kept.delete("device"));
  const keepTexts = (value) => opened("readwrite", (kept) => kept.put(value, "site"));
  const keptTexts = () => opened("readonly", (kept) => kept.get("site"));

  // --- the key ---------------------------------------------------------------------------------------------------------

  // Not extractable: scripts may use the private key, and never see it.
  async function makeKey() {
    const pair = await soon(crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]));
    const spki = new Uint8Array(await soon(crypto.subtle.exportKey("spki", pair.publicKey)));
    return { key: pair.privateKey, spki };
  }

  // Lines, the first of which says what they are; the signature is r and s, 64 octets.
  async function sign(key, lines) {
    const text = utf8(lines.join("\n"));
    return base64url(await soon(crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key, text)));
  }

  // UTC with milliseconds, never twice the same: a repeated poll is refused.
  let last = 0;
  function time() {
    last = Math.max(Date.now(), last + 1);
    return new Date(last).toISOString();
  }

  // --- the server --------------------------------------------------------------------------------------------------------

  const here = new URL("./", self.location.href);
  const origin = self.location.origin;

  class Refused extends Error {
    constructor(status, told) {
      super(told.error ?? String(status));
      this.status = status;
      this.told = told;
    }
  }

  // `signal` ends it from outside, and `limit` in any case: a connection may stand open with nobody at its other end.
  async function ask(path, body, signal, limit = ANSWER_MS) {
    const ending = new AbortController();
    const end = () => ending.abort();
    if (signal?.aborted) end();
    signal?.addEventListener("abort", end);
    try {
      return await within(limit, fetched(path, body, ending.signal), "server");
    } finally {
      signal?.removeEventListener("abort", end);
      end();
    }
  }

  async function fetched(path, body, signal) {
    const answer = await fetch(new URL(path, here), {
      method: body === undefined ? "GET" : "POST",
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "omit",
      cache: "no-store",
      redirect: "error",
      signal,
    });
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Refused(answer.status, told);
    return told;
  }

  async function enrol(code, name, pair, subscription) {
    const at = time();
    const lines = ["vestibule-enrol-v1", origin, code, base64url(await sha256(pair.spki)), at];
    const signature = await sign(pair.key, lines);
    return ask("api/enrol", { code, name, key: base64url(pair.spki), subscription, time: at, signature });
  }

  // `about` is a prompt that was answered, where it is not known yet what became of it.
  // `known` is what it was told last: the answer comes once there is something else, or at the end of the hold.
  async function poll(mine, wait, about, known, signal) {
    const at = time();
    const signature = await sign(mine.key, ["vestibule-poll-v1", origin, mine.device, at]);
    const asked = about && { challenge: about.challenge, nonce: about.nonce };
    return ask("api/poll", { device: mine.device, time: at, wait, about: asked, known, signature }, signal, HELD_MS);
  }

  // Signs exactly what was shown: the hash is made of the very object that was drawn.
  async function answer(mine, prompt, said, number, pin) {
    const at = time();
    const shown = await printOf(prompt.shown);
    const lines = ["vestibule-answer-v1", origin, mine.device, prompt.challenge, prompt.nonce, said, number, shown, at];
    const signature = await sign(mine.key, lines);
    const { challenge, nonce } = prompt;
    return ask("api/answer", { device: mine.device, challenge, nonce, said, number, pin, shown, time: at, signature });
  }

  async function subscribe(mine, subscription) {
    const at = time();
    const print = subscription ? await printOf(subscription) : "";
    const signature = await sign(mine.key, ["vestibule-subscribe-v1", origin, mine.device, print, at]);
    return ask("api/subscription", { device: mine.device, subscription, time: at, signature });
  }

  async function leave(mine) {
    const at = time();
    const signature = await sign(mine.key, ["vestibule-leave-v1", origin, mine.device, at]);
    return ask("api/leave", { device: mine.device, time: at, signature });
  }

  // Three texts of a browser's PushSubscription; nothing where there is none.
  function told(subscription) {
    if (!subscription) return null;
    const { endpoint, keys } = subscription.toJSON();
    return { endpoint, p256dh: keys.p256dh, auth: keys.auth };
  }

  // Asks the browser's push service for an address. Where it is out of reach some browsers never answer: what comes after the
  // limit is still told to `late`.
  async function listen(registration, vapid, late) {
    const asked = registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: vapid });
    try {
      return await within(PUSH_MS, asked, "push");
    } catch (error) {
      if (error instanceof TooSlow) asked.then(late, () => undefined);
      throw error;
    }
  }

  return {
    answer, ask, base64url, device, enrol, fingerprint, forgetDevice, fromBase64url, here, keepDevice, keepTexts, keptTexts,
    leave, listen, makeKey, origin, poll, Refused, soon, subscribe, told, TooSlow, within,
  };
})();
