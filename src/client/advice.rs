//! What a known client's admin mends when its packets are dropped (rules E6): the appliance's own setting, and ours.
//!
//! Written once for each client and configuration, so that a flood of bad packets costs no text.

use login::ClientName;
use wire::{Malformed, Unverified};

use crate::config::{Profile, Signs, Stance};
use crate::telemetry::DropReason;

/// Why a known client's packet is dropped, and what exactly was wrong.
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
    /// Bare senders of this client have guessed too often (rules D5).
    BareBudget,
    /// More Status-Server than anybody needs (checklist D12).
    StatusRate,
    /// A Status-Server while nobody could check a login of this client (rules A10).
    Unavailable,
}

impl Refused {
    /// Under which reason it is counted.
    pub(super) fn reason(self) -> DropReason {
        match self {
            Self::Malformed(Malformed::DuplicateAttribute(_)) => DropReason::DuplicateAttribute,
            Self::TooLong | Self::Malformed(_) => DropReason::Malformed,
            Self::Unverified(why) => reason_of(why),
            Self::Overload | Self::StatusRate => DropReason::Overload,
            Self::BareBudget => DropReason::BareBudget,
            Self::Unavailable => DropReason::Unavailable,
        }
    }
}

fn reason_of(why: Unverified) -> DropReason {
    match why {
        Unverified::MissingMessageAuthenticator => DropReason::MissingMessageAuthenticator,
        Unverified::BadMessageAuthenticator => DropReason::BadMessageAuthenticator,
        Unverified::ProxyState => DropReason::ProxyState,
        // The last three are said of replies only, and none comes to this port.
        Unverified::NotARequest
        | Unverified::WrongCode
        | Unverified::WrongIdentifier
        | Unverified::BadResponseAuthenticator => DropReason::WrongCode,
        Unverified::BadRequestAuthenticator => DropReason::BadRequestAuthenticator,
    }
}

/// One client's advice.
#[derive(Debug)]
pub(super) struct Advice {
    secret: String,
    missing: String,
    alarm: String,
    proxy_state: String,
    bare_budget: String,
}

impl Advice {
    pub(super) fn of(client: &ClientName, stance: Stance, profile: &Profile) -> Self {
        let settings = settings(profile);
        Self {
            secret: format!(
                "the shared secret on the appliance (its RADIUS \"secret\" or \"key\" field) differs from secrets/client.{client}: \
                 type it anew on the appliance, and mind blanks at its end"
            ),
            missing: missing(client, stance, profile),
            alarm: format!(
                "ALARM: this client always sent Message-Authenticator until now, so somebody may be forging its requests (CVE-2024-3596). If the \
                 appliance was exchanged or set back, {settings}; or run `vestibule client forget {client}`"
            ),
            bare_budget: format!(
                "{settings}; then signed requests go on whatever others send. If it sends Message-Authenticator already, somebody guesses \
                 passwords under the address of [client.{client}]"
            ),
            proxy_state: format!("{settings}; if a RADIUS proxy stands between, update it"),
        }
    }

    /// What mends this; `None` where the reason's own advice says all. `learned`: `auto` has learned to demand (rules
    /// E2).
    pub(super) fn on(&self, refused: Refused, learned: bool) -> Option<&str> {
        match refused {
            Refused::TooLong => Some("no RADIUS packet is that long: look for another service that sends to this port"),
            Refused::StatusRate => Some("set the appliance's server probe (Status-Server) to once in several seconds"),
            Refused::Malformed(_) | Refused::Overload | Refused::Unavailable => None,
            Refused::BareBudget => Some(&self.bare_budget),
            Refused::Unverified(why) => self.on_unverified(why, learned),
        }
    }

    fn on_unverified(&self, why: Unverified, learned: bool) -> Option<&str> {
        match why {
            Unverified::BadMessageAuthenticator | Unverified::BadRequestAuthenticator => Some(&self.secret),
            // "Drops after that alarm" (E2).
            Unverified::MissingMessageAuthenticator if learned => Some(&self.alarm),
            Unverified::MissingMessageAuthenticator => Some(&self.missing),
            Unverified::ProxyState => Some(&self.proxy_state),
            Unverified::NotARequest
            | Unverified::WrongCode
            | Unverified::WrongIdentifier
            | Unverified::BadResponseAuthenticator => None,
        }
    }
}

/// What turns it on there; of a client that has no switch for it, that it has none.
fn settings(profile: &Profile) -> String {
    match profile.signs {
        Signs::Always => format!(
            "{} signs by itself: look whether this is one, and for what changes its packets on the way",
            profile.title
        ),
        Signs::Told(how) => format!("{}: {how}", profile.title),
        Signs::Never => format!(
            "{} has no setting for Message-Authenticator: keep the path between it and this server private, for what is not signed can be forged on the way",
            profile.title
        ),
        Signs::Unknown => SETTINGS.to_owned(),
    }
}

