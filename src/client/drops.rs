//! Why a packet was dropped, and what its admin mends (rules E6). The words are metric labels: they never change.

use std::fmt;

use login::ClientName;
use wire::{Malformed, Unverified};

use super::stance::Learning;
use crate::config::Stance;

/// Why a packet got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DropReason {
    /// No client has this address.
    UnknownClient,
    /// It is no RADIUS packet, or longer than one may be.
    Malformed,
    /// What may stand once stands twice.
    DuplicateAttribute,
    /// Neither Access-Request nor Status-Server.
    WrongCode,
    /// Message-Authenticator is demanded and missing.
    MissingMessageAuthenticator,
    /// Message-Authenticator does not verify.
    BadMessageAuthenticator,
    /// Proxy-State without Message-Authenticator: where Blast-RADIUS hides its octets.
    ProxyState,
    /// No room for another request.
    Overload,
    /// More Status-Server than anybody needs.
    StatusRate,
}

impl DropReason {
    /// Every reason, in the order of its counters.
    pub const ALL: [Self; 9] = [
        Self::UnknownClient,
        Self::Malformed,
        Self::DuplicateAttribute,
        Self::WrongCode,
        Self::MissingMessageAuthenticator,
        Self::BadMessageAuthenticator,
        Self::ProxyState,
        Self::Overload,
        Self::StatusRate,
    ];

    /// The label of `vestibule_drops_total`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownClient => "unknown_client",
            Self::Malformed => "malformed",
            Self::DuplicateAttribute => "duplicate_attribute",
            Self::WrongCode => "wrong_code",
            Self::MissingMessageAuthenticator => "missing_message_authenticator",
            Self::BadMessageAuthenticator => "bad_message_authenticator",
            Self::ProxyState => "proxy_state",
            Self::Overload => "overload",
            Self::StatusRate => "status_rate",
        }
    }

    /// Its place in [`DropReason::ALL`].
    pub(super) fn index(self) -> usize {
        Self::ALL.iter().position(|reason| *reason == self).unwrap_or_default()
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A packet that a known client sent in vain: the reason, and what exactly was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Longer than a packet may be (RFC 2865 §3).
    TooLong,
    /// Not a packet.
    Malformed(Malformed),
    /// Not to be believed, or not for us.
    Unverified(Unverified),
    /// No room (rules G1).
    Overload,
    /// Too many Status-Server.
    StatusRate,
}

impl Refused {
    /// Under which reason it is counted.
    pub(super) fn reason(self) -> DropReason {
        match self {
            Self::Malformed(Malformed::DuplicateAttribute(_)) => DropReason::DuplicateAttribute,
            Self::TooLong | Self::Malformed(_) => DropReason::Malformed,
            Self::Unverified(why) => reason_of(why),
            Self::Overload => DropReason::Overload,
            Self::StatusRate => DropReason::StatusRate,
        }
    }

    /// What is wrong and what to do, for the admin of this client.
    pub(super) fn advice(self, client: &ClientName, stance: Stance, learning: Learning) -> String {
        match self {
            Self::TooLong => format!("a datagram of more than 4096 octets came from client {client}: no RADIUS packet is that long; is another service sending to this port?"),
            Self::Malformed(what) => format!("a malformed packet came from client {client}: {what}; if it comes again and again, capture it and report it to the appliance's vendor"),
            Self::Unverified(why) => unverified_advice(why, client, stance, learning),
            Self::Overload => format!("too many requests of client {client} are waiting, so new logins are refused and held ones go on; look for an appliance in a loop, or raise the bounds under [limits]"),
            Self::StatusRate => format!("client {client} sends more Status-Server requests than needed; set its server probe to once in several seconds"),
        }
    }
}

fn reason_of(why: Unverified) -> DropReason {
    match why {
        Unverified::MissingMessageAuthenticator => DropReason::MissingMessageAuthenticator,
        Unverified::BadMessageAuthenticator => DropReason::BadMessageAuthenticator,
        Unverified::ProxyState => DropReason::ProxyState,
        // The last three are said of replies only, and none comes to this port.
        Unverified::NotARequest | Unverified::WrongCode | Unverified::WrongIdentifier | Unverified::BadResponseAuthenticator => DropReason::WrongCode,
    }
}

