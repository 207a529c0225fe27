//! A house with a portal on loopback, and people of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::vestibule::enrolment::issue_code;
use ::vestibule::store::{CodePurpose, OpenToken, Store, WebStep};
use data_encoding::BASE64URL_NOPAD;
use login::limits::Limits;
use login::{Method, ResolvedUser, Wall};
use sha2::{Digest, Sha256};

use super::oath::{self, seed};
use super::vestibule::{House, Plan, alone};
use super::web::Web;
use super::{at, until};

/// What the portal says besides its address.
pub(crate) const USUAL: &str = "help_desk = \"Service desk, 0800 1234\"\n\
    users_may = [\"enrol\", \"select_method\", \"activate_app\", \"assign_token\"]\n";

pub(crate) struct PortalHouse {
    pub(crate) house: House,
    pub(crate) url: String,
}

/// A plan with a portal at the address that is returned, with these lines of `[portal]` besides.
pub(crate) fn with_portal(lines: &str) -> (Plan, String) {
    planned(lines, "")
}

/// The same, where every phone asks for a PIN.
pub(crate) fn with_portal_and_pins(lines: &str) -> (Plan, String) {
    planned(lines, "pin = { required = true, length = 6, tries = 3 }\n")
}

/// The same behind a proxy on this host that speaks TLS; the address that is returned is what the proxy asks.
pub(crate) fn with_portal_behind_a_proxy(lines: &str) -> (Plan, String) {
    with_portal_behind("127.0.0.0/8", lines)
}

/// The same, where the policy names these proxies and no others.
pub(crate) fn with_portal_behind(proxies: &str, lines: &str) -> (Plan, String) {
    let at = at(18443);
    let more = format!("trusted_proxies = [\"{proxies}\"]\n{lines}");
    (plan_of(at, "https://mfa.example.com", &more, ""), format!("http://{at}"))
}

fn planned(lines: &str, push: &str) -> (Plan, String) {
    let at = at(18443);
    let url = format!("http://{at}");
    (plan_of(at, &url, lines, push), url)
}

fn plan_of(at: SocketAddr, url: &str, lines: &str, push: &str) -> Plan {
    let portal = format!(
        "[portal]\naccount_name = \"Example Corp\"\nurl = \"{url}\"\nlisten = \"{at}\"\nsign_in = \"local\"\n{lines}\n\
         [method.push]\nchannels = [\"webpush\", \"privacyidea\"]\nvapid_contact = \"mailto:mfa@example.com\"\n{push}"
    );
    let plan = alone().and(&portal).totp("alice").password("alice", "pw of alice");
    plan.password("carol", "pw of carol")
}

impl PortalHouse {
    pub(crate) async fn opens() -> Self {
        Self::of(with_portal(USUAL)).await
    }

    pub(crate) async fn of((plan, url): (Plan, String)) -> Self {
        Self { house: plan.start().await, url }
    }

    pub(crate) fn web(&self) -> Web {
        Web::new(&self.url)
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        Arc::clone(self.house.server.store())
    }

    /// An activation code for somebody, as staff give one.
    pub(crate) async fn code_for(&self, name: &str) -> String {
        let at = ::vestibule::engine::Clock::begin().moment().wall;
        let code = issue_code(self.store().as_ref(), &ResolvedUser::new(name), CodePurpose::Enrol, at).await.unwrap();
        String::from_utf8(code.expose().to_vec()).unwrap()
    }

    /// Somebody who is signed in with password and code.
    pub(crate) async fn alice(&self) -> Web {
        let mut web = self.web();
        assert_eq!(web.password("alice", "pw of alice").await.location, "/sign-in/second");
        assert_eq!(web.code(&oath::totp(&seed("alice"))).await.location, "/");
        web
    }

    /// As if this session had proved its factor, and been used, so long ago.
    pub(crate) async fn ages(&self, web: &mut Web, by: Duration) {
        let now = ::vestibule::engine::Clock::begin().moment().wall;
        let then = Wall(now.0 - u64::try_from(by.as_millis()).unwrap());
        let (name, value) = web
            .cookie
            .clone()
            .and_then(|cookie| cookie.split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned())))
            .unwrap();
        let old: [u8; 32] = Sha256::digest(BASE64URL_NOPAD.decode(value.as_bytes()).unwrap()).into();
        let new: [u8; 32] = rand::random();
        let hash = Sha256::digest(new).into();
        assert!(self.store().rotate_web_session(&old, hash, WebStep::Full, Some(then), then).await.unwrap());
        web.cookie = Some(format!("{name}={}", BASE64URL_NOPAD.encode(&new)));
    }

    /// A code of alice's token that was not used yet: a step ahead is taken, too (RFC 6238 §5.2), so it is soon there.
    pub(crate) async fn fresh_code_of_alice(&self) -> String {
        let used = self.tokens("alice").await.first().and_then(|token| token.last_step).unwrap_or_default();
        let ahead = async || Some(oath::unix_now() / 30 + 1).filter(|step| *step > used);
        oath::hotp(&seed("alice"), until("a step that was not used", ahead).await)
    }

    pub(crate) async fn tokens(&self, name: &str) -> Vec<OpenToken> {
        let at = ::vestibule::engine::Clock::begin().moment().wall;
        let methods = [Method::Totp, Method::Hotp];
        let limits = Limits::default();
        self.store().read_guess(&ResolvedUser::new(name), None, &methods, at, &limits).await.unwrap().tokens
    }
}
