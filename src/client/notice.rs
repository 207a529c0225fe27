//! What the gate tells: counters for every happening, lines for those that an admin must read, one a minute and kind.

use std::net::SocketAddr;

use login::Tick;

use super::Client;
use super::drops::{DropReason, Refused};
use super::throttle::Throttle;

/// A known client's packet was dropped: counted always, and its admin told what to mend (rules E6).
pub(super) fn dropped(client: &Client, refused: Refused, peer: SocketAddr, at: Tick) {
    let reason = refused.reason();
    let Some(count) = client.note_drop(reason, at) else { return };
    let advice = refused.advice(client.name(), client.config().stance, client.learning());
    let alarm = reason == DropReason::MissingMessageAuthenticator && client.learning().is_learned();
    // "Drops after that alarm" (E2): the first word of the line says so too.
    if alarm {
        tracing::error!(client = %client.name(), %reason, %peer, count, "{advice}");
    } else {
        tracing::warn!(client = %client.name(), %reason, %peer, count, "{advice}");
    }
}

/// A stranger's packet was dropped (checklist A8).
pub(super) fn unknown(throttle: &mut Throttle, peer: SocketAddr, at: Tick) {
    let Some(count) = throttle.note(at) else { return };
    let reason = DropReason::UnknownClient;
    tracing::warn!(%reason, %peer, count, "packets came from an address that no [client] has; if it is an appliance of yours, add its address to the configuration");
}

/// `auto` has learned that this client always sends Message-Authenticator (rules E2).
pub(super) fn learned(client: &Client) {
    tracing::info!(client = %client.name(), "this client always sends Message-Authenticator; from now on it must (require_message_authenticator = \"auto\" has learned)");
}

/// A retransmit was absorbed or answered again.
pub(super) fn retransmit(client: &Client) {
    tracing::trace!(client = %client.name(), "retransmit");
}

/// An answer was not sent, because its sender no longer waits for it.
pub(super) fn superseded(client: &Client) {
    tracing::trace!(client = %client.name(), "superseded");
}
