//! The cookie and what it stands for. Its id is 256 random bits; the store knows the hash only.
//!
//! A browser that is not signed in has an id too, of which the store knows nothing: forms are tied to it. At the sign-in, and
//! at each step up after it, the id changes, so that one that somebody planted or saw before is worth nothing after.

use std::net::IpAddr;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use login::{ResolvedUser, Wall};
use sha2::{Digest, Sha256};
use wire::Secret;

use super::notes::Deed;
use super::{Away, FACTORED_FOR, Realm, SignIn, random};
use crate::config::Config;
use crate::store::{ListedSession, NewWebSession, SessionTurn, WebRealm, WebSession, WebStep};

/// Octets of a User-Agent that are kept.
const AGENT_OCTETS_MAX: usize = 200;
/// Octets of a seed that a page offers: as long as the output of SHA-1 (RFC 6238 §5.1).
const SEED_OCTETS: usize = 20;

/// What a cookie holds. Whoever knows it is its user.
#[derive(Clone, Debug)]
pub struct Cookie(Secret);

impl Cookie {
    fn fresh() -> Result<Self, Away> {
        Ok(Self(Secret::new(random::<32>()?)))
    }

    /// What the store knows it by.
    pub(super) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.expose()).into()
    }

    pub(super) fn keyed(&self, key: &[u8; 32], purpose: &[u8]) -> [u8; 32] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
        mac.update(purpose);
        mac.update(self.0.expose());
        mac.finalize().into_bytes().into()
    }

    pub(super) fn half_keyed(&self, key: &[u8; 32], purpose: &[u8]) -> [u8; 16] {
        let mut half = [0; 16];
        half.iter_mut().zip(self.keyed(key, purpose)).for_each(|(to, from)| *to = from);
        half
    }
}

/// Whoever sent a request: perhaps somebody who is signed in.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The id of the browser, which forms are tied to.
    pub cookie: Cookie,
    /// It is new: the answer must set it.
    pub fresh: bool,
    /// Who is signed in, in whatever step.
    pub signed: Option<Signed>,
}

/// Somebody who is signed in, in whatever step.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Who.
    pub user: ResolvedUser,
    /// How far.
    pub step: WebStep,
    /// All that the store knows of the session.
    pub session: WebSession,
    /// What every form of the page that is shown now must bring back.
    pub csrf: String,
    /// A factor was proved within ten minutes: methods may be changed.
    pub factored_lately: bool,
    pub(super) realm: WebRealm,
    pub(super) cookie: Cookie,
}

/// A session on its way to another id, together with the method that is made in it.
#[derive(Clone, Debug)]
pub struct Turning {
    /// What the store does.
    pub turn: SessionTurn,
    cookie: Cookie,
}

impl Signed {
    /// Password and factor.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.step == WebStep::Full
    }

    /// The hash by which the store knows the session.
    #[must_use]
    pub fn id(&self) -> [u8; 32] {
        self.cookie.hash()
    }
}

impl SignIn {
    /// Who sent this request. A cookie that is no session's is kept as it is, for forms that were shown with it.
    ///
    /// # Errors
    /// The store, or no randomness.
    pub async fn visit(&self, realm: WebRealm, headers: &HeaderMap) -> Result<Visit, Away> {
        let config = self.config();
        let place = Realm::of(&config, realm)?;
        let Some(cookie) = cookie_of(headers, name_of(&place, realm)) else {
            return Ok(Visit { cookie: Cookie::fresh()?, fresh: true, signed: None });
        };
        let at = self.moment().wall;
        let found = self.store().web_session(&cookie.hash(), realm, place.idle, at).await?;
        let signed = found.map(|session| self.signed(session, realm, cookie.clone(), at));
        Ok(Visit { cookie, fresh: false, signed })
    }

    /// The id that a browser brings, and whatever an answer of ours makes of it.
    pub(super) fn cookie(&self, realm: WebRealm, headers: &HeaderMap) -> Option<Cookie> {
        let config = self.config();
        cookie_of(headers, name_of(&Realm::of(&config, realm).ok()?, realm))
    }

