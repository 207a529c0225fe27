//! The pages of the second door: a code, a phone that rings, and the first enrolment for who has neither.

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use login::{Method, PromptId, words};
use serde::Deserialize;

use super::{Asked, Desk, Fields, Problem, Shown, local_path, sent_on};
use crate::sign_in::Away;
use crate::sign_in::anchor::{Anchored, FirstWays};
use crate::sign_in::factor::CodeTried;
use crate::sign_in::ring::{Rang, RingStands, Runs};
use crate::sign_in::session::{Signed, Visit};
use crate::store::{WebRealm, WebStep};

pub(super) fn routes() -> Router<Desk> {
    Router::new()
        .route("/sign-in/second", get(show))
        .route("/sign-in/code", post(code))
        .route("/sign-in/ring", post(ring))
        .route("/sign-in/ring/{prompt}", get(waits).post(opens))
        .route("/sign-in/ring/{prompt}/stands", get(stands))
        .route("/sign-in/activation", post(activation))
        .route("/sign-in/network", post(network))
        .route("/sign-in/mail", post(mail))
}

#[derive(Deserialize)]
struct Then {
    #[serde(default)]
    then: String,
    #[serde(default)]
    said: String,
}

#[derive(Template)]
#[template(path = "sign_in_second.html")]
struct SecondPage {
    page: Shown,
    then: String,
    /// Signed in already, and asked once more.
    again: bool,
    codes: bool,
    recovery: bool,
    phones: bool,
    ways: FirstWays,
    /// Nobody of ours can do anything but the help desk.
    stuck: bool,
    /// On staff's pages: where a code is typed and a method made.
    portal: Option<String>,
    problem: String,
    /// Which field the problem is about.
    about: &'static str,
    note: String,
}

#[derive(Template)]
#[template(path = "sign_in_ring.html")]
struct RingPage {
    page: Shown,
    then: String,
    path: String,
    waits: bool,
    approved: bool,
    runs: Runs,
    /// To be typed on the phone; empty where none is asked for.
    number: String,
}

async fn show(State(desk): State<Desk>, asked: Asked, Query(then): Query<Then>) -> Result<Response, Problem> {
    let visit = desk.visit(&asked).await?;
    let signed = owing(&visit)?;
    if signed.is_full() && signed.factored_lately {
        return Ok(Redirect::to(local_path(&then.then)).into_response());
    }
    let mut shown = desk.second(&asked, &visit, signed, local_path(&then.then)).await?;
    match then.said.as_str() {
        "mailed" => shown.note = shown.page.t("portal-mail-sent").into(),
        "pin" => shown.note = shown.page.t("portal-pin-set-now-ring").into(),
        _ => {}
    }
    desk.answer(&visit, StatusCode::OK, &shown)
}

async fn code(State(desk): State<Desk>, asked: Asked, fields: Fields) -> Result<Response, Problem> {
    let visit = desk.genuine(&asked, &fields).await?;
    let (signed, then) = (owing(&visit)?, local_path(fields.get("then")));
    let key = match desk.sign_in.code(signed, fields.get("code"), asked.address).await? {
        CodeTried::Right(_, line) => return Ok(sent_on(then, Some(line))),
        CodeTried::Wrong | CodeTried::Ahead => "portal-code-wrong",
        CodeTried::Locked(Some(_)) => "portal-code-locked",
        CodeTried::Locked(None) => "portal-code-locked-for-good",
    };
    desk.again(&asked, &visit, signed, then, Trouble { key, about: "code" }).await
}

