// The phone's ear while its page is closed: each push message shows a notification, and a tap on it opens the page. It
// approves nothing. What is pushed is a hint without names; the page asks the server what it is about.
"use strict";

importScripts("core.js");

// A new version takes over at once: an old one must not outlive the page that it belongs to.
self.addEventListener("install", (event) => event.waitUntil(self.skipWaiting()));
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("push", (event) => event.waitUntil(show(event.data)));

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(openPage());
});

// The push service gave us another address, or took the old one away.
self.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(resubscribe(event)));

// Every push shows something: a browser takes the permission away from a page that keeps silent.
async function show(data) {
  const site = (await vestibule.keptTexts().catch(() => undefined)) ?? {};
  const text = (key, instead) => site.texts?.[key] ?? instead;
  const hint = read(data);
  const late = Number.isFinite(hint.exp) && hint.exp * 1000 < Date.now();
  const title = late
    ? text("phone-push-late-title", "A login has ended")
    : text("phone-push-title", "Is this you, logging in?");
  const body = late
    ? text("phone-push-late-body", "Nobody waits for your answer any more.")
    : text("phone-push-body", "Open to see who asks. Deny what you did not start.");
  await self.registration.showNotification(title, {
    body,
    lang: site.lang,
    tag: "vestibule",
    renotify: true,
    requireInteraction: !late,
    icon: "icon-192.png",
    badge: "badge-96.png",
    timestamp: Date.now(),
  });
  for (const page of await pages()) page.postMessage("look");
}

// `{"v":1,"ch":…,"exp":…}`, alone or inside a declarative message's notification.
function read(data) {
  try {
    const told = data.json();
    return told.notification?.data ?? told;
  } catch {
    return {};
  }
}

const pages = () => self.clients.matchAll({ type: "window", includeUncontrolled: true });

async function openPage() {
  for (const page of await pages()) {
    if (page.url.startsWith(vestibule.here.href)) {
      page.postMessage("look");
      return page.focus();
    }
  }
  return self.clients.openWindow(vestibule.here.href);
}

async function resubscribe(event) {
  const mine = await vestibule.device();
  if (!mine) return;
  let subscription = event.newSubscription ?? (await vestibule.soon(self.registration.pushManager.getSubscription()));
  if (!subscription && event.oldSubscription) {
    const { applicationServerKey } = event.oldSubscription.options;
    // What comes too late is told by the page, the next time that it is opened.
    subscription = await vestibule.listen(self.registration, applicationServerKey, () => undefined).catch(() => undefined);
  }
  await vestibule.subscribe(mine, vestibule.told(subscription));
}