    /// The id that a browser is given by this line: `None`, it is told to forget the one that it has.
    pub(super) fn cookie_in(&self, realm: WebRealm, line: &HeaderValue) -> Option<Cookie> {
        let pair = line.as_bytes().split(|octet| *octet == b';').next()?;
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_bytes(pair).ok()?);
        self.cookie(realm, &headers)
    }

    /// Whether the session of this id still lives.
    ///
    /// # Errors
    /// The store.
    pub(super) async fn lives(&self, realm: WebRealm, id: &[u8; 32]) -> Result<bool, Away> {
        let idle = Realm::of(&self.config(), realm)?.idle;
        Ok(self.store().web_session(id, realm, idle, self.moment().wall).await?.is_some())
    }

    /// `Set-Cookie` of this id. It lives as long as the browser does; the session ends by the store.
    ///
    /// # Errors
    /// The pages are not configured any more.
    pub fn set_cookie(&self, realm: WebRealm, cookie: &Cookie) -> Result<HeaderValue, Away> {
        self.cookie_line(realm, &BASE64URL_NOPAD.encode(cookie.0.expose()), "")
    }

    /// The user's living sessions, of the portal and of the staff's pages, the one used last first.
    ///
    /// # Errors
    /// The store.
    pub async fn sessions(&self, signed: &Signed) -> Result<Vec<ListedSession>, Away> {
        let (config, at) = (self.config(), self.moment().wall);
        let idle = |realm| Realm::of(&config, realm).map(|place| place.idle).unwrap_or_default();
        let mut listed = self.store().list_web_sessions(&signed.user, at).await?;
        listed.retain(|one| one.seen_at.plus(idle(one.realm)) > at);
        Ok(listed)
    }

    /// Ends one session of this user; one that is another's, or over, is none.
    ///
    /// # Errors
    /// The store: it goes on.
    pub async fn end_session(&self, signed: &Signed, handle: &str, address: IpAddr) -> Result<bool, Away> {
        let listed = self.store().list_web_sessions(&signed.user, self.moment().wall).await?;
        let Some(one) = listed.into_iter().find(|one| handle_of(&one.id) == handle) else { return Ok(false) };
        self.write(Deed::new(&signed.user, "end_session").on(word(one.realm)).from(address)).await?;
        self.store().close_web_session(&one.id).await?;
        Ok(true)
    }

    /// Ends all sessions of this user, this one with them, in the portal and in the staff's pages.
    ///
    /// # Errors
    /// The store: they go on.
    pub async fn sign_out_everywhere(&self, signed: &Signed, address: IpAddr) -> Result<HeaderValue, Away> {
        self.write(Deed::new(&signed.user, "end_sessions").from(address)).await?;
        self.store().close_web_sessions(&signed.user, None).await?;
        self.forget_cookie(signed)
    }

    /// Ends the session, and tells the browser so.
    ///
    /// # Errors
    /// The store: the session goes on.
    pub async fn sign_out(&self, signed: &Signed) -> Result<HeaderValue, Away> {
        self.store().close_web_session(&signed.id()).await?;
        self.forget_cookie(signed)
    }

    /// Tells the browser that its session is over.
    ///
    /// # Errors
    /// The pages are not configured any more.
    pub fn forget_cookie(&self, signed: &Signed) -> Result<HeaderValue, Away> {
        self.cookie_line(signed.realm, "", "; Max-Age=0")
    }

    /// The same session one step further, or proved anew, under another id; the browser must be told.
    ///
    /// # Errors
    /// The store; or the session ended meanwhile.
    pub async fn step_up(&self, signed: &Signed, step: WebStep) -> Result<(Signed, HeaderValue), Away> {
        let proved = (step == WebStep::Full).then(|| self.moment().wall);
        self.turn(signed, step, proved).await
    }

    /// A method changed: this session goes on in full under another id, and all others of its user end. It is no fresher for it:
    /// ten minutes are counted from where the factor was proved. Only whose first method this was has proved it just now.
    ///
    /// # Errors
    /// As [`Self::step_up`].
    pub async fn renew(&self, signed: &Signed) -> Result<(Signed, HeaderValue), Away> {
        let proved = (!signed.is_full()).then(|| self.moment().wall);
        let (renewed, line) = self.turn(signed, WebStep::Full, proved).await?;
        self.store().close_web_sessions(&renewed.user, Some(renewed.id())).await?;
        Ok((renewed, line))
    }

    /// How this session will have gone on once a method was made in it: the store does both in one commit, the session first, so
    /// that a form that was sent four times makes one method (rules C1, F3).
    ///
    /// # Errors
    /// No randomness.
    pub fn turning(&self, signed: &Signed) -> Result<Turning, Away> {
        let cookie = Cookie::fresh()?;
        let factored_at = (!signed.is_full()).then(|| self.moment().wall);
        Ok(Turning { turn: SessionTurn { old: signed.id(), new: cookie.hash(), factored_at }, cookie })
    }

    /// It has gone on: who is signed in now, and what the browser must be told.
    ///
    /// # Errors
    /// The pages are not configured any more.
    pub fn turned(&self, signed: &Signed, turning: Turning) -> Result<(Signed, HeaderValue), Away> {
        let Turning { turn, cookie } = turning;
        let factored_at = turn.factored_at.or(signed.session.factored_at);
        let session = WebSession { step: WebStep::Full, factored_at, ..signed.session.clone() };
        let line = self.set_cookie(signed.realm, &cookie)?;
        Ok((self.signed(session, signed.realm, cookie, self.moment().wall), line))
    }

    /// A PIN was set by somebody who proved no factor for it: the session owes one again, under another id, and all others end.
    ///
    /// # Errors
    /// As [`Self::step_up`].
    pub async fn owe_again(&self, signed: &Signed) -> Result<(Signed, HeaderValue), Away> {
        let (owing, line) = self.turn(signed, WebStep::Password, None).await?;
        self.store().close_web_sessions(&owing.user, Some(owing.id())).await?;
        Ok((owing, line))
    }

    async fn turn(&self, signed: &Signed, step: WebStep, proved: Option<Wall>) -> Result<(Signed, HeaderValue), Away> {
        let (cookie, at) = (Cookie::fresh()?, self.moment().wall);
        if !self.store().rotate_web_session(&signed.id(), cookie.hash(), step, proved, at).await? {
            return Err(Away::of("the session has ended meanwhile"));
        }
        let factored_at = proved.or(signed.session.factored_at);
        let session = WebSession { step, factored_at, ..signed.session.clone() };
        let line = self.set_cookie(signed.realm, &cookie)?;
        Ok((self.signed(session, signed.realm, cookie, at), line))
    }

    /// A seed for this session alone, the same whenever its page is looked at again, and another one after the session's next
    /// step: so nothing of it waits in the store before its code was right.
    #[must_use]
    pub fn seed_of(&self, signed: &Signed) -> Secret {
        let octets = signed.cookie.keyed(&self.0.seeds, signed.user.as_str().as_bytes());
        Secret::new(octets.get(..SEED_OCTETS).unwrap_or_default())
    }

    /// Begins a session; the browser must be told its new id.
    pub(super) async fn open(
        &self,
        realm: WebRealm,
        user: &ResolvedUser,
        from: From<'_>,
    ) -> Result<(Signed, HeaderValue), Away> {
        let config = self.config();
        let (place, cookie, at) = (Realm::of(&config, realm)?, Cookie::fresh()?, self.moment().wall);
        let ends_at = at.plus(place.lasts);
        let (step, address) = (WebStep::Password, from.address);
        let new =
            NewWebSession { id: cookie.hash(), user: user.clone(), realm, step, address, agent: from.agent, ends_at };
        self.store().open_web_session(new, at).await?;
        if let Some(before) = from.before {
            self.store().close_web_session(&before.id()).await?;
        }
        let session = WebSession { user: user.clone(), step, began_at: at, factored_at: None, address, ends_at };
        let line = self.set_cookie(realm, &cookie)?;
        Ok((self.signed(session, realm, cookie, at), line))
    }

    fn signed(&self, session: WebSession, realm: WebRealm, cookie: Cookie, at: Wall) -> Signed {
        let lately = |factored: Wall| at.since(factored) < FACTORED_FOR && factored <= at.plus(Duration::from_secs(1));
        Signed {
            user: session.user.clone(),
            step: session.step,
            csrf: self.csrf(realm, &cookie),
            factored_lately: session.step == WebStep::Full && session.factored_at.is_some_and(lately),
            session,
            realm,
            cookie,
        }
    }

    /// RFC 6265bis: `__Host-` binds it to this very host and to TLS. Over plain HTTP, which the configuration allows on
    /// loopback only, a browser would refuse such a name.
    fn cookie_line(&self, realm: WebRealm, value: &str, more: &str) -> Result<HeaderValue, Away> {
        let config: &Config = &self.config();
        let place = Realm::of(config, realm)?;
        let secure = if place.pages.url.is_https() { "; Secure" } else { "" };
        let name = name_of(&place, realm);
        HeaderValue::from_str(&format!("{name}={value}; Path=/{secure}; HttpOnly; SameSite=Lax{more}"))
            .map_err(|_| Away::of("a cookie that is no header"))
    }
}

