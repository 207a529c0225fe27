//! Phones that ring: which kind, the picture to scan, the code to type, and what each is called.
//!
//! A phone that was begun here waits ten minutes for its key. Once it has brought one the page shows its fingerprint, and only a
//! test push that this very phone answers makes it active (rules F3).

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::app::{picture_of, text_of};
use super::room::{Far, Guest, Portal, name_of, path_of};
use super::words;
use crate::config::PushWay;
use crate::enrolment::{BeginPhone, EnrolmentError, begin_phone};
use crate::sign_in::{Asked, Away, Deed, Fields, Problem, Shown, sent_on};
use crate::store::{Channel, Device, DeviceState, Refusal, StoreError};

pub(super) fn routes() -> Router<Portal> {
    Router::new()
        .route("/phones/new", get(choose).post(begin))
        .route("/phones/{id}", get(show))
        .route("/phones/{id}/stands", get(stands))
        .route("/phones/{id}/name", post(rename))
}

#[derive(Template)]
#[template(path = "portal_phone_new.html")]
struct NewPage {
    page: Shown,
    ours: bool,
    store_app: bool,
    full: bool,
}

#[derive(Template)]
#[template(path = "portal_phone.html")]
struct PhonePage {
    page: Shown,
    id: String,
    name: String,
    label: String,
    ours: bool,
    waits: bool,
    keyed: bool,
    /// It can be asked for an answer at all.
    answers: bool,
    /// Users may test and name their phones here.
    may: bool,
    state: words::State,
    facts: Vec<(String, String)>,
    fingerprint: String,
    /// What it must read while it waits; empty: the page was left, or the server restarted.
    qr: String,
    url: String,
    code: String,
    site: String,
    problem: String,
}

async fn choose(State(portal): State<Portal>, asked: Asked) -> Result<Response, Problem> {
    let guest = portal.looks(&asked, Far::Making("/phones/new")).await?;
    portal.may(|may| may.activate_app)?;
    choice(&portal, &asked, &guest, false).await
}

