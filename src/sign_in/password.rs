//! The first door: name and password, asked of the primary that `sign_in` names.
//!
//! Whatever keeps somebody out looks and takes alike: a name that nobody has, a wrong password, a blocked account, too many
//! tries (rules D6). Failures are counted for the address, for the name, and for both together, so that neither one password
//! tried on many names nor many on one gets far, and the directory behind does not lock the account on a stranger's word. What
//! can be no name or no password counts for its address too, and nobody holds a place while a refusal waits (rules G1).

use std::net::IpAddr;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use login::limits::{REJECT_DELAY_MAX, reject_delay};
use login::name::NameKind;
use login::policy::{Gate, is_added};
use login::{ClientName, HeldBack, Origin, Policy, PrimaryAnswer, PrimaryName, ResolvedUser, Tick, UserName};
use wire::Secret;

use super::notes::Deed;
use super::places::Place;
use super::session::{From, Signed, Visit, agent_of, word};
use super::{Away, Realm, SignIn, random, station_of};
use crate::engine::{AskedFrom, RingForPage};
use crate::primary::{Forwarded, PrimaryRequest};
use crate::store::{NewUser, WebRealm};
use crate::telemetry::SignInResult;

/// How long the primary may take.
const PRIMARY_WITHIN: Duration = Duration::from_secs(12);
/// How long the owner of a name that is held back has to answer the phone; the browser waits that long.
const OWNER_WITHIN: Duration = Duration::from_secs(45);
/// RFC 2865 §5.1 and §5.2: what a User-Name and a User-Password can carry.
const NAME_OCTETS_MAX: usize = 253;
const PASSWORD_OCTETS_MAX: usize = 128;

/// What a name and a password came to.
#[derive(Debug)]
pub enum PasswordTried {
    /// The password is right: a session in [`crate::store::WebStep::Password`] is open, and a factor is owed.
    Right(Box<Signed>, HeaderValue),
    /// Whatever it is that keeps them out.
    Refused,
}

/// What the old password came to, where somebody changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldPassword {
    /// It is theirs.
    Right,
    /// It is not; or there were too many tries, and it was not looked at.
    Wrong,
}

/// What was typed, and by whom.
#[derive(Debug)]
pub(super) struct Typed<'a> {
    pub(super) realm: WebRealm,
    pub(super) visit: &'a Visit,
    pub(super) headers: &'a HeaderMap,
    pub(super) address: IpAddr,
    pub(super) name: &'a str,
    pub(super) password: &'a Secret,
}

impl SignIn {
    /// Asks the primary, and opens a session if it says yes. A refusal is told after a while that is the same for all.
    ///
    /// # Errors
    /// The primary or the store can't be asked now.
    pub(super) async fn password(&self, typed: Typed<'_>) -> Result<PasswordTried, Away> {
        let began = self.clock().tick();
        match self.first_door(&typed).await {
            Ok(Door::Open(user)) => {
                let from = From {
                    address: typed.address,
                    agent: agent_of(typed.headers),
                    before: typed.visit.signed.as_ref(),
                };
                let (signed, line) = self.open(typed.realm, &user, from).await?;
                self.tell(typed.realm, SignInResult::Password, typed.address, Some(&user));
                Ok(PasswordTried::Right(Box::new(signed), line))
            }
            Ok(Door::Shut { result, who, is_the_primarys }) => {
                self.tell_as(typed.realm, result, typed.address, who.as_deref());
                self.let_pass_as(began, typed.realm, is_the_primarys).await;
                Ok(PasswordTried::Refused)
            }
            Err(away) => {
                self.tell(typed.realm, SignInResult::Unavailable, typed.address, None);
                self.let_pass(began).await;
                Err(away)
            }
        }
    }

