//! "Ring my phone now": the test that makes a new phone active (rules F3), and that shows at any time whether it still rings.
//!
//! The prompt goes to that one phone. Its yes counts once, for this session alone, and opens no door.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use login::PromptId;

use super::room::{Far, Guest, Portal};
use super::{phones, words};
use crate::mail::{LetterKind, Method};
use crate::sign_in::{Asked, Deed, Fields, Problem, Rang, RingStands, Runs, Shown, prompt_of, sent_on, word_of};
use crate::store::{Device, DeviceState};

pub(super) fn routes() -> Router<Portal> {
    Router::new()
        .route("/phones/{id}/ring", post(ring))
        .route("/phones/{id}/test/{prompt}", get(waits).post(done))
        .route("/phones/{id}/test/{prompt}/stands", get(stands))
}

#[derive(Template)]
#[template(path = "portal_test.html")]
struct TestPage {
    page: Shown,
    id: String,
    path: String,
    name: String,
    fingerprint: String,
    must_open: bool,
    runs: Runs,
    waits: bool,
    approved: bool,
}

async fn ring(
    State(portal): State<Portal>,
    asked: Asked,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Response, Problem> {
    let guest = portal.sends(&asked, &fields, Far::Making(&format!("/phones/{id}"))).await?;
    portal.may(|may| may.activate_app)?;
    let device = ready(&portal, &guest, &id).await?;
    let problem = match portal.sign_in().ring(&guest.signed, guest.address, Some(device.id)).await? {
        Rang::Rings { prompt, .. } => return Ok(sent_on(&format!("/phones/{id}/test/{prompt}"), None)),
        Rang::Busy => "portal-ring-busy",
        Rang::Quiet(_) => "portal-test-quiet",
        Rang::NoPhone | Rang::PinLocked | Rang::PinMissing => "portal-ring-no-phone",
    };
    phones::page(&portal, &asked, &guest, &id, problem).await
}

async fn waits(
    State(portal): State<Portal>,
    asked: Asked,
    Path((id, prompt)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let guest = portal.looks(&asked, Far::Making(&format!("/phones/{id}"))).await?;
    let device = ready(&portal, &guest, &id).await?;
    let stands = portal.sign_in().ring_stands(&guest.signed, prompt_of(&prompt)?).await?;
    let page = portal.shown(&asked, &guest).await?;
    let shown = TestPage {
        path: format!("/phones/{id}/test/{prompt}"),
        id,
        name: words::name_of_device(&page, &device),
        fingerprint: device.fingerprint.as_deref().unwrap_or_default().to_owned(),
        must_open: device.subscription.is_none(),
        runs: portal.sign_in().ring_runs(&guest.signed, prompt_of(&prompt)?),
        waits: stands == RingStands::Waits,
        approved: matches!(stands, RingStands::Approved(_)),
        page,
    };
    portal.desk().answer(&guest.visit, StatusCode::OK, &shown)
}

async fn stands(
    State(portal): State<Portal>,
    asked: Asked,
    Path((id, prompt)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let guest = portal.looks(&asked, Far::Making(&format!("/phones/{id}"))).await?;
    let stands = portal.sign_in().ring_stands(&guest.signed, prompt_of(&prompt)?).await?;
    Ok(word_of(&stands).into_response())
}

async fn done(
    State(portal): State<Portal>,
    asked: Asked,
    Path((id, prompt)): Path<(String, String)>,
    fields: Fields,
) -> Result<Response, Problem> {
    let guest = portal.sends(&asked, &fields, Far::Making(&format!("/phones/{id}"))).await?;
    portal.may(|may| may.activate_app)?;
    let (device, prompt_id) = (ready(&portal, &guest, &id).await?, prompt_of(&prompt)?);
    let stands = portal.sign_in().ring_stands(&guest.signed, prompt_id).await?;
    let approved = matches!(&stands, RingStands::Approved(by) if *by == device.id);
    if !approved || !portal.sign_in().use_ring(&guest.signed, prompt_id, Some(&device.id)) {
        return Ok(sent_on(&format!("/phones/{id}/test/{prompt}"), None));
    }
    match device.state {
        DeviceState::Keyed => activate(&portal, &guest, &device, prompt_id).await,
        DeviceState::Active => {
            portal.parts().engine.use_page_prompt(prompt_id).await;
            Ok(sent_on("/?done=tested", None))
        }
        DeviceState::Waiting => Err(Problem::Missing),
    }
}

async fn activate(portal: &Portal, guest: &Guest, device: &Device, prompt: PromptId) -> Result<Response, Problem> {
    let deed = Deed::new(guest.user(), "add_device").on(&device.id.0);
    let name = device.label.as_deref().unwrap_or_default().to_owned();
    let (letter, at) = (LetterKind::MethodAdded { method: Method::Phone, name }, portal.moment().wall);
    let made =
        portal.makes(guest, deed, letter, |store, turn| store.confirm_device(&device.id, prompt, turn, at)).await;
    portal.waiting().forget(&device.id);
    Ok(made?.to("/?done=method-added"))
}

/// A phone of this user that has its key.
async fn ready(portal: &Portal, guest: &Guest, id: &str) -> Result<Device, Problem> {
    let device = portal.device(guest, id).await?;
    let ready = device.state != DeviceState::Waiting && device.channel.can_answer();
    if ready { Ok(device) } else { Err(Problem::Missing) }
}
