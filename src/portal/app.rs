//! An authenticator app: a QR code, its secret in groups, and a code that confirms. Only then there is a token.
//!
//! Until the right code came the secret belongs to the session alone and the store knows nothing of it. TOTP with SHA-1, six
//! digits and 30 s: what Microsoft's and Google's apps take, which ignore anything else.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use login::TokenId;
use login::limits::Limits;
use wire::Secret;

use super::room::{Far, Guest, NotMade, Portal, name_of};
use crate::enrolment::{Account, Qr, base32, uri};
use crate::factor::oath::{Match, RESYNC_AHEAD, verify};
use crate::mail::{LetterKind, Method};
use crate::sign_in::{Asked, Away, Deed, Fields, Problem, Shown};
use crate::store::{Algorithm, Mark, NewToken, OpenToken, Token, TokenKind};

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/app", get(show).post(confirm))
}

#[derive(Template)]
#[template(path = "portal_app.html")]
struct AppPage {
    page: Shown,
    qr: String,
    secret: String,
    uri: String,
    name: String,
    wrong: bool,
}

async fn show(State(portal): State<Portal>, asked: Asked) -> Result<Response, Problem> {
    let guest = portal.looks(&asked, Far::Making("/app")).await?;
    portal.may_make_app(&guest)?;
    page(&portal, &asked, &guest, None).await
}

async fn confirm(State(portal): State<Portal>, asked: Asked, fields: Fields) -> Result<Response, Problem> {
    let guest = portal.sends(&asked, &fields, Far::Making("/app")).await?;
    portal.may_make_app(&guest)?;
    let name = name_of(fields.get("label"));
    let code = digits_of(fields.get("code"));
    let token = NewToken { label: name.clone(), ..token_of(&portal, &guest) };
    let Some(used) = confirms(&portal, &token, &code) else {
        return page(&portal, &asked, &guest, Some(name.unwrap_or_default())).await;
    };
    Ok(add(&portal, &guest, NewToken { used: Some(used), ..token }, Method::App).await?)
}

/// Adds a token whose code was right; that code is used up in the same commit (rules C1).
pub(super) async fn add(portal: &Portal, guest: &Guest, token: NewToken, method: Method) -> Result<Response, NotMade> {
    let name = token.label.clone().unwrap_or_default();
    // Written down before it is there, so by its kind; its id is in the list of the user's tokens.
    let deed = Deed::new(guest.user(), "add_token").on(token.kind.method().as_str());
    let (user, at) = (guest.user().clone(), portal.moment().wall);
    let letter = LetterKind::MethodAdded { method, name };
    let made = portal.makes(guest, deed, letter, |store, turn| {
        Box::pin(async move { Ok(store.enrol_token(turn, &user, token, at).await?.is_some()) })
    });
    Ok(made.await?.to("/?done=method-added"))
}

/// Which code of the token this is, before any was ever used. A token with a button may have been used for long elsewhere: whoever
/// has its secret here may be anywhere within [`RESYNC_AHEAD`].
pub(super) fn confirms(portal: &Portal, token: &NewToken, code: &Secret) -> Option<Mark> {
    let known = Token {
        id: TokenId("".into()),
        user: login::ResolvedUser::new(""),
        kind: token.kind,
        digits: token.digits,
        algorithm: token.algorithm,
        label: None,
        added_at: login::Wall(0),
    };
    let open = OpenToken { token: known, seed: token.seed.clone(), last_step: None, drift_steps: 0, counter: 0 };
    let limits = Limits { hotp_look_ahead: RESYNC_AHEAD, ..portal.limits() };
    match verify(&[open], &[token.kind.method()], code.expose(), portal.moment().wall, &limits) {
        Match::Right { uses, .. } => uses.first().map(|used| used.mark),
        Match::Spent | Match::None => None,
    }
}

/// As people type it.
pub(super) fn digits_of(text: &str) -> Secret {
    Secret::new(text.bytes().filter(u8::is_ascii_digit).take(8).collect::<Vec<_>>())
}

fn token_of(portal: &Portal, guest: &Guest) -> NewToken {
    let seed = portal.sign_in().seed_of(&guest.signed);
    NewToken {
        kind: TokenKind::Totp { period_s: 30 },
        seed,
        digits: 6,
        algorithm: Algorithm::Sha1,
        label: None,
        used: None,
    }
}

async fn page(portal: &Portal, asked: &Asked, guest: &Guest, wrong: Option<String>) -> Result<Response, Problem> {
    let (token, config) = (token_of(portal, guest), portal.config());
    let account = Account { issuer: &config.account_name, user: guest.user() };
    let uri = uri(account, &token);
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let shown = AppPage {
        page: portal.shown(asked, guest).await?,
        qr: picture_of(Qr::of(&uri)),
        secret: in_groups(&text_of(&base32(&token.seed))?),
        uri: text_of(&uri)?,
        wrong: wrong.is_some(),
        name: wrong.unwrap_or_default(),
    };
    portal.desk().answer(&guest.visit, status, &shown)
}

/// The picture as the page draws it; empty where it can't be had.
pub(super) fn picture_of(qr: Option<Qr>) -> String {
    let svg = qr.map(|qr| String::from_utf8_lossy(qr.svg(240).expose()).into_owned()).unwrap_or_default();
    // The page's own heading says what it is; within HTML an XML declaration has no place.
    svg.find("<svg").and_then(|at| svg.get(at..)).unwrap_or_default().to_owned()
}

/// What was made of text is text.
pub(super) fn text_of(secret: &Secret) -> Result<String, Away> {
    String::from_utf8(secret.expose().to_vec()).map_err(|_| Away::of("a secret that is no text"))
}

fn in_groups(text: &str) -> String {
    let groups: Vec<&str> = (0..text.len()).step_by(4).filter_map(|at| text.get(at..text.len().min(at + 4))).collect();
    groups.join(" ")
}