    /// Whether this is the password that its user has now, at the portal's primary. Tries count where those of the sign-in do.
    ///
    /// # Errors
    /// The primary or the store can't be asked now.
    pub async fn old_password(&self, signed: &Signed, old: &Secret, address: IpAddr) -> Result<OldPassword, Away> {
        let began = self.clock().tick();
        let (result, is_the_primarys, told) = match self.first_door_again(signed, old, address).await {
            Ok(None) => return Ok(OldPassword::Right),
            Ok(Some((result, is_the_primarys))) => (result, is_the_primarys, Ok(OldPassword::Wrong)),
            Err(away) => (SignInResult::Unavailable, false, Err(away)),
        };
        self.tell(signed.realm, result, address, Some(&signed.user));
        self.let_pass_as(began, signed.realm, is_the_primarys).await;
        told
    }

    /// Why it is not their password, and whether the primary itself said no; `None`: it is.
    async fn first_door_again(
        &self,
        signed: &Signed,
        old: &Secret,
        address: IpAddr,
    ) -> Result<Option<(SignInResult, bool)>, Away> {
        let primary = Realm::of(&self.config(), signed.realm)?.primary;
        let origin = Origin::of(address);
        if !self.counts(origin) {
            return Ok(Some((SignInResult::Throttled, false)));
        }
        if old.is_empty() || old.len() > PASSWORD_OCTETS_MAX {
            return Ok(Some((SignInResult::Refused, false))); // rules A3
        }
        let _place = self.place(origin)?;
        let taken = self.take(address, &signed.user).await?;
        if !taken.is_free {
            return Ok(Some((SignInResult::Throttled, false)));
        }
        match self.ask(&primary, signed.user.as_str(), &signed.user, old, asked_from(address)).await? {
            PrimaryAnswer::Accept { user, .. } if user == signed.user => {
                self.give_back(&taken);
                Ok(None)
            }
            PrimaryAnswer::Unavailable(away) | PrimaryAnswer::StoreUnavailable(away) => {
                self.give_back(&taken);
                Err(Away { why: away.why })
            }
            PrimaryAnswer::HeldBack(_) => {
                self.give_back(&taken);
                Ok(Some((SignInResult::Throttled, false)))
            }
            PrimaryAnswer::Reject { .. } => Ok(Some((SignInResult::Refused, true))),
            PrimaryAnswer::Accept { .. } | PrimaryAnswer::Challenge { .. } => Ok(Some((SignInResult::Refused, false))),
        }
    }

    async fn ask(
        &self,
        primary: &PrimaryName,
        typed: &str,
        claimed: &ResolvedUser,
        password: &Secret,
        from: AskedFrom,
    ) -> Result<PrimaryAnswer, Away> {
        let request = PrimaryRequest {
            user_octets: typed.as_bytes().into(),
            claimed: claimed.clone(),
            password: password.clone(),
            forwarded: Forwarded::default(),
            upstream: None,
            deadline: self.clock().tick().plus(PRIMARY_WITHIN),
        };
        let server = self.engine().law().primaries.get(primary).cloned();
        let server = server.ok_or_else(|| Away::of("the primary of the sign-in is not there"))?;
        Ok(self.engine().ask_for_page(server, request, from).await)
    }

    /// Asks the primary; where the name is held back, its owner on a phone first, and then the primary (rules D7).
    async fn ask_or_the_owner(
        &self,
        primary: &PrimaryName,
        claimed: &ResolvedUser,
        typed: &Typed<'_>,
    ) -> Result<PrimaryAnswer, Away> {
        let (named, from) = (typed.name.trim(), AskedFrom { may_ring: true, ..asked_from(typed.address) });
        let answer = self.ask(primary, named, claimed, typed.password, from.clone()).await?;
        match &answer {
            PrimaryAnswer::HeldBack(HeldBack { password: Some(_), .. }) => {}
            PrimaryAnswer::HeldBack(_)
            | PrimaryAnswer::Accept { .. }
            | PrimaryAnswer::Reject { .. }
            | PrimaryAnswer::Challenge { .. }
            | PrimaryAnswer::Unavailable(_)
            | PrimaryAnswer::StoreUnavailable(_) => return Ok(answer),
        }
        let ring = RingForPage {
            user: claimed.clone(),
            page: ClientName::new(word(typed.realm)),
            key: random()?,
            address: Some(typed.address),
            only: None,
            without_pin: false,
            unproven: true,
        };
        if !self.engine().owner_says_yes(ring, OWNER_WITHIN).await {
            return Ok(answer);
        }
        self.ask(primary, named, claimed, typed.password, AskedFrom { may_ring: false, by_owner: true, ..from }).await
    }

