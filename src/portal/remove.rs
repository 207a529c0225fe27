//! Taking a phone or a token away, asked once more on a page of its own; of the last method, twice.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use login::{DeviceId, TokenId};

use super::room::{Far, Guest, Portal};
use super::{tokens, words};
use crate::mail::{LetterKind, Method};
use crate::sign_in::{Asked, Deed, Fields, Problem, Shown};
use crate::store::DeviceState;

pub(super) fn routes() -> Router<Portal> {
    Router::new()
        .route("/phones/{id}/remove", get(show_phone).post(remove_phone))
        .route("/tokens/{id}/remove", get(show_token).post(remove_token))
}

#[derive(Template)]
#[template(path = "portal_remove.html")]
struct RemovePage {
    page: Shown,
    path: String,
    name: String,
    last: bool,
    /// It is the last one, and the box was not ticked.
    untold: bool,
}

/// What is to go.
struct Thing {
    name: String,
    label: String,
    path: String,
    last: bool,
    what: What,
}

enum What {
    Phone(DeviceId),
    Token(TokenId),
}

async fn show_phone(State(portal): State<Portal>, asked: Asked, Path(id): Path<String>) -> Result<Response, Problem> {
    let guest = portal.looks(&asked, Far::Lately(&format!("/phones/{id}/remove"))).await?;
    let page = portal.shown(&asked, &guest).await?;
    let thing = phone(&portal, &guest, &page, &id).await?;
    show(&portal, &guest, page, &thing, false)
}

async fn show_token(State(portal): State<Portal>, asked: Asked, Path(id): Path<String>) -> Result<Response, Problem> {
    let guest = portal.looks(&asked, Far::Lately(&format!("/tokens/{id}/remove"))).await?;
    let page = portal.shown(&asked, &guest).await?;
    let thing = token(&portal, &guest, &page, &id).await?;
    show(&portal, &guest, page, &thing, false)
}

async fn remove_phone(
    State(portal): State<Portal>,
    asked: Asked,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Response, Problem> {
    let guest = portal.sends(&asked, &fields, Far::Lately(&format!("/phones/{id}/remove"))).await?;
    let page = portal.shown(&asked, &guest).await?;
    let thing = phone(&portal, &guest, &page, &id).await?;
    remove(&portal, &guest, page, thing, &fields).await
}

async fn remove_token(
    State(portal): State<Portal>,
    asked: Asked,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Response, Problem> {
    let guest = portal.sends(&asked, &fields, Far::Lately(&format!("/tokens/{id}/remove"))).await?;
    let page = portal.shown(&asked, &guest).await?;
    let thing = token(&portal, &guest, &page, &id).await?;
    remove(&portal, &guest, page, thing, &fields).await
}

fn show(portal: &Portal, guest: &Guest, page: Shown, thing: &Thing, untold: bool) -> Result<Response, Problem> {
    let status = if untold { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let (path, name, last) = (thing.path.clone(), thing.name.clone(), thing.last);
    portal.desk().answer(&guest.visit, status, &RemovePage { page, path, name, last, untold })
}

async fn remove(
    portal: &Portal,
    guest: &Guest,
    page: Shown,
    thing: Thing,
    fields: &Fields,
) -> Result<Response, Problem> {
    if thing.last && fields.get("sure") != "yes" {
        return show(portal, guest, page, &thing, true);
    }
    let at = portal.moment().wall;
    let method = match &thing.what {
        What::Phone(id) => {
            let deed = Deed::new(guest.user(), "remove_device").on(&id.0);
            portal.act(guest, deed, portal.store().remove_device(id, at)).await?;
            portal.waiting().forget(id);
            Method::Phone
        }
        What::Token(id) => {
            let deed = Deed::new(guest.user(), "remove_token").on(&id.0);
            portal.act(guest, deed, portal.store().remove_token(id, at)).await?;
            Method::App
        }
    };
    let letter = LetterKind::MethodRemoved { method, name: thing.label };
    let (_, after) = portal.changed(guest, letter).await?;
    Ok(after.to("/?done=method-removed"))
}

async fn phone(portal: &Portal, guest: &Guest, page: &Shown, id: &str) -> Result<Thing, Problem> {
    let device = portal.device(guest, id).await?;
    let last = device.state == DeviceState::Active && count(portal, guest).await? == 1;
    Ok(Thing {
        name: words::name_of_device(page, &device),
        label: device.label.as_deref().unwrap_or_default().to_owned(),
        path: format!("/phones/{id}/remove"),
        last,
        what: What::Phone(device.id),
    })
}

async fn token(portal: &Portal, guest: &Guest, page: &Shown, id: &str) -> Result<Thing, Problem> {
    let token = tokens::token(portal, guest, id).await?;
    Ok(Thing {
        name: words::name_of_token(page, &token),
        label: token.label.as_deref().unwrap_or_default().to_owned(),
        path: format!("/tokens/{id}/remove"),
        last: count(portal, guest).await? == 1,
        what: What::Token(token.id),
    })
}

/// How many methods the user has.
async fn count(portal: &Portal, guest: &Guest) -> Result<usize, Problem> {
    let devices = portal.store().list_devices(guest.user()).await?;
    let active = devices.iter().filter(|device| device.state == DeviceState::Active && device.channel.can_answer());
    Ok(active.count() + portal.store().list_tokens(guest.user()).await?.len())
}
