//! A page's service worker as a browser vendor's push service meets it: permissions and pushes, through DevTools.

use serde_json::json;

use super::Browser;

impl Browser {
    /// The person agreed: `notifications`, `push`, `camera`… for the origin of the page in front.
    pub(crate) async fn grant(&self, permission: &str) {
        let wanted = json!({ "descriptor": { "name": permission }, "state": "granted" });
        self.must("permissions", wanted).await;
    }

    /// Waits until the service worker of the page in front is active: a push before that is lost.
    pub(crate) async fn has_worker(&self) {
        self.until("(await navigator.serviceWorker.ready).active?.state === 'activated'").await;
    }

    /// Hands a push to the service worker of an origin, as it arrives after decryption. `registration` counts the workers
    /// that this browser ever registered, from 0. What comes of it is waited for by something that the worker does: to ask
    /// `getNotifications()` meanwhile makes Chromium forget the one that it is just about to show.
    pub(crate) async fn deliver_push(&self, origin: &str, registration: u32, data: &str) {
        self.devtools("ServiceWorker.enable", json!({})).await;
        let push = json!({ "origin": origin, "registrationId": registration.to_string(), "data": data });
        self.devtools("ServiceWorker.deliverPushMessage", push).await;
    }
}
