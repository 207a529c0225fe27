//! The store app's one address: GET polls; POST enrols, updates or answers.
//!
//! The order of the checks: shape, rate, signature (on nobody's key for an unknown device), clock, repeat. What is wrong before
//! the signature gets one answer for all; what is wrong after it is told, since only the device itself learns of it.

use axum::body::Bytes;
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use login::{DeviceId, Number, PhoneAnswer};
use serde_json::Value;

use super::desk::{Desk, SharedDesk, Stop, wants};
use crate::config::Titles;
use crate::enrolment::activation::{Serial, ServerKey};
use crate::language::{Language, text, text_with};
use crate::phone::stamp::Skew;
use crate::phone::store_app::envelope::{self, ErrorCode, UNVERIFIED};
use crate::phone::store_app::{
    Answer, AppVersion, Asked, Challenge, Enrol, Malformed, POLL_WINDOW, Poll, Post, Presence, TokenUpdate,
    UPDATE_WINDOW, Verdict, judge,
};
use crate::store::web::{KeyBrought, Phone, PhoneKey as BroughtKey};
use crate::store::{Answered, OpenPrompt};
use crate::telemetry::PhoneRefusal;
use crate::web::{ClientAddress, Connection};

/// Numbers that the app offers: the right one and decoys.
const CHOICES: usize = 6;

/// What is said to the app.
enum Told {
    Good(Value),
    Malformed(Malformed),
    Clock(Skew),
    Refused(&'static str),
    Stopped(Stop),
}

impl From<Stop> for Told {
    fn from(stop: Stop) -> Self {
        Self::Stopped(stop)
    }
}

impl Told {
    /// Counted, where it changed nothing.
    fn counted(self, desk: &Desk) -> Self {
        let why = match &self {
            Self::Good(_) => return self,
            Self::Malformed(_) => PhoneRefusal::Malformed,
            Self::Clock(_) => PhoneRefusal::Clock,
            Self::Refused(_) => PhoneRefusal::Unverified,
            Self::Stopped(stop) => stop.why(),
        };
        desk.refused("store_app", why);
        self
    }
}

impl IntoResponse for Told {
    fn into_response(self) -> Response {
        let error = |status, code, text: &str| (status, axum::Json(envelope::error(code, text))).into_response();
        match self {
            Self::Good(value) => axum::Json(value).into_response(),
            Self::Malformed(why) => error(StatusCode::BAD_REQUEST, ErrorCode::Malformed, &why.to_string()),
            // Told to the device itself only: the signature was its own.
            Self::Clock(skew) => error(StatusCode::FORBIDDEN, ErrorCode::Refused, &skew.to_string()),
            Self::Refused(why) => error(StatusCode::FORBIDDEN, ErrorCode::Refused, why),
            Self::Stopped(Stop::Unverified | Stop::Repeated) => {
                error(StatusCode::BAD_REQUEST, ErrorCode::Unverified, UNVERIFIED)
            }
            Self::Stopped(Stop::TooMany) => {
                error(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooMany, "Too many requests. Try again in a minute.")
            }
            // No envelope: app 4.7.0 and later would take one for a success and close the request.
            Self::Stopped(Stop::Unavailable) => {
                let text = envelope::error_to_try_again("The server can't take this now. Please try again.");
                (StatusCode::SERVICE_UNAVAILABLE, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text)
                    .into_response()
            }
        }
    }
}

pub(super) async fn poll(
    State(desk): State<SharedDesk>,
    Extension(from): Extension<ClientAddress>,
    connection: Option<Extension<Connection>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let connection = connection.as_deref();
    let done = polled(&desk, (from, connection), agent(&headers), &query.unwrap_or_default()).await;
    done.map_or_else(|told| told.counted(&desk), Told::Good).into_response()
}

pub(super) async fn post(
    State(desk): State<SharedDesk>,
    Extension(from): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let done = match Post::parse(content_type, &body) {
        Err(why) => Err(malformed(&desk, from, why)),
        Ok(Post::Enrol(enrol)) => enrolled(&desk, from, agent(&headers), enrol).await,
        Ok(Post::TokenUpdate(update)) => updated(&desk, from, agent(&headers), &update).await,
        Ok(Post::Answer(answer)) => answered(&desk, from, &answer).await,
    };
    done.map_or_else(|told| told.counted(&desk), Told::Good).into_response()
}

/// A request that can't be read counts against its sender.
fn malformed(desk: &Desk, from: ClientAddress, why: Malformed) -> Told {
    match desk.stranger(from) {
        Stop::TooMany => Told::Stopped(Stop::TooMany),
        Stop::Unverified | Stop::Repeated | Stop::Unavailable => Told::Malformed(why),
    }
}

fn agent(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok())
}

