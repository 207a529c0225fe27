//! What the portal's handlers share: who asks, whether they may, and what follows a change.

use std::net::IpAddr;
use std::sync::Arc;

use axum::response::Response;
use login::limits::Limits;
use login::{DeviceId, Moment, ResolvedUser};

use super::PortalParts;
use super::waiting::Waiting;
use crate::config::{Config, PortalConfig, UsersMay};
use crate::mail::LetterKind;
use crate::sign_in::{Asked, Away, Deed, Desk, Fields, Problem, Shown, SignIn, Signed, Visit, sent_on};
use crate::store::{Device, Refusal, SessionTurn, Store, StoreError, StoreFuture, WebRealm, WebStep};

/// The portal. Clones are one.
#[derive(Clone)]
pub(super) struct Portal(Arc<Inner>);

struct Inner {
    parts: PortalParts,
    waiting: Waiting,
}

/// A request of somebody who is signed in far enough.
pub(super) struct Guest {
    pub(super) visit: Visit,
    pub(super) signed: Signed,
    pub(super) address: IpAddr,
}

impl Guest {
    pub(super) fn user(&self) -> &ResolvedUser {
        &self.signed.user
    }
}

/// How far somebody must have come.
#[derive(Clone, Copy)]
pub(super) enum Far<'a> {
    /// Any session that owes no factor: also one that may make its first method.
    Here,
    /// Password and factor, at any time.
    In,
    /// And the factor lately; else it is asked for, and then the browser goes to this path.
    Lately(&'a str),
    /// The same, or behind the trust anchor of a first enrolment (rules F3).
    Making(&'a str),
    /// The same as lately; or behind a code, or a phone's yes, where the own PIN is to be set and nothing more.
    Pin,
}

impl Portal {
    pub(super) fn new(parts: PortalParts) -> Self {
        Self(Arc::new(Inner { parts, waiting: Waiting::default() }))
    }

    pub(super) fn desk(&self) -> Desk {
        Desk { sign_in: self.0.parts.sign_in.clone(), realm: WebRealm::Portal }
    }

    pub(super) fn sign_in(&self) -> &SignIn {
        &self.0.parts.sign_in
    }

    pub(super) fn parts(&self) -> &PortalParts {
        &self.0.parts
    }

    pub(super) fn store(&self) -> &dyn Store {
        self.0.parts.store.as_ref()
    }

    pub(super) fn waiting(&self) -> &Waiting {
        &self.0.waiting
    }

    pub(super) fn config(&self) -> Arc<Config> {
        (self.0.parts.config)()
    }

    pub(super) fn moment(&self) -> Moment {
        self.0.parts.clock.moment()
    }

    pub(super) fn limits(&self) -> Limits {
        self.config().policy.limits.clone()
    }

    /// `[portal]` in force.
    pub(super) fn portal(&self) -> Result<PortalConfig, Problem> {
        self.config().portal.clone().ok_or_else(|| Away::of("the portal is not configured any more").into())
    }

    /// Whether users may do this here; else the page says who helps.
    pub(super) fn may(&self, what: impl FnOnce(UsersMay) -> bool) -> Result<(), Problem> {
        if what(self.portal()?.users_may) { Ok(()) } else { Err(Problem::NotAllowed) }
    }

    /// The same for the authenticator app. Who holds the help desk's code does not do it alone, so that way is never shut: a lost
    /// phone would have no other.
    pub(super) fn may_make_app(&self, guest: &Guest) -> Result<(), Problem> {
        self.may(|may| may.enrol || guest.signed.step == WebStep::Enrolling)
    }

    /// Whoever looks at a page, if they came far enough.
    pub(super) async fn looks(&self, asked: &Asked, far: Far<'_>) -> Result<Guest, Problem> {
        let visit = self.desk().visit(asked).await?;
        admitted(visit, asked, far)
    }

    /// Whoever sent a form of ours, if they came far enough.
    pub(super) async fn sends(&self, asked: &Asked, fields: &Fields, far: Far<'_>) -> Result<Guest, Problem> {
        let visit = self.desk().genuine(asked, fields).await?;
        admitted(visit, asked, far)
    }

    pub(super) async fn shown(&self, asked: &Asked, guest: &Guest) -> Result<Shown, Problem> {
        Ok(self.desk().shown(asked, &guest.visit).await?)
    }

    /// A phone of this very user, in whatever state.
    pub(super) async fn device(&self, guest: &Guest, id: &str) -> Result<Device, Problem> {
        let devices = self.store().list_devices(guest.user()).await?;
        devices.into_iter().find(|device| *device.id.0 == *id).ok_or(Problem::Missing)
    }

    /// What is to be done is written down, and then it is done (rules F2).
    pub(super) async fn act<T, E>(
        &self,
        guest: &Guest,
        deed: Deed,
        change: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Problem>
    where
        Problem: From<E>,
    {
        self.sign_in().act(deed.from(guest.address), async { change.await.map_err(Problem::from) }).await
    }

    /// A method is made, and the session goes on in full under another id, in one commit that begins with the session (rules C1,
    /// F3): of a form that was sent four times one makes something, and the others find their session gone.
    pub(super) async fn makes<'s>(
        &'s self,
        guest: &Guest,
        deed: Deed,
        letter: LetterKind,
        make: impl FnOnce(&'s dyn Store, SessionTurn) -> StoreFuture<'s, bool>,
    ) -> Result<After, NotMade> {
        let turning = self.sign_in().turning(&guest.signed)?;
        let made = make(self.store(), turning.turn);
        if !self.sign_in().act(deed.from(guest.address), async { made.await.map_err(NotMade::from) }).await? {
            return Err(NotMade::Otherwise(Problem::SignIn));
        }
        self.sign_in().post(guest.user(), letter).await;
        let (_, line) = self.sign_in().turned(&guest.signed, turning)?;
        Ok(After(line))
    }

    /// What was done is mailed; the session goes on under another id and the others end.
    pub(super) async fn changed(&self, guest: &Guest, letter: LetterKind) -> Result<(Signed, After), Problem> {
        self.sign_in().post(guest.user(), letter).await;
        let (renewed, line) = self.sign_in().renew(&guest.signed).await?;
        Ok((renewed, After(line)))
    }
}

/// Why no method was made.
pub(super) enum NotMade {
    /// The user has a token with this very secret (rules C1).
    Twice,
    /// Anything else.
    Otherwise(Problem),
}

impl From<Away> for NotMade {
    fn from(away: Away) -> Self {
        Self::Otherwise(away.into())
    }
}

impl From<StoreError> for NotMade {
    fn from(error: StoreError) -> Self {
        let twice = matches!(error, StoreError::Refused(Refusal::SameSeed(_)));
        if twice { Self::Twice } else { Self::Otherwise(error.into()) }
    }
}

impl From<NotMade> for Problem {
    /// Where no page says it better.
    fn from(why: NotMade) -> Self {
        match why {
            NotMade::Twice => Self::Missing,
            NotMade::Otherwise(problem) => problem,
        }
    }
}

/// What the browser must be told after a change.
pub(super) struct After(pub(super) axum::http::HeaderValue);

impl After {
    /// To a page, under the new id.
    pub(super) fn to(self, path: &str) -> Response {
        sent_on(path, Some(self.0))
    }
}

fn admitted(visit: Visit, asked: &Asked, far: Far<'_>) -> Result<Guest, Problem> {
    let Some(signed) = visit.signed.clone() else { return Err(Problem::SignIn) };
    let enough = match (signed.step, far) {
        (WebStep::Full, Far::Here | Far::In)
        | (WebStep::Enrolling, Far::Here | Far::Making(_) | Far::Pin)
        | (WebStep::Pin, Far::Pin) => true,
        (WebStep::Full, Far::Lately(_) | Far::Making(_) | Far::Pin) => signed.factored_lately,
        (WebStep::Password, _)
        | (WebStep::Enrolling, Far::In | Far::Lately(_))
        | (WebStep::Pin, Far::Here | Far::In | Far::Lately(_) | Far::Making(_)) => false,
    };
    match (enough, signed.step, far) {
        (true, ..) => Ok(Guest { visit, signed, address: asked.address }),
        (false, WebStep::Full, Far::Lately(then) | Far::Making(then)) => Err(Problem::Second(then.to_owned())),
        (false, WebStep::Full, Far::Pin) => Err(Problem::Second("/pin".to_owned())),
        (false, WebStep::Pin, _) => Err(Problem::OwnPin),
        (false, WebStep::Password, _) => Err(Problem::Second(String::new())),
        (false, WebStep::Full | WebStep::Enrolling, _) => Err(Problem::SignIn),
    }
}

/// What a user calls a thing: one line, bounded, without what a page or a mail would stumble over.
pub(super) fn name_of(text: &str) -> Option<String> {
    const CHARS_MAX: usize = 40;
    let clean: String = text.chars().filter(|c| !c.is_control()).take(CHARS_MAX).collect();
    let clean = clean.trim();
    (!clean.is_empty()).then(|| clean.to_owned())
}

/// A device's own path.
pub(super) fn path_of(device: &DeviceId) -> String {
    format!("/phones/{}", device.0)
}