fn missing(client: &ClientName, stance: Stance, profile: &Profile) -> String {
    let settings = settings(profile);
    match stance {
        Stance::Yes if profile.signs == Signs::Never => {
            format!("write require_message_authenticator = \"auto\" under [client.{client}]; {settings}")
        }
        Stance::Yes => {
            format!("{settings}; until it can, write require_message_authenticator = \"auto\" under [client.{client}]")
        }
        // Here only EAP and Status-Server must have it, and no setting of ours changes that (RFC 3579 §3.1, RFC 5997
        // §3).
        Stance::Auto | Stance::No => settings,
    }
}

/// Where the usual appliances turn it on.
const SETTINGS: &str = "turn Message-Authenticator on at the appliance. FortiGate: FortiOS 7.2.10, 7.4.5 or later sends it \
    (`set require-message-authenticator enable` under `config user radius`); Cisco ASA: `message-authenticator-required` in the aaa-server host; \
    Palo Alto: `set authentication radius-require-msg-authentic yes`; NetScaler: `set authentication radiusAction NAME -messageAuthenticator ON`; \
    others: look for \"Message-Authenticator\" or \"Blast-RADIUS\" beside the RADIUS server, and update the firmware if it is not there; pam_radius, Squid, ocserv, MIT Kerberos, \
    mod_auth_radius, openvpn-auth-radius and Authen::Radius have no such setting: name theirs by `profile`";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::GENERIC;

    fn advice(why: Unverified, stance: Stance, learned: bool) -> String {
        let advice = Advice::of(&ClientName::new("hq-asa"), stance, GENERIC);
        advice.on(Refused::Unverified(why), learned).unwrap_or_default().to_owned()
    }

    #[test]
    fn a_wrong_secret_names_both_places_where_it_stands() {
        let text = advice(Unverified::BadMessageAuthenticator, Stance::Yes, false);
        assert!(text.contains("secrets/client.hq-asa") && text.contains("\"secret\" or \"key\""), "{text}");
    }

    #[test]
    fn a_missing_message_authenticator_names_the_appliances_own_setting_and_ours() {
        let text = advice(Unverified::MissingMessageAuthenticator, Stance::Yes, false);
        let settings =
            ["require-message-authenticator enable", "message-authenticator-required", "radius-require-msg-authentic"];
        for words in settings.into_iter().chain(["-messageAuthenticator ON", "\"auto\" under [client.hq-asa]"]) {
            assert!(text.contains(words), "{words} in {text}");
        }
        assert!(!advice(Unverified::MissingMessageAuthenticator, Stance::No, false).contains("\"auto\""));
    }

    #[test]
    fn of_a_client_that_has_no_switch_it_is_said_that_it_has_none() {
        let advice = |profile, stance| {
            let advice = Advice::of(&ClientName::new("sshd"), stance, Profile::named(profile).unwrap());
            advice.on(Refused::Unverified(Unverified::MissingMessageAuthenticator), false).unwrap().to_owned()
        };
        let text = advice("pam-radius", Stance::Yes);
        for words in ["pam_radius", "no setting", "\"auto\" under [client.sshd]", "private"] {
            assert!(text.contains(words), "{words} in {text}");
        }
        assert!(!text.contains("FortiGate"), "{text}");
        assert!(advice("pyrad", Stance::Yes).contains("add_message_authenticator()"));
        assert!(!advice("pam-radius", Stance::No).contains("\"auto\""));
    }

    #[test]
    fn after_auto_has_learned_a_bare_packet_is_an_alarm() {
        let text = advice(Unverified::MissingMessageAuthenticator, Stance::Auto, true);
        assert!(text.starts_with("ALARM") && text.contains("vestibule client forget hq-asa"), "{text}");
    }

    #[test]
    fn a_spent_budget_of_bare_failures_names_the_setting_that_needs_none_and_the_guesser() {
        let advice = Advice::of(&ClientName::new("hq-asa"), Stance::No, GENERIC);
        let text = advice.on(Refused::BareBudget, false).unwrap();
        assert!(text.contains("Message-Authenticator") && text.contains("guesses passwords"), "{text}");
        assert_eq!(Refused::BareBudget.reason(), DropReason::BareBudget);
    }

    #[test]
    fn what_stands_twice_is_counted_apart_from_what_is_broken() {
        assert_eq!(Refused::Malformed(Malformed::DuplicateAttribute(80)).reason(), DropReason::DuplicateAttribute);
        assert_eq!(Refused::Malformed(Malformed::AttributeZero).reason(), DropReason::Malformed);
        assert_eq!(Refused::TooLong.reason(), DropReason::Malformed);
    }
}