    /// Who it is, if everything is in order. A try counts for its address before anything is looked at: whoever is over it costs
    /// no place and no look into the store.
    async fn first_door(&self, typed: &Typed<'_>) -> Result<Door, Away> {
        let (config, origin) = (self.config(), Origin::of(typed.address));
        if !self.counts(origin) {
            return Ok(Door::Shut { result: SignInResult::Throttled, who: None, is_the_primarys: false });
        }
        let place = Realm::of(&config, typed.realm)?;
        let named = typed.name.trim();
        let name = config.policy.user_name(named.as_bytes(), false).ok();
        let sound = !typed.password.is_empty() && typed.password.len() <= PASSWORD_OCTETS_MAX; // rules A3
        let person = name.filter(|name| name.kind() == NameKind::Person && named.len() <= NAME_OCTETS_MAX && sound);
        let Some(name) = person else {
            return Ok(Door::Shut { result: SignInResult::Refused, who: None, is_the_primarys: false });
        };
        let _place = self.place(origin)?;
        let taken = self.take(typed.address, &name.claimed()).await?;
        let shut = |result| Ok(Door::Shut { result, who: Some(taken.who.clone()), is_the_primarys: false });
        if !taken.is_free {
            return shut(SignInResult::Throttled);
        }
        if !self.may_ask(&config.policy, &place.primary, &name).await? {
            return shut(SignInResult::Refused);
        }
        match self.ask_or_the_owner(&place.primary, &name.claimed(), typed).await? {
            PrimaryAnswer::Accept { user, .. } => {
                self.give_back(&taken);
                match self.known(typed, user).await? {
                    Some(user) => Ok(Door::Open(user)),
                    None => shut(SignInResult::Refused),
                }
            }
            PrimaryAnswer::Reject { .. } => {
                Ok(Door::Shut { result: SignInResult::Refused, who: Some(taken.who.clone()), is_the_primarys: true })
            }
            // A browser has no way to carry on a conversation of the primary.
            PrimaryAnswer::Challenge { .. } => shut(SignInResult::Refused),
            // Rules D7: the primary was not asked, so this try costs nothing here, and its words are a wrong password's (D6).
            PrimaryAnswer::HeldBack(_) => {
                self.give_back(&taken);
                shut(SignInResult::Throttled)
            }
            PrimaryAnswer::Unavailable(away) | PrimaryAnswer::StoreUnavailable(away) => {
                self.give_back(&taken);
                Err(Away { why: away.why })
            }
        }
    }

    /// Rules A2: a primary that is not ours is asked about no name that it may take for somebody else's.
    async fn may_ask(&self, policy: &Policy, primary: &PrimaryName, name: &UserName) -> Result<bool, Away> {
        match policy.gate(name, primary) {
            Gate::Open => Ok(true),
            Gate::Shut(_) => Ok(false),
            Gate::IfAdded => {
                let at = self.moment().wall;
                let facts = self.store().user_facts(&name.claimed(), None, at, &self.limits()).await?;
                Ok(is_added(name, &facts))
            }
        }
    }

    /// The primary vouched for this user; the store may not know the name yet.
    async fn known(&self, typed: &Typed<'_>, user: ResolvedUser) -> Result<Option<ResolvedUser>, Away> {
        let at = self.moment().wall;
        let facts = self.store().user_facts(&user, None, at, &self.limits()).await?;
        if facts.blocked.is_some() {
            self.note(Deed::new(&user, "sign_in_refused").because("blocked").from(typed.address)).await;
            return Ok(None);
        }
        if facts.looks_like.is_some() {
            // Rules A2: somebody's look-alike never comes in, and so never enrols.
            if facts.known {
                self.note(Deed::new(&user, "sign_in_refused").because("look_alike").from(typed.address)).await;
            }
            return Ok(None);
        }
        if !facts.known {
            // Nobody is staff whom the store has never seen, and where users don't enrol there is nothing to come in for.
            let may_enrol = self.config().portal.as_ref().is_some_and(|portal| portal.users_may.enrol);
            if typed.realm == WebRealm::Admin || !may_enrol {
                return Ok(None);
            }
            let new =
                NewUser { name: user.clone(), groups: Vec::new(), mail: None, password_hash: None, by_staff: None };
            self.store().add_user(new, at).await?;
        }
        Ok(Some(user))
    }