fn unverified_advice(why: Unverified, client: &ClientName, stance: Stance, learning: Learning) -> String {
    match why {
        Unverified::BadMessageAuthenticator => format!(
            "Message-Authenticator of client {client} does not verify: the shared secret on the appliance (its RADIUS \"secret\" or \"key\" field) differs from \
             secrets/client.{client}; type it anew on the appliance, and mind blanks at its end"
        ),
        Unverified::MissingMessageAuthenticator => missing_advice(client, stance, learning),
        Unverified::ProxyState => format!(
            "client {client} sends Proxy-State without Message-Authenticator, which is how replies are forged (CVE-2024-3596); {SETTINGS}; \
             if a RADIUS proxy stands between, update it"
        ),
        Unverified::NotARequest | Unverified::WrongCode | Unverified::WrongIdentifier | Unverified::BadResponseAuthenticator => format!(
            "client {client} sends something that is neither Access-Request nor Status-Server; if it is accounting, point the appliance's accounting at \
             another server or switch it off"
        ),
    }
}

fn missing_advice(client: &ClientName, stance: Stance, learning: Learning) -> String {
    if stance == Stance::Auto && learning.is_learned() {
        return format!(
            "ALARM: client {client} always sent Message-Authenticator, and now a packet came without it: somebody may be forging requests (CVE-2024-3596). \
             If the appliance was exchanged or set back, {SETTINGS}, or run `vestibule client forget {client}`"
        );
    }
    let other = match stance {
        Stance::Yes => format!("; until it can, write require_message_authenticator = \"auto\" under [client.{client}]"),
        // Here only EAP and Status-Server must have it, and no setting of ours changes that (RFC 3579 §3.1, RFC 5997 §3).
        Stance::Auto | Stance::No => String::new(),
    };
    format!("client {client} sends no Message-Authenticator, and it is required; {SETTINGS}{other}")
}

/// Where the usual appliances turn it on.
const SETTINGS: &str = "turn it on at the appliance: FortiGate sends it since FortiOS 7.2.10 and 7.4.5 (`set require-message-authenticator enable` under `config user radius`); \
    Cisco ASA: `message-authenticator-required` in the aaa-server host; Palo Alto: `set authentication radius-require-msg-authentic yes`; \
    NetScaler: `set authentication radiusAction NAME -messageAuthenticator ON`; others: look for \"Message-Authenticator\" or \"Blast-RADIUS\" in the RADIUS server's settings, and update the firmware if it is not there";

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(why: Unverified, stance: Stance, learning: Learning) -> String {
        Refused::Unverified(why).advice(&ClientName::new("hq-asa"), stance, learning)
    }

    #[test]
    fn a_wrong_secret_names_both_places_where_it_stands() {
        let text = advice(Unverified::BadMessageAuthenticator, Stance::Yes, Learning::Fresh);
        assert!(text.contains("secrets/client.hq-asa") && text.contains("\"secret\" or \"key\""), "{text}");
    }

    #[test]
    fn a_missing_message_authenticator_names_the_appliances_own_setting_and_ours() {
        let text = advice(Unverified::MissingMessageAuthenticator, Stance::Yes, Learning::Fresh);
        for words in ["require-message-authenticator enable", "message-authenticator-required", "radius-require-msg-authentic", "-messageAuthenticator ON", "\"auto\""] {
            assert!(text.contains(words), "{words} in {text}");
        }
        assert!(!advice(Unverified::MissingMessageAuthenticator, Stance::No, Learning::Fresh).contains("\"auto\""));
    }

    #[test]
    fn after_auto_has_learned_a_bare_packet_is_an_alarm() {
        let text = advice(Unverified::MissingMessageAuthenticator, Stance::Auto, Learning::Learned { stored: true });
        assert!(text.starts_with("ALARM") && text.contains("vestibule client forget hq-asa"), "{text}");
    }

    #[test]
    fn every_reason_has_its_own_counter_and_word() {
        for (index, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), index);
            assert_eq!(DropReason::ALL.iter().filter(|other| other.as_str() == reason.as_str()).count(), 1);
        }
    }
}
