//! The first page: what there is, how it stands, and where to change it; and the first page of who has no method yet.

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use login::Method;
use serde::Deserialize;

use super::room::{Far, Guest, Portal};
use super::words::{self, State as Stands, Told};
use super::{logins, password, phones, pin};
use crate::config::{PushWay, UsersMay};
use crate::language::{self, Language};
use crate::sign_in::{Asked, Problem, Shown};
use crate::store::{DeviceState, WebStep};

/// Logins on the first page.
const RECENT: usize = 5;

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/", get(show))
}

/// Where there is nothing.
pub(super) async fn nowhere() -> Response {
    Problem::Missing.into_response()
}

#[derive(Deserialize)]
struct Done {
    #[serde(default)]
    done: String,
}

struct Row {
    path: String,
    picture: &'static str,
    name: String,
    about: String,
    state: Option<Stands>,
}

struct Choice {
    value: &'static str,
    name: String,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "portal_home.html")]
struct HomePage {
    page: Shown,
    done: String,
    rows: Vec<Row>,
    may: UsersMay,
    rings: bool,
    methods: Vec<Choice>,
    languages: Vec<Choice>,
    mail: String,
    recovery: u32,
    /// The user's password is kept here.
    own_password: bool,
    pin: bool,
    has_pin: bool,
    pin_must_change: bool,
    /// Phones ask for one here, and without it none of the user's rings.
    pin_missing: bool,
    logins: Vec<Told>,
}

#[derive(Template)]
#[template(path = "portal_first.html")]
struct FirstPage {
    page: Shown,
    may: UsersMay,
    rings: bool,
    /// A phone of the user asks for a PIN, and takes none: it is set here, too.
    owes_pin: bool,
}

async fn show(State(portal): State<Portal>, asked: Asked, Query(done): Query<Done>) -> Result<Response, Problem> {
    let guest = portal.looks(&asked, Far::Here).await?;
    if guest.signed.step == WebStep::Enrolling {
        return first(&portal, &asked, &guest).await;
    }
    home(&portal, &asked, &guest, &done.done).await
}

async fn first(portal: &Portal, asked: &Asked, guest: &Guest) -> Result<Response, Problem> {
    let may = UsersMay { enrol: portal.may_make_app(guest).is_ok(), ..portal.portal()?.users_may };
    let (page, owes_pin) = (portal.shown(asked, guest).await?, pin::owes(portal, guest).await?);
    let shown = FirstPage { page, may, rings: rings(portal), owes_pin };
    portal.desk().answer(&guest.visit, StatusCode::OK, &shown)
}

fn rings(portal: &Portal) -> bool {
    phones::offers(portal, PushWay::WebPush) || phones::offers(portal, PushWay::PrivacyIdea)
}

async fn home(portal: &Portal, asked: &Asked, guest: &Guest, done: &str) -> Result<Response, Problem> {
    let (page, store, at) = (portal.shown(asked, guest).await?, portal.store(), portal.moment().wall);
    let (devices, tokens) = (store.list_devices(guest.user()).await?, store.list_tokens(guest.user()).await?);
    let (choices, pin) = (store.choices(guest.user()).await?, store.pin(guest.user(), at).await?);
    let mut rows: Vec<Row> = Vec::new();
    rows.extend(devices.iter().map(|device| Row {
        path: format!("/phones/{}", device.id.0),
        picture: "/picture/phone.svg",
        name: words::name_of_device(&page, device),
        about: words::kind_of(&page, device.channel),
        state: Some(words::state_of(&page, device, portal.config().push.pin.required)),
    }));
    rows.extend(tokens.iter().map(|token| Row {
        path: format!("/tokens/{}", token.id.0),
        picture: if token.kind.method() == Method::Totp { "/picture/qr.svg" } else { "/picture/key.svg" },
        name: words::name_of_token(&page, token),
        about: page.say("portal-added-on", "day", &words::day(token.added_at)),
        state: None,
    }));
    let answers = devices.iter().any(|device| device.state == DeviceState::Active && device.channel.can_answer());
    let has = |method: Method| match method {
        Method::Push => answers,
        Method::Totp | Method::Hotp => tokens.iter().any(|token| token.kind.method() == method),
    };
    let methods = Method::ALL.into_iter().filter(|method| has(*method)).map(|method| Choice {
        value: method.as_str(),
        name: words::name_of_method(&page, method),
        chosen: choices.method == Some(method),
    });
    let chosen = choices.language.as_deref().and_then(Language::of_tag);
    let languages = Language::ALL.into_iter().map(|language| Choice {
        value: language.as_tag(),
        name: match language.machine_made() {
            true => format!("{} ({})", language.own_name(), language::text(language, "portal-language-machine")),
            false => language.own_name().to_owned(),
        },
        chosen: chosen == Some(language),
    });
    let may = portal.portal()?.users_may;
    let shown = HomePage {
        done: done_of(&page, done),
        methods: methods.collect(),
        languages: languages.collect(),
        mail: choices.mail.as_deref().unwrap_or_default().to_owned(),
        recovery: store.recovery_codes_left(guest.user()).await?,
        pin: may.activate_app && (portal.config().push.pin.required || pin.is_some())
            || pin.as_ref().is_some_and(|pin| pin.must_change),
        has_pin: pin.is_some(),
        pin_missing: may.activate_app && portal.config().push.pin.required && answers && pin.is_none(),
        pin_must_change: pin.is_some_and(|pin| pin.must_change),
        logins: logins::recent(portal, guest, &page, RECENT).await?,
        own_password: password::is_ours(portal, guest).await?,
        rings: rings(portal),
        rows,
        may,
        page,
    };
    portal.desk().answer(&guest.visit, StatusCode::OK, &shown)
}

/// What was just done, in words; nothing for a word that is none of ours.
fn done_of(page: &Shown, done: &str) -> String {
    match done {
        "method-added" => page.t("portal-done-method-added").into(),
        "method-removed" => page.t("portal-done-method-removed").into(),
        "pin-set" => page.t("portal-done-pin-set").into(),
        "tested" => page.t("portal-done-tested").into(),
        "saved" => page.t("portal-done-saved").into(),
        "token-resynced" => page.t("portal-done-token-resynced").into(),
        _ => String::new(),
    }
}
