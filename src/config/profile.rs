//! What is known of RADIUS clients that were run beside this server: how long they wait, whether they can sign, which answers
//! they lose, what their person sees, and which of their settings to change. `profile` names one; each has a card in
//! `docs/appliances`, which a test holds to this table.

use std::time::Duration;

/// Whether a client sends Message-Authenticator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signs {
    /// By itself.
    Always,
    /// Where it is told to, by this setting.
    Told(&'static str),
    /// It has no setting for it.
    Never,
    /// Nobody knows.
    Unknown,
}

/// What is known of one kind of client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The word of the file, and of its card.
    pub name: &'static str,
    /// How people call it.
    pub title: &'static str,
    /// How long it waits as it comes, in milliseconds.
    pub waits_ms: Option<u64>,
    /// Its own setting that says how long.
    pub setting: &'static str,
    /// Whether it can be told to sign.
    pub signs: Signs,
    /// Answers of more octets are lost on it.
    pub reply_octets_max: Option<usize>,
    /// It shows an Access-Challenge to its person.
    pub shows_challenges: bool,
    /// Why one login that is held stops those of others there.
    pub one_at_a_time: Option<&'static str>,
}

impl Profile {
    /// How long it waits as it comes.
    #[must_use]
    pub fn waits(&self) -> Option<Duration> {
        self.waits_ms.map(Duration::from_millis)
    }

    /// The profile of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        PROFILES.iter().find(|profile| profile.name == name)
    }
}

/// Nobody's in particular.
pub const GENERIC: &Profile = &PROFILES[0];

const fn of(name: &'static str, title: &'static str, waits_ms: u64, setting: &'static str, signs: Signs) -> Profile {
    Profile {
        name,
        title,
        waits_ms: Some(waits_ms),
        setting,
        signs,
        reply_octets_max: None,
        shows_challenges: false,
        one_at_a_time: None,
    }
}

/// All of them, as seen with the packages of Debian 12 unless their card says otherwise.
pub static PROFILES: [Profile; 15] = [
    Profile {
        name: "generic",
        title: "any other client",
        waits_ms: None,
        setting: "its RADIUS timeout and retries",
        signs: Signs::Unknown,
        reply_octets_max: None,
        shows_challenges: true,
        one_at_a_time: None,
    },
    Profile {
        reply_octets_max: Some(1024),
        shows_challenges: true,
        ..of(
            "pam-radius",
            "pam_radius 2.0.0",
            3_000,
            "the timeout behind the secret in pam_radius_auth.conf, 60 s at most",
            Signs::Never,
        )
    },
    Profile {
        one_at_a_time: Some("each helper process asks for one login at a time: raise `auth_param … children`"),
        ..of("squid", "Squid's basic_radius_auth", 10_000, "`-t SECONDS` of basic_radius_auth", Signs::Never)
    },
    Profile {
        shows_challenges: true,
        one_at_a_time: Some("one RADIUS question at a time for everybody: set `sec-mod-scale`"),
        ..of(
            "ocserv",
            "ocserv with radcli",
            40_000,
            "`radius_timeout` and `radius_retries` in radiusclient.conf (timeout × (retries + 1))",
            Signs::Never,
        )
    },
    of("krb5", "the KDC of MIT Kerberos (libkrad)", 5_000, "`timeout` in the [otp] section of kdc.conf", Signs::Never),
    Profile {
        reply_octets_max: Some(1024),
        ..of(
            "mod-auth-radius",
            "Apache's mod_auth_radius",
            5_000,
            "the timeout in `AddRadiusAuth SERVER SECRET 60`",
            Signs::Never,
        )
    },
    Profile {
        reply_octets_max: Some(1600),
        ..of(
            "proftpd",
            "ProFTPD's mod_radius",
            5_000,
            "the timeout in `RadiusAuthServer`, which counts above 5 s only with all `Timeout…` directives at 0",
            Signs::Always,
        )
    },
    of(
        "strongswan",
        "strongSwan's eap-radius",
        14_200,
        "`retransmit_tries`, `retransmit_timeout` and `retransmit_base` of eap-radius in strongswan.conf",
        Signs::Always,
    ),
    Profile {
        one_at_a_time: Some(
            "the whole OpenVPN process waits for a login that is held: use codes, or `useauthcontrolfile=true`",
        ),
        ..of(
            "openvpn",
            "openvpn-auth-radius",
            1_000,
            "`retry=` and `wait=` in radiusplugin.cnf (retry × wait)",
            Signs::Never,
        )
    },
    Profile {
        shows_challenges: true,
        ..of(
            "radsecproxy",
            "radsecproxy",
            15_000,
            "`retryInterval` and `retryCount` of its server block, and the patience of the client before it",
            Signs::Told("it signs anew what came signed: turn Message-Authenticator on at the client before it"),
        )
    },
    Profile {
        shows_challenges: true,
        ..of("freeradius", "FreeRADIUS as a proxy", 30_000, "`response_window` of its home_server", Signs::Always)
    },
    of(
        "hostapd",
        "hostapd",
        30_000,
        "the supplicant's own patience, 30 s; it begins anew then, with a new Identifier",
        Signs::Always,
    ),
    of("authen-radius", "Perl's Authen::Radius", 5_000, "`TimeOut` of `new Authen::Radius`", Signs::Never),
    Profile {
        shows_challenges: true,
        ..of(
            "pyrad",
            "Python's pyrad",
            15_000,
            "`timeout` and `retries` of `Client`",
            Signs::Told("pyrad 2.6 and later signs by itself; before, call `add_message_authenticator()`"),
        )
    },
    of(
        "radclient",
        "FreeRADIUS's radclient",
        15_000,
        "`-t SECONDS` and `-r TRIES`",
        Signs::Told("name it in the request: `Message-Authenticator = 0x00`"),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// `40 s`, `14.2 s`.
    fn seconds(waits: u64) -> String {
        if waits.is_multiple_of(1000) {
            format!("{} s", waits / 1000)
        } else {
            format!("{}.{} s", waits / 1000, waits % 1000 / 100)
        }
    }

    #[test]
    fn each_profile_has_a_card_that_says_what_the_table_says() {
        let cards = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/appliances");
        for profile in PROFILES.iter().filter(|profile| profile.name != GENERIC.name) {
            let path = cards.join(format!("{}.md", profile.name));
            let card = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let signs = match profile.signs {
                Signs::Always => "signs by itself",
                Signs::Told(how) => how,
                Signs::Never => "has no setting for Message-Authenticator",
                Signs::Unknown => "",
            };
            let waits = format!("waits {}", seconds(profile.waits_ms.unwrap()));
            let lost = profile.reply_octets_max.map(|octets| format!("more than {octets} octets"));
            let named = format!("profile = \"{}\"", profile.name);
            let wanted = [Some(named), Some(waits), Some(profile.setting.to_owned()), Some(signs.to_owned()), lost];
            let more = profile.one_at_a_time.map(str::to_owned);
            for words in wanted.into_iter().chain([more]).flatten() {
                assert!(card.contains(&words), "{}: {words}", path.display());
            }
        }
        let files = std::fs::read_dir(&cards).unwrap().count();
        assert_eq!(files, PROFILES.len(), "a card for each but `generic`, and README.md");
    }

    #[test]
    fn no_two_profiles_have_one_name() {
        let names: std::collections::BTreeSet<_> = PROFILES.iter().map(|profile| profile.name).collect();
        assert_eq!(names.len(), PROFILES.len());
        assert_eq!(Profile::named("squid").and_then(Profile::waits), Some(Duration::from_secs(10)));
    }
}