async fn choice(portal: &Portal, asked: &Asked, guest: &Guest, full: bool) -> Result<Response, Problem> {
    let status = if full { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let shown = NewPage {
        page: portal.shown(asked, guest).await?,
        ours: offers(portal, PushWay::WebPush),
        store_app: offers(portal, PushWay::PrivacyIdea),
        full,
    };
    portal.desk().answer(&guest.visit, status, &shown)
}

/// Whether the site has this way to a phone, and such a phone can prove what the site asks of each (rules B4).
pub(super) fn offers(portal: &Portal, way: PushWay) -> bool {
    let push = &portal.config().push;
    let proves = match way {
        PushWay::PrivacyIdea => !push.pin.required,
        PushWay::WebPush | PushWay::Webhook => true,
    };
    proves && push.channels.contains(&way)
}

async fn begin(State(portal): State<Portal>, asked: Asked, fields: Fields) -> Result<Response, Problem> {
    let guest = portal.sends(&asked, &fields, Far::Making("/phones/new")).await?;
    portal.may(|may| may.activate_app)?;
    let (channel, way) = match fields.get("kind") {
        "page" => (Channel::WebPush, PushWay::WebPush),
        "store" => (Channel::PrivacyIdea, PushWay::PrivacyIdea),
        _ => return Err(Problem::Missing),
    };
    if !offers(&portal, way) {
        return Err(Problem::NotAllowed);
    }
    // A key of ours for the store app costs a good part of a second (rules G1).
    if !portal.sign_in().may_again("phone", guest.user()) {
        return Err(Away::of("a user begins phones too often").into());
    }
    let (config, section, at) = (portal.config(), portal.portal()?, portal.moment().wall);
    let begun = begin_phone(BeginPhone {
        store: portal.store(),
        user: guest.user(),
        channel,
        // The phone brings a name of its own, which is changed on its page.
        label: None,
        portal_url: &section.pages.url,
        account_name: &config.account_name,
        needs_test: true, // rules F3
        devices_max: usize::try_from(section.devices_per_user).unwrap_or(usize::MAX),
        at,
    });
    // Written down before it is there, so by its kind.
    let deed = Deed::new(guest.user(), "begin_device").on(fields.get("kind")).from(guest.address);
    match portal.sign_in().act(deed, async { begun.await.map_err(NotBegun::from) }).await {
        Ok(phone) => {
            let path = path_of(&phone.device);
            portal.waiting().keep(guest.user(), phone, at);
            Ok(sent_on(&path, None))
        }
        Err(NotBegun::Full) => choice(&portal, &asked, &guest, true).await,
        Err(NotBegun::Otherwise(problem)) => Err(problem),
    }
}

/// Why no phone was begun.
enum NotBegun {
    /// The user has as many as one may have.
    Full,
    Otherwise(Problem),
}

impl From<Away> for NotBegun {
    fn from(away: Away) -> Self {
        Self::Otherwise(away.into())
    }
}

impl From<EnrolmentError> for NotBegun {
    fn from(error: EnrolmentError) -> Self {
        let full = matches!(error, EnrolmentError::Store(StoreError::Refused(Refusal::TooMany { .. })));
        if full { Self::Full } else { Self::Otherwise(error.into()) }
    }
}

async fn show(State(portal): State<Portal>, asked: Asked, Path(id): Path<String>) -> Result<Response, Problem> {
    let guest = portal.looks(&asked, Far::Making(&format!("/phones/{id}"))).await?;
    page(&portal, &asked, &guest, &id, "").await
}

/// The page of one phone, with a problem of the last form, if there is one.
pub(super) async fn page(
    portal: &Portal,
    asked: &Asked,
    guest: &Guest,
    id: &str,
    problem: &str,
) -> Result<Response, Problem> {
    let device = portal.device(guest, id).await?;
    let page = portal.shown(asked, guest).await?;
    let waits = device.state == DeviceState::Waiting;
    let phone = portal.waiting().of(guest.user(), &device.id, portal.moment().wall).filter(|_| waits);
    let section = portal.portal()?;
    let (qr, url, code) = match &phone {
        Some(phone) => (picture_of(phone.qr()), text_of(&phone.url)?, text_of(&phone.code)?),
        None => (String::new(), String::new(), String::new()),
    };
    let status = if problem.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let shown = PhonePage {
        id: device.id.0.to_string(),
        name: words::name_of_device(&page, &device),
        label: device.label.as_deref().unwrap_or_default().to_owned(),
        ours: device.channel == Channel::WebPush,
        waits,
        keyed: device.state == DeviceState::Keyed,
        answers: device.channel.can_answer(),
        may: section.users_may.activate_app,
        state: words::state_of(&page, &device, portal.config().push.pin.required),
        facts: facts(&page, &device),
        fingerprint: device.fingerprint.as_deref().unwrap_or_default().to_owned(),
        qr,
        url,
        code,
        site: format!("{}/phone/", section.pages.url),
        problem: if problem.is_empty() { String::new() } else { page.t(problem).into() },
        page,
    };
    portal.desk().answer(&guest.visit, status, &shown)
}

fn facts(page: &Shown, device: &Device) -> Vec<(String, String)> {
    let mut facts = vec![
        (page.t("portal-fact-kind").into(), words::kind_of(page, device.channel)),
        (page.t("portal-fact-added").into(), words::day(device.added_at)),
    ];
    if let Some(seen) = device.seen_at {
        facts.push((page.t("portal-fact-seen").into(), words::time(seen)));
    }
    if let Some(fingerprint) = &device.fingerprint {
        facts.push((page.t("portal-fact-fingerprint").into(), fingerprint.to_string()));
    }
    facts
}

/// For the script: `approved` sends its form on, which shows the page anew.
async fn stands(State(portal): State<Portal>, asked: Asked, Path(id): Path<String>) -> Result<Response, Problem> {
    let guest = portal.looks(&asked, Far::Making(&format!("/phones/{id}"))).await?;
    let word = match portal.device(&guest, &id).await {
        Ok(device) if device.state == DeviceState::Waiting => "waits",
        Ok(_) => "approved",
        Err(Problem::Missing) => "ended",
        Err(problem) => return Err(problem),
    };
    Ok(word.into_response())
}

async fn rename(
    State(portal): State<Portal>,
    asked: Asked,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Response, Problem> {
    let path = format!("/phones/{id}");
    let guest = portal.sends(&asked, &fields, Far::Lately(&path)).await?;
    portal.may(|may| may.activate_app)?;
    let device = portal.device(&guest, &id).await?;
    let Some(name) = name_of(fields.get("label")) else {
        return page(&portal, &asked, &guest, &id, "portal-name-empty").await;
    };
    let deed = Deed::new(guest.user(), "rename_device").on(&id);
    portal.act(&guest, deed, portal.store().rename_device(&device.id, name)).await?;
    Ok(sent_on(&path, None))
}
