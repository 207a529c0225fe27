//! The PIN that is typed on the phone before Authenticate: set behind a factor proved lately, and changed with the old one, too.
//!
//! Whoever forgot it asks the help desk, whose reset gives an initial one: its owner's phone says yes without a PIN, which leads here
//! and no further, and here the initial one is asked for as an old one is. The old PIN's lock is the same as the phone's, so that
//! nobody guesses here what can't be guessed there. Behind an admin's code somebody who has an active phone and no PIN, or a locked
//! one, sets it, and then still owes a factor.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use wire::Secret;

use super::room::{Far, Guest, Portal};
use crate::enrolment::{WeakPin, pin_allowed_for};
use crate::factor::pin::PinOutcome;
use crate::hashing::{Door, Turn};
use crate::mail::LetterKind;
use crate::sign_in::{Asked, Away, Deed, Fields, Problem, Shown, sent_on};
use crate::store::{Device, DeviceState, WebStep};

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/pin", get(show).post(set))
}

#[derive(Template)]
#[template(path = "portal_pin.html")]
struct PinPage {
    page: Shown,
    length: u32,
    /// The old one is asked for.
    has: bool,
    /// It is one that was given.
    initial: bool,
    problem: String,
    about: &'static str,
}

async fn show(State(portal): State<Portal>, asked: Asked) -> Result<Response, Problem> {
    let guest = portal.looks(&asked, Far::Pin).await?;
    let old = old_one(&portal, &guest).await?;
    page(&portal, &asked, &guest, &old, None).await
}

async fn set(State(portal): State<Portal>, asked: Asked, fields: Fields) -> Result<Response, Problem> {
    let guest = portal.sends(&asked, &fields, Far::Pin).await?;
    let old = old_one(&portal, &guest).await?;
    let again_with = |problem, about| page(&portal, &asked, &guest, &old, Some((problem, about)));
    let (pin, again) = (fields.get("pin"), fields.get("again"));
    let length = portal.config().push.pin.length;
    if let Err(weak) = pin_allowed_for(pin, length, guest.user()) {
        return again_with(key_of(weak), "pin").await;
    }
    if old == Old::Initial && pin == fields.get("old") {
        return again_with("portal-pin-given-again", "pin").await;
    }
    if pin != again {
        return again_with("portal-pin-differs", "again").await;
    }
    if old != Old::None {
        let typed = Secret::new(fields.get("old"));
        match portal.sign_in().old_pin(&guest.signed, &portal.parts().hasher, &typed).await? {
            PinOutcome::Right { .. } | PinOutcome::NoPin => {}
            PinOutcome::Wrong { .. } => return again_with("portal-pin-old-wrong", "old").await,
            PinOutcome::Locked => return again_with("portal-pin-locked", "old").await,
        }
    }
    let hash = portal.parts().hasher.hash(Turn::at(Door::Pages, guest.user()), Secret::new(pin)).await;
    let hash = hash.map_err(|error| Away::of(&error.to_string()))?;
    let (store, enrolling) = (portal.store(), guest.signed.step == WebStep::Enrolling);
    let set = async {
        if enrolling {
            // The code stands for the help desk's reset: a lock goes.
            store.reset_pin(guest.user()).await?;
        }
        store.set_pin(guest.user(), hash, false, portal.moment().wall).await
    };
    portal.act(&guest, Deed::new(guest.user(), "set_pin"), set).await?;
    if enrolling {
        // Rules F3: a code opens one change, and a PIN alone is no factor: the phone proves itself with it.
        portal.sign_in().post(guest.user(), LetterKind::PinChanged).await;
        let (_, line) = portal.sign_in().owe_again(&guest.signed).await?;
        return Ok(sent_on("/sign-in/second?said=pin", Some(line)));
    }
    let (_, after) = portal.changed(&guest, LetterKind::PinChanged).await?;
    Ok(after.to("/?done=pin-set"))
}

/// Which PIN is asked for before another one is set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Old {
    /// There is none; or it is locked, and the help desk's code stands for it.
    None,
    /// The user's own.
    Own,
    /// The one that was given.
    Initial,
}

/// Whether this session may set a PIN at all, and what for. What users may do for themselves bars nobody from a PIN that the site
/// asks for and the help desk began.
async fn old_one(portal: &Portal, guest: &Guest) -> Result<Old, Problem> {
    let pin = portal.store().pin(guest.user(), portal.moment().wall).await?;
    let old = match &pin {
        None => Old::None,
        Some(pin) if pin.must_change => Old::Initial,
        Some(_) => Old::Own,
    };
    match guest.signed.step {
        // The yes was a phone's alone: without the initial PIN beside it, it sets none.
        WebStep::Pin if old == Old::None => Err(Problem::SignIn),
        WebStep::Pin => Ok(old),
        WebStep::Enrolling if owes(portal, guest).await? => Ok(Old::None),
        WebStep::Full if old != Old::Initial => portal.may(|may| may.activate_app).map(|()| old),
        WebStep::Full => Ok(old),
        WebStep::Enrolling | WebStep::Password => Err(Problem::SignIn),
    }
}

/// Whether somebody has a phone that asks for a PIN, and none that it takes: no PIN yet, or a locked one.
pub(super) async fn owes(portal: &Portal, guest: &Guest) -> Result<bool, Problem> {
    if !portal.config().push.pin.required {
        return Ok(false);
    }
    let (store, now) = (portal.store(), portal.moment().wall);
    let answers = |device: &Device| device.state == DeviceState::Active && device.channel.can_answer();
    let rings = store.list_devices(guest.user()).await?.iter().any(answers);
    Ok(rings && store.pin(guest.user(), now).await?.is_none_or(|pin| pin.locked))
}

fn key_of(weak: WeakPin) -> &'static str {
    match weak {
        WeakPin::NotDigits => "portal-pin-not-digits",
        WeakPin::Short { .. } => "portal-pin-short",
        WeakPin::Long => "portal-pin-long",
        WeakPin::Repeats | WeakPin::Sequence | WeakPin::Date | WeakPin::InName => "portal-pin-weak",
    }
}

async fn page(
    portal: &Portal,
    asked: &Asked,
    guest: &Guest,
    old: &Old,
    problem: Option<(&'static str, &'static str)>,
) -> Result<Response, Problem> {
    let page = portal.shown(asked, guest).await?;
    let length = portal.config().push.pin.length;
    let (key, about) = problem.unwrap_or(("", ""));
    let status = if key.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let problem = if key.is_empty() { String::new() } else { page.say(key, "length", &length.to_string()) };
    let (has, initial) = (*old != Old::None, *old == Old::Initial);
    portal.desk().answer(&guest.visit, status, &PinPage { page, length, has, initial, problem, about })
}
