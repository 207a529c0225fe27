//! What a user chooses: the method to be asked for first, and the language.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use login::Method;

use super::room::{Far, Portal};
use crate::language::Language;
use crate::sign_in::{Asked, Deed, Fields, Problem, sent_on};

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/method", post(method)).route("/language", post(language))
}

async fn method(State(portal): State<Portal>, asked: Asked, fields: Fields) -> Result<Response, Problem> {
    // What is asked for first decides who can get in: a browser that was left open must not change it.
    let guest = portal.sends(&asked, &fields, Far::Lately("/")).await?;
    portal.may(|may| may.select_method)?;
    let chosen = match fields.get("method") {
        "" => None,
        word => Some(Method::of_word(word).ok_or(Problem::Missing)?),
    };
    let deed = Deed::new(guest.user(), "choose_method").on(chosen.map_or("none", Method::as_str));
    portal.act(&guest, deed, portal.store().prefer_method(guest.user(), chosen)).await?;
    Ok(sent_on("/?done=saved", None))
}

async fn language(State(portal): State<Portal>, asked: Asked, fields: Fields) -> Result<Response, Problem> {
    let guest = portal.sends(&asked, &fields, Far::In).await?;
    let chosen = match fields.get("language") {
        "" => None,
        tag => Some(Language::of_tag(tag).ok_or(Problem::Missing)?),
    };
    portal.store().speak(guest.user(), chosen.map(|language| language.as_tag().into())).await?;
    Ok(sent_on("/?done=saved", None))
}