/// What a page calls a session: enough of its hash to tell it from the user's others, and of no use to open it.
#[must_use]
pub fn handle_of(id: &[u8; 32]) -> String {
    data_encoding::HEXLOWER.encode(&id[..12])
}

/// From where a session begins.
pub(super) struct From<'a> {
    pub(super) address: IpAddr,
    pub(super) agent: Option<String>,
    /// What the browser was signed in as until now: that session ends.
    pub(super) before: Option<&'a Signed>,
}

/// The User-Agent, as far as it is kept.
pub(super) fn agent_of(headers: &HeaderMap) -> Option<String> {
    let agent = headers.get(header::USER_AGENT)?.to_str().ok()?;
    Some(agent[..agent.floor_char_boundary(AGENT_OCTETS_MAX)].to_owned())
}

/// Cookies know no ports, so that portal and staff's pages on one host must differ in the name.
fn name_of(place: &Realm, realm: WebRealm) -> &'static str {
    match (place.pages.url.is_https(), realm) {
        (true, WebRealm::Portal) => "__Host-vestibule",
        (true, WebRealm::Admin) => "__Host-vestibule-staff",
        (false, WebRealm::Portal) => "vestibule",
        (false, WebRealm::Admin) => "vestibule-staff",
    }
}

pub(super) fn word(realm: WebRealm) -> &'static str {
    match realm {
        WebRealm::Portal => "portal",
        WebRealm::Admin => "admin",
    }
}

/// The one cookie of this name that is an id of ours; two of them are none.
fn cookie_of(headers: &HeaderMap, name: &str) -> Option<Cookie> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut ours = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = ours.by_ref().filter(|(key, _)| *key == name).map(|(_, value)| value);
    let (value, other) = (found.next()?, found.next());
    let octets = BASE64URL_NOPAD.decode(value.as_bytes()).ok()?;
    (other.is_none() && octets.len() == 32).then(|| Cookie(Secret::new(octets)))
}