fn device(serial: &Serial) -> DeviceId {
    DeviceId(serial.as_str().into())
}

// --- polls ---------------------------------------------------------------------------------------------------------------

async fn polled(
    desk: &Desk,
    (from, connection): (ClientAddress, Option<&Connection>),
    agent: Option<&str>,
    query: &str,
) -> Result<Value, Told> {
    let poll = Poll::parse(query).map_err(|why| malformed(desk, from, why))?;
    let device = device(&poll.serial);
    let text = poll.signed_text();
    let (phone, _) = desk.store_phone(&device, from, |key| key.signed(&text, &poll.signature)).await?;
    poll.stamp.near(desk.now().wall, POLL_WINDOW).map_err(Told::Clock)?;
    desk.poll_once(&device, &text, poll.stamp.at)?;
    desk.seen(&phone, agent).await?;
    let version = agent.and_then(AppVersion::of_user_agent);
    let open = desk.wait_for(&phone, connection, desk.rooms.holds.store_app, |open| can_show(version, open)).await?;
    let mut list = Vec::new();
    if let Some(open) = open {
        list.push(shown(desk, &phone, &poll.serial, &open).await?);
    }
    Ok(envelope::polled(list))
}

/// What an app can't show it is not asked (rules B4): it would drop the prompt, or confirm what shows no code. It has no PIN
/// of ours.
fn can_show(version: Option<AppVersion>, open: &OpenPrompt) -> bool {
    let (chosen, typed) = wants(open);
    let able = |needs: bool, can: fn(AppVersion) -> bool| !needs || version.is_some_and(can);
    !open.asks.pin && able(chosen.is_some(), AppVersion::shows_presence) && able(typed, AppVersion::shows_code)
}

async fn shown(desk: &Desk, phone: &Phone, serial: &Serial, open: &OpenPrompt) -> Result<Value, Told> {
    let key = server_key(desk, phone)?;
    let device = &phone.device.id;
    let nonce = desk.store_nonce(open.prompt, device);
    desk.offered(&nonce, open, device).await?;
    let question = question(desk.language(&open.user).await?, open, &desk.rooms.site.titles);
    let presence = presence(desk, phone, open);
    let url = desk.rooms.push_url.clone();
    let challenge = Challenge::new(nonce, url, serial.clone(), &question, &desk.rooms.site.account, presence);
    challenge.signed(&key).map_err(|_| Told::Stopped(Stop::Unavailable))
}

/// User, appliance, place and time: the app shows nothing else, so all of it stands here (rules F5).
fn question(language: Language, open: &OpenPrompt, titles: &Titles) -> String {
    let nowhere = || text(language, "app-nowhere").into_owned();
    let place = open.station.as_ref().map_or_else(nowhere, ToString::to_string);
    let time = crate::phone::stamp::utc_seconds(open.claimed_at);
    let time = time.get(11..16).unwrap_or_default();
    let (user, client) = (open.user.as_str(), titles.asker(open.client.as_str()));
    let key = match (&open.only, wants(open)) {
        (Some(_), _) => return text_with(language, "app-tests", &[("user", user.into())]),
        (None, (None, false)) => "app-asks",
        (None, (Some(_), _)) => "app-asks-number",
        (None, (None, true)) => "app-asks-code",
    };
    let facts = [("user", user), ("client", client), ("place", &place), ("time", time)];
    text_with(language, key, &facts.map(|(name, value)| (name, value.into())))
}

fn presence(desk: &Desk, phone: &Phone, open: &OpenPrompt) -> Option<Presence> {
    wants(open).0?;
    Presence::new(desk.choices(open.prompt, &phone.device.id, &open.numbers, CHOICES))
}

fn server_key(desk: &Desk, phone: &Phone) -> Result<ServerKey, Told> {
    let key = phone.server_key.as_ref().ok_or(Told::Stopped(Stop::Unverified))?;
    ServerKey::of_pkcs8(key).map_err(|error| {
        let why = format!("{}: {error}", phone.device.id.0);
        desk.puzzles("store_app", "it can't be served; remove it and enrol it again", &why);
        Told::Stopped(Stop::Unavailable)
    })
}

// --- enrolment and token -----------------------------------------------------------------------------------------------