async fn ring(State(desk): State<Desk>, asked: Asked, fields: Fields) -> Result<Response, Problem> {
    let visit = desk.genuine(&asked, &fields).await?;
    let (signed, then) = (owing(&visit)?, local_path(fields.get("then")));
    let key = match desk.sign_in.ring(signed, asked.address, None).await? {
        Rang::Rings { prompt, .. } => return Ok(sent_on(&format!("/sign-in/ring/{prompt}?then={then}"), None)),
        Rang::Busy => "portal-ring-busy",
        Rang::Quiet(until) => {
            let minutes = words::minutes_until(until, desk.sign_in.moment().wall);
            return desk.again_saying(&asked, &visit, signed, then, "ring", ("portal-ring-quiet", minutes)).await;
        }
        Rang::NoPhone => "portal-ring-no-phone",
        Rang::PinLocked => "portal-ring-pin-locked",
        Rang::PinMissing => "portal-ring-pin-missing",
    };
    desk.again(&asked, &visit, signed, then, Trouble { key, about: "ring" }).await
}

async fn waits(
    State(desk): State<Desk>,
    asked: Asked,
    Path(prompt): Path<String>,
    Query(then): Query<Then>,
) -> Result<Response, Problem> {
    let visit = desk.visit(&asked).await?;
    let signed = owing(&visit)?;
    let id = prompt_of(&prompt)?;
    let (stands, number) = (desk.sign_in.ring_stands(signed, id).await?, desk.sign_in.ring_number(signed, id));
    let shown = RingPage {
        page: desk.shown(&asked, &visit).await?,
        then: local_path(&then.then).to_owned(),
        path: format!("/sign-in/ring/{prompt}"),
        waits: stands == RingStands::Waits,
        approved: matches!(stands, RingStands::Approved(_)),
        number: number.unwrap_or_default(),
        runs: desk.sign_in.ring_runs(signed, id),
    };
    desk.answer(&visit, StatusCode::OK, &shown)
}

/// For the script, which asks in one word.
async fn stands(State(desk): State<Desk>, asked: Asked, Path(prompt): Path<String>) -> Result<Response, Problem> {
    let visit = desk.visit(&asked).await?;
    let stands = desk.sign_in.ring_stands(owing(&visit)?, prompt_of(&prompt)?).await?;
    Ok(word_of(&stands).into_response())
}

/// As the page's script knows it.
#[must_use]
pub fn word_of(stands: &RingStands) -> &'static str {
    match stands {
        RingStands::Waits => "waits",
        RingStands::Approved(_) => "approved",
        RingStands::Ended => "ended",
    }
}

async fn opens(
    State(desk): State<Desk>,
    asked: Asked,
    Path(prompt): Path<String>,
    fields: Fields,
) -> Result<Response, Problem> {
    let visit = desk.genuine(&asked, &fields).await?;
    let (signed, then) = (owing(&visit)?, local_path(fields.get("then")));
    match desk.sign_in.ring_opens(signed, prompt_of(&prompt)?).await? {
        Some(CodeTried::Right(signed, line)) if signed.step == WebStep::Pin => Ok(sent_on("/pin", Some(line))),
        Some(CodeTried::Right(_, line)) => Ok(sent_on(then, Some(line))),
        Some(CodeTried::Wrong | CodeTried::Ahead | CodeTried::Locked(_)) | None => {
            Ok(sent_on(&format!("/sign-in/ring/{prompt}?then={then}"), None))
        }
    }
}

async fn activation(State(desk): State<Desk>, asked: Asked, fields: Fields) -> Result<Response, Problem> {
    let visit = desk.genuine(&asked, &fields).await?;
    let signed = first(&desk, &visit)?;
    match desk.sign_in.enrol_by_code(signed, fields.get("activation"), &asked).await? {
        Anchored::Right(_, line) => Ok(sent_on("/", Some(line))),
        Anchored::Wrong => {
            let trouble = Trouble { key: "portal-activation-wrong", about: "activation" };
            desk.again(&asked, &visit, signed, "/", trouble).await
        }
    }
}

async fn network(State(desk): State<Desk>, asked: Asked, fields: Fields) -> Result<Response, Problem> {
    let visit = desk.genuine(&asked, &fields).await?;
    let signed = first(&desk, &visit)?;
    match desk.sign_in.enrol_by_network(signed, &asked).await? {
        Anchored::Right(_, line) => Ok(sent_on("/", Some(line))),
        Anchored::Wrong => Err(Problem::NotAllowed),
    }
}