    /// Whether this address, its /56 and its /48 may try once more. What is tried counts until it was right.
    fn counts(&self, origin: Origin) -> bool {
        let now = self.clock().tick();
        self.0.houses.take(origin.house, now) && origin.site.is_none_or(|site| self.0.sites.take(site, now))
    }

    /// A place among those that are looked at. For want of one the try stays counted: it is what a flood is made of.
    fn place(&self, origin: Origin) -> Result<Place<'_>, Away> {
        self.0.places.enter(origin).ok_or_else(|| Away::of("too many sign-ins at once"))
    }

    /// A try at this name, if there is one left. From where the user got in before, strangers' tries at the name don't count.
    async fn take(&self, address: IpAddr, user: &ResolvedUser) -> Result<Taken, Away> {
        let (at, origin) = (self.moment(), Origin::of(address));
        let station = station_of(address);
        let facts = self.store().user_facts(user, station.as_ref(), at.wall, &self.limits()).await?;
        // Rules F2: people type passwords where names belong.
        let who = if facts.known { user.as_str().to_owned() } else { self.store().unknown_name(user.as_str()) };
        let (by_name, inner) = (!facts.station_known, &self.0);
        let is_free = inner.pairs.take((origin.house, user), at.tick) && (!by_name || inner.names.take(user, at.tick));
        Ok(Taken { origin, user: user.clone(), by_name, who, is_free })
    }

    /// It was right, or it was never looked at.
    fn give_back(&self, taken: &Taken) {
        self.0.houses.give_back(taken.origin.house);
        taken.origin.site.into_iter().for_each(|site| self.0.sites.give_back(site));
        self.0.pairs.give_back((taken.origin.house, &taken.user));
        if taken.by_name {
            self.0.names.give_back(&taken.user);
        }
    }

    /// The same for a sign-in's password: what the primary did not refuse itself takes no less than its own rejections do.
    async fn let_pass_as(&self, began: Tick, realm: WebRealm, is_the_primarys: bool) {
        let primary = Realm::of(&self.config(), realm).map(|realm| realm.primary);
        if let (false, Ok(primary)) = (is_the_primarys, primary) {
            let rejection = self.engine().rejection(&primary, rand::random()).min(REJECT_DELAY_MAX);
            self.clock().wait_until(began.plus(rejection)).await;
        }
        self.let_pass(began).await;
    }

    /// Rules D6: one delay for every refusal, however soon it was known.
    pub(super) async fn let_pass(&self, began: Tick) {
        self.clock().wait_until(began.plus(reject_delay(&self.limits(), rand::random()))).await;
    }
}

/// A browser's address is its station; one that a proxy did not say is nobody's.
fn asked_from(address: IpAddr) -> AskedFrom {
    let known = Some(address).filter(|address| !address.is_unspecified());
    AskedFrom { station: station_of(address), address: known, ..AskedFrom::default() }
}

/// What a try took, so that it can be given back.
struct Taken {
    origin: Origin,
    user: ResolvedUser,
    by_name: bool,
    /// As logs may show it.
    who: String,
    /// There was a place; else nothing may be looked at.
    is_free: bool,
}

/// What the first door came to. A reader is told no more than that it is shut.
enum Door {
    Open(ResolvedUser),
    Shut {
        result: SignInResult,
        who: Option<String>,
        /// The primary itself said no: it took as long as that takes.
        is_the_primarys: bool,
    },
}