async fn enrolled(desk: &Desk, from: ClientAddress, agent: Option<&str>, enrol: Enrol) -> Result<Value, Told> {
    const REFUSED: &str = "This activation is unknown, used or too old. Get a new code in the portal.";
    desk.admit(from)?;
    let key = BroughtKey {
        spki: enrol.key.as_spki().to_vec(),
        subscription: None,
        agent: agent.map(|agent| agent.chars().take(160).collect()),
        label: None,
    };
    let device = device(&enrol.serial);
    match desk.store().bring_key(&device, &enrol.credential, key, desk.now().wall).await.map_err(Stop::from) {
        // The same key and credential again get the same answer: the app repeats what it got no answer to.
        Ok(KeyBrought::Taken(phone)) => {
            Ok(envelope::enrolled(&enrol.serial, &server_key(desk, &phone)?.public_field()))
        }
        Ok(KeyBrought::SecondKey(user)) => {
            desk.second_key("store_app", &user, &device);
            desk.stranger(from);
            Err(Told::Refused(REFUSED))
        }
        Ok(KeyBrought::Unknown | KeyBrought::WrongCode { .. }) | Err(Stop::Unverified) => {
            desk.stranger(from);
            Err(Told::Refused(REFUSED))
        }
        Err(stop @ (Stop::TooMany | Stop::Repeated | Stop::Unavailable)) => Err(stop.into()),
    }
}

/// The token is of no use to us; the app asks until it is taken.
async fn updated(desk: &Desk, from: ClientAddress, agent: Option<&str>, update: &TokenUpdate) -> Result<Value, Told> {
    let text = update.signed_text();
    let (phone, _) =
        desk.store_phone(&device(&update.serial), from, |key| key.signed(&text, &update.signature)).await?;
    update.stamp.near(desk.now().wall, UPDATE_WINDOW).map_err(Told::Clock)?;
    desk.seen(&phone, agent).await?;
    Ok(envelope::answered(true))
}

// --- answers -----------------------------------------------------------------------------------------------------------

async fn answered(desk: &Desk, from: ClientAddress, answer: &Answer) -> Result<Value, Told> {
    let device = device(&answer.serial);
    // By its own account of what it signed; what counts is judged below, on a text of our own making.
    let text = answer.signed_text();
    let (phone, key) = desk.store_phone(&device, from, |key| key.signed(&text, &answer.signature)).await?;
    let offer = desk.offer(&answer.nonce, &phone, |prompt, device| desk.store_nonce(prompt, device)).await?;
    let Some(offer) = offer else { return Err(desk.guess(&device, from).into()) };
    if let Some((_, reply)) = offer.replies.iter().find(|(before, _)| *before == text) {
        return Ok(reply.clone());
    }
    let open = &offer.prompt;
    let (right, shows_code) = wants(open);
    let offered = presence(desk, &phone, open);
    let right = right.map(|number| format!("{:02}", number.0));
    let asked = Asked {
        nonce: &answer.nonce,
        serial: answer.serial.as_str(),
        number: offered.as_ref().zip(right.as_deref()),
        shows_code,
        code_was_shown: offer.code_shown,
    };
    let verdict = judge(&asked, answer, &key).map_err(|_| Told::Stopped(desk.guess(&device, from)))?;
    let reply = act(desk, &phone, open, answer, verdict).await?;
    desk.replied(&answer.nonce, text, &reply);
    Ok(reply)
}

async fn act(desk: &Desk, phone: &Phone, open: &OpenPrompt, answer: &Answer, verdict: Verdict) -> Result<Value, Told> {
    let device = &phone.device.id;
    let number = || answer.presence.as_deref().and_then(|text| text.parse().ok()).map(Number);
    let (said, number) = match verdict {
        Verdict::Approve => (PhoneAnswer::Approve, number()),
        // A wrong number goes to the store as what it is: it denies there, and is counted as what it is (rules F8).
        Verdict::Deny if answer.presence.is_some() => (PhoneAnswer::Approve, number()),
        Verdict::Deny => {
            // After a code was shown the store takes a plain decline for the app's "Done"; this one had a reason, or no code.
            if wants(open).1 {
                desk.unreveal(open, device).await?;
            }
            (PhoneAnswer::Deny, None)
        }
        Verdict::Fraud => (PhoneAnswer::Fraud, None),
        Verdict::Nothing => return Ok(envelope::answered(false)),
        Verdict::ShowCode => {
            let Some(code) = desk.reveal(open, device).await? else { return Ok(envelope::answered(false)) };
            desk.code_shown(&answer.nonce);
            let told = text(desk.language(&open.user).await?, "app-type-code");
            return Ok(envelope::show_code(&code, &told));
        }
    };
    let taken = desk.answer(open, device, said.clone(), number).await?;
    Ok(envelope::answered(match taken {
        // The app has no words for "too late"; what it sent stands (rules A8).
        Answered::Taken | Answered::Late => true,
        Answered::Stands(standing) => standing == said,
        Answered::TooLate | Answered::WrongNumber { .. } | Answered::NotLike => false,
    }))
}