async fn mail(State(desk): State<Desk>, asked: Asked, fields: Fields) -> Result<Response, Problem> {
    let visit = desk.genuine(&asked, &fields).await?;
    let signed = first(&desk, &visit)?;
    desk.sign_in.mail_code(signed, &asked).await?;
    Ok(sent_on("/sign-in/second?said=mailed", None))
}

struct Trouble {
    key: &'static str,
    about: &'static str,
}

impl Desk {
    async fn again(
        &self,
        asked: &Asked,
        visit: &Visit,
        signed: &Signed,
        then: &str,
        trouble: Trouble,
    ) -> Result<Response, Problem> {
        let mut shown = self.second(asked, visit, signed, then).await?;
        shown.problem = shown.page.t(trouble.key).into();
        shown.about = trouble.about;
        self.answer(visit, StatusCode::UNPROCESSABLE_ENTITY, &shown)
    }

    /// The same, with how many minutes it lasts.
    async fn again_saying(
        &self,
        asked: &Asked,
        visit: &Visit,
        signed: &Signed,
        then: &str,
        about: &'static str,
        (key, minutes): (&'static str, u64),
    ) -> Result<Response, Problem> {
        let mut shown = self.second(asked, visit, signed, then).await?;
        shown.problem = shown.page.say(key, "minutes", &minutes.to_string());
        shown.about = about;
        self.answer(visit, StatusCode::UNPROCESSABLE_ENTITY, &shown)
    }

    async fn second(&self, asked: &Asked, visit: &Visit, signed: &Signed, then: &str) -> Result<SecondPage, Away> {
        let store = self.sign_in.store();
        let limits = self.sign_in.config().policy.limits.clone();
        let facts = store.user_facts(&signed.user, None, self.sign_in.moment().wall, &limits).await?;
        let ways = match (self.realm, signed.step) {
            (WebRealm::Portal, WebStep::Password) => self.sign_in.first_ways(signed, asked).await?,
            (WebRealm::Portal, WebStep::Enrolling | WebStep::Pin | WebStep::Full) | (WebRealm::Admin, _) => {
                FirstWays::default()
            }
        };
        let codes = facts.methods.iter().any(|method| method.is_code());
        let phones = facts.methods.contains(&Method::Push);
        let pages = self.sign_in.config().portal.as_ref().map(|portal| portal.pages.url.to_string());
        let recovery = facts.ever_enrolled && store.recovery_codes_left(&signed.user).await? > 0;
        Ok(SecondPage {
            page: self.shown(asked, visit).await?,
            then: then.to_owned(),
            again: signed.is_full(),
            codes,
            recovery,
            phones,
            stuck: !(codes || phones || recovery) && ways == FirstWays::default(),
            portal: pages.filter(|_| self.realm == WebRealm::Admin && signed.step == WebStep::Password),
            ways,
            problem: String::new(),
            about: "",
            note: String::new(),
        })
    }
}

/// Somebody whose password was right, or who proves a factor anew.
fn owing(visit: &Visit) -> Result<&Signed, Problem> {
    match &visit.signed {
        Some(signed) if matches!(signed.step, WebStep::Password | WebStep::Full) => Ok(signed),
        Some(_) | None => Err(Problem::SignIn),
    }
}

/// Somebody who may still begin a first enrolment: staff's pages have none.
fn first<'a>(desk: &Desk, visit: &'a Visit) -> Result<&'a Signed, Problem> {
    if desk.realm == WebRealm::Admin {
        return Err(Problem::Missing);
    }
    visit.signed.as_ref().filter(|signed| signed.step == WebStep::Password).ok_or(Problem::SignIn)
}

/// A prompt's id, as its path has it.
///
/// # Errors
/// [`Problem::Missing`]: it is none.
pub fn prompt_of(text: &str) -> Result<PromptId, Problem> {
    let octets = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(|_| Problem::Missing)?;
    octets.try_into().map(PromptId).map_err(|_| Problem::Missing)
}
