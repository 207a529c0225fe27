//! What our page asks: to be enrolled, what is open, to answer, where to ring, and to be forgotten.
//!
//! Every request is signed by the device's key and bound to this origin, so a cookie, a link or another site's page can't make
//! one. Errors are JSON with a `reason` that the page has words for.

use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use login::{DeviceId, Number, PhoneAnswer, PromptId, Wall, words};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::desk::{Desk, SharedDesk, Stop, wants};
use super::offers::Offer;
use super::pin::PinCheck;
use crate::config::is_page;
use crate::enrolment::activation::ActivationCode;
use crate::factor::push::{check_endpoint, check_subscription_key};
use crate::language::Language;
use crate::phone::page::{
    ACT_WINDOW, About, Answer, Asked, Enrol, Leave, Malformed, POLL_WINDOW, Poll, Shown, Subscribe, Subscription,
    Verdict, judge,
};
use crate::phone::stamp::{Skew, Stamp};
use crate::store::web::{DeviceState, KeyBrought, Phone, PhoneKey as BroughtKey, Seen, Subscription as Kept};
use crate::store::{Answered, OpenPrompt, PromptEnd};
use crate::telemetry::PhoneRefusal;
use crate::web::{ClientAddress, Connection};

/// Why the page gets no answer to what it asked.
enum Told {
    Malformed(Malformed),
    Clock(Skew),
    /// Unknown code, unknown device, bad signature: all alike.
    Stopped(Stop),
}

impl From<Stop> for Told {
    fn from(stop: Stop) -> Self {
        Self::Stopped(stop)
    }
}

impl From<Malformed> for Told {
    fn from(why: Malformed) -> Self {
        Self::Malformed(why)
    }
}

impl Told {
    /// Counted: it changed nothing.
    fn counted(self, desk: &Desk) -> Self {
        let why = match &self {
            Self::Malformed(_) => PhoneRefusal::Malformed,
            Self::Clock(_) => PhoneRefusal::Clock,
            Self::Stopped(stop) => stop.why(),
        };
        desk.refused("page", why);
        self
    }
}

impl IntoResponse for Told {
    fn into_response(self) -> Response {
        let (status, told) = match self {
            Self::Malformed(why) => {
                (StatusCode::BAD_REQUEST, json!({ "reason": "malformed", "error": why.to_string() }))
            }
            Self::Clock(skew) => {
                let minutes = skew.by.as_secs().div_ceil(60);
                (StatusCode::FORBIDDEN, json!({ "reason": "clock", "by": format!("{minutes} min") }))
            }
            Self::Stopped(Stop::Unverified) => (StatusCode::FORBIDDEN, json!({ "reason": "unknown" })),
            Self::Stopped(Stop::Repeated) => (StatusCode::CONFLICT, json!({ "reason": "repeated" })),
            Self::Stopped(Stop::TooMany) => (StatusCode::TOO_MANY_REQUESTS, json!({ "reason": "busy" })),
            Self::Stopped(Stop::Unavailable) => (StatusCode::SERVICE_UNAVAILABLE, json!({ "reason": "unavailable" })),
        };
        (status, axum::Json(told)).into_response()
    }
}

/// So long the same login may come back for a yes that nobody waited for (rules A8).
const LATE_SECONDS: u32 = 10;

type Done = Result<axum::Json<Value>, Told>;

fn near(desk: &Desk, stamp: &Stamp, window: std::time::Duration) -> Result<(), Told> {
    stamp.near(desk.now().wall, window).map_err(Told::Clock)
}

fn agent(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok())
}

/// A body that can't be read counts against its sender.
fn read<T>(
    desk: &Desk,
    from: ClientAddress,
    body: &Bytes,
    parse: impl Fn(&[u8]) -> Result<T, Malformed>,
) -> Result<T, Told> {
    parse(body).map_err(|why| match desk.stranger(from) {
        Stop::TooMany => Told::Stopped(Stop::TooMany),
        Stop::Unverified | Stop::Repeated | Stop::Unavailable => Told::Malformed(why),
    })
}

// --- enrolment -----------------------------------------------------------------------------------------------------------

pub(super) async fn enrol(
    State(desk): State<SharedDesk>,
    Extension(from): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    enrolled(&desk, from, agent(&headers), &body).await.map_err(|told| told.counted(&desk)).into_response()
}

async fn enrolled(desk: &Desk, from: ClientAddress, agent: Option<&str>, body: &Bytes) -> Done {
    desk.admit(from)?;
    let enrol = read(desk, from, body, Enrol::parse)?;
    let unknown = || Told::Stopped(desk.stranger(from));
    let typed = String::from_utf8_lossy(enrol.code.expose());
    let code = ActivationCode::parse(&typed).map_err(|_| unknown())?;
    if !enrol.is_proven(&desk.rooms.origin) {
        return Err(unknown());
    }
    near(desk, &enrol.stamp, ACT_WINDOW)?;
    let key = BroughtKey {
        spki: enrol.key.as_spki().to_vec(),
        subscription: enrol.subscription.map(|subscription| kept(desk, &subscription)).transpose()?,
        agent: agent.map(|agent| agent.chars().take(160).collect()),
        label: Some(enrol.name).filter(|name| !name.is_empty()),
    };
    match desk.store().bring_key(&code.device, &code.secret, key, desk.now().wall).await.map_err(Stop::from)? {
        KeyBrought::Taken(phone) => Ok(axum::Json(json!({
            "device": &*phone.device.id.0,
            "account": &*desk.rooms.site.account,
            "user": phone.device.user.as_str(),
            "state": state(&phone),
        }))),
        KeyBrought::SecondKey(user) => {
            desk.second_key("page", &user, &code.device);
            Err(unknown())
        }
        KeyBrought::Unknown | KeyBrought::WrongCode { .. } => Err(unknown()),
    }
}

fn state(phone: &Phone) -> &'static str {
    match phone.device.state {
        DeviceState::Active => "active",
        DeviceState::Keyed | DeviceState::Waiting => "test",
    }
}

/// Only an address that we would write to is kept (rules F6).
fn kept(desk: &Desk, told: &Subscription) -> Result<Kept, Told> {
    let (p256dh, auth) = told.keys();
    let services = &desk.rooms.push_services;
    let judged = check_endpoint(&told.endpoint, &services.hosts, services.allow_private);
    judged.and_then(|_| check_subscription_key(&p256dh)).map_err(|why| {
        desk.puzzles("page", "its push service is none that we write to", &why.to_string());
        Told::Malformed(Malformed::Member("endpoint"))
    })?;
    Ok(Kept { endpoint: told.endpoint.as_str().into(), p256dh, auth })
}

// --- polls ---------------------------------------------------------------------------------------------------------------

pub(super) async fn poll(
    State(desk): State<SharedDesk>,
    Extension(from): Extension<ClientAddress>,
    connection: Option<Extension<Connection>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let connection = connection.as_deref();
    polled(&desk, (from, connection), agent(&headers), &body).await.map_err(|told| told.counted(&desk)).into_response()
}

async fn polled(
    desk: &Desk,
    (from, connection): (ClientAddress, Option<&Connection>),
    agent: Option<&str>,
    body: &Bytes,
) -> Done {
    let poll = read(desk, from, body, Poll::parse)?;
    let device = DeviceId(poll.device.as_str().into());
    let origin = &*desk.rooms.origin;
    let (phone, _) = desk.page_phone(&device, from, |key| poll.is_signed(origin, key)).await?;
    near(desk, &poll.stamp, POLL_WINDOW)?;
    desk.poll_once(&device, &poll.signed_text(origin), poll.stamp.at)?;
    desk.seen(&phone, agent).await?;
    let new = |open: &Option<OpenPrompt>, told: &Value| match &poll.known {
        Some(known) => told["known"] != known.as_str(),
        None => open.is_some(),
    };
    let hold = if poll.wait { desk.rooms.holds.page } else { std::time::Duration::ZERO };
    let mut line = desk.sits(&phone, connection.filter(|_| poll.wait), hold);
    let (open, mut told) = loop {
        let (open, told) = stands(desk, &phone, poll.about.as_ref()).await?;
        if new(&open, &told) || !desk.goes_on(&mut line).await {
            break (open, told);
        }
    };
    // What runs is no news, and so no part of what is known.
    if let (Some(open), Some(prompt)) = (open, told["prompts"].get_mut(0)) {
        let now = desk.now().wall;
        prompt["left_ms"] = millis(open.askers_until.min(open.ends_at).since(now));
        prompt["age_ms"] = millis(now.since(open.claimed_at));
    }
    Ok(axum::Json(told))
}

fn millis(time: std::time::Duration) -> Value {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).into()
}

/// What there is to tell, with the print by which the next poll says that it knows it.
async fn stands(desk: &Desk, phone: &Phone, about: Option<&About>) -> Result<(Option<OpenPrompt>, Value), Told> {
    let open = desk.open_for(phone, |_| true).await?;
    let mut prompts = Vec::new();
    if let Some(open) = &open {
        prompts.push(shown(desk, phone, open).await?);
    }
    let about = match about {
        Some(about) => became(desk, &phone.device.id, about).await?,
        None => None,
    };
    let lang = desk.chosen_language(&phone.device.user).await?.map(Language::as_tag);
    let mut told = json!({ "state": state(phone), "prompts": prompts, "about": about, "lang": lang });
    let until = open.as_ref().map(|open| open.askers_until.0);
    told["known"] = HEXLOWER.encode(&Sha256::digest(format!("{told} {until:?}"))[..12]).into();
    Ok((open, told))
}

/// What became of a prompt that this device was shown; of any other it is told nothing.
async fn became(desk: &Desk, device: &DeviceId, about: &About) -> Result<Option<&'static str>, Told> {
    let octets = HEXLOWER.decode(about.challenge.as_bytes()).ok().and_then(|octets| octets.try_into().ok());
    let Some(prompt) = octets.map(PromptId) else { return Ok(None) };
    if !bool::from(desk.page_nonce(prompt, device).as_bytes().ct_eq(about.nonce.as_bytes())) {
        return Ok(None);
    }
    let end = desk.store().prompt_end(prompt, desk.now().wall).await.map_err(Stop::from)?;
    Ok(Some(match end {
        PromptEnd::Open => "open",
        PromptEnd::LetIn => "let_in",
        PromptEnd::Refused => "denied",
        PromptEnd::Over => "over",
    }))
}

/// A prompt as the page draws it: what is shown, and what it must prove.
async fn shown(desk: &Desk, phone: &Phone, open: &OpenPrompt) -> Result<Value, Told> {
    let nonce = desk.page_nonce(open.prompt, &phone.device.id);
    desk.offered(&nonce, open, &phone.device.id).await?;
    let (number, typed) = wants(open);
    Ok(json!({
        "challenge": open.prompt.to_string(),
        "nonce": nonce,
        "shown": shown_of(desk, open).to_json(),
        // Entered, not chosen from a list: each asking has its own, and which one says who is meant (rules B2).
        "number": number.map(|_| json!({ "length": 2 })),
        // A page of ours goes on by itself; at a VPN window somebody has to press Enter.
        "enter": number.is_some() && !is_page(open.client.as_str()),
        "typed": typed,
        "pin": open.asks.pin.then(|| json!({ "length": desk.rooms.pin.length })),
        "test": open.only.is_some(),
        // Rules B2. No part of what is signed: it may change while the request is looked at.
        "again": desk.rooms.answers.askers(open.prompt) > 1,
    }))
}

fn shown_of(desk: &Desk, open: &OpenPrompt) -> Shown {
    let place = open.station.as_ref().map(ToString::to_string);
    let since: Wall = open.claimed_at;
    let asker = desk.rooms.site.titles.asker(open.client.as_str());
    Shown::new(&desk.rooms.site.account, asker, place.as_deref(), since, open.user.as_str())
}

// --- answers ---------------------------------------------------------------------------------------------------------------

pub(super) async fn answer(
    State(desk): State<SharedDesk>,
    Extension(from): Extension<ClientAddress>,
    body: Bytes,
) -> Response {
    answered(&desk, from, &body).await.map_err(|told| told.counted(&desk)).into_response()
}

async fn answered(desk: &Desk, from: ClientAddress, body: &Bytes) -> Done {
    let answer = read(desk, from, body, Answer::parse)?;
    let device = DeviceId(answer.device.as_str().into());
    let origin = &*desk.rooms.origin;
    // By its own account of what it signed; what counts is judged below, on lines of our own making.
    let (phone, key) = desk.page_phone(&device, from, |key| answer.is_signed(origin, key)).await?;
    let offer = desk.offer(&answer.nonce, &phone, |prompt, device| desk.page_nonce(prompt, device)).await?;
    // Long over, and forgotten: the device's own owner is told so.
    let Some(offer) = offer else { return Ok(ended("ended")) };
    let text = answer.signed_text(origin);
    if let Some((_, reply)) = offer.replies.iter().find(|(before, _)| *before == text) {
        return Ok(axum::Json(reply.clone()));
    }
    let verdict = judged(desk, &offer, &answer, &key).map_err(|()| Told::Stopped(desk.guess(&device, from)))?;
    let (reply, final_word) = act(desk, &phone, &offer.prompt, &answer, verdict).await?;
    if final_word {
        desk.replied(&answer.nonce, text, &reply);
    }
    Ok(axum::Json(reply))
}

fn judged(desk: &Desk, offer: &Offer, answer: &Answer, key: &crate::phone::page::PageKey) -> Result<Verdict, ()> {
    let (number, typed) = wants(&offer.prompt);
    let asked = Asked {
        origin: &desk.rooms.origin,
        device: &offer.device.0,
        challenge: &offer.prompt.prompt.to_string(),
        nonce: &answer.nonce,
        shown: &shown_of(desk, &offer.prompt).print(),
        wants_number: number.is_some(),
        shows_code: typed,
    };
    judge(&asked, answer, key)
        .map_err(|why| desk.puzzles("page", "its answer does not fit its prompt", &format!("{why:?}")))
}

/// What is replied, and whether it is the last word: a wrong PIN may be typed again.
async fn act(
    desk: &Desk,
    phone: &Phone,
    open: &OpenPrompt,
    answer: &Answer,
    verdict: Verdict,
) -> Result<(Value, bool), Told> {
    let approves = matches!(verdict, Verdict::Approve { .. } | Verdict::ShowCode);
    if approves
        && open.asks.pin
        && let Some(told) = pin(desk, phone, answer).await?
    {
        return Ok((told, false));
    }
    let device = &phone.device.id;
    let (said, number) = match verdict {
        Verdict::Approve { number } => (PhoneAnswer::Approve, number.and_then(|text| text.parse().ok()).map(Number)),
        Verdict::Deny => {
            // Our page has no "Done" that could be meant: its Deny is one, also after it showed a code.
            if wants(open).1 {
                desk.unreveal(open, device).await?;
            }
            (PhoneAnswer::Deny, None)
        }
        Verdict::Fraud => (PhoneAnswer::Fraud, None),
        Verdict::ShowCode => {
            let code = desk.reveal(open, device).await?;
            desk.code_shown(&answer.nonce);
            return Ok(match code {
                Some(code) => (json!({ "state": "show_code", "code": code }), true),
                None => (json!({ "state": "ended" }), true),
            });
        }
    };
    let taken = desk.answer(open, device, said.clone(), number).await?;
    // Rules D2: its owner reads until when it is not asked again.
    let quiet = match &taken {
        Answered::WrongNumber { quiet_until } => *quiet_until,
        Answered::Taken | Answered::Stands(PhoneAnswer::Deny) if said == PhoneAnswer::Deny => {
            desk.quiet_until(&phone.device.user).await?
        }
        Answered::Taken | Answered::Late | Answered::Stands(_) | Answered::TooLate | Answered::NotLike => None,
    };
    let state = match taken {
        Answered::Taken => word(&said, open),
        // The yes stands, and the login that it was for is over: it must not be told that it goes on (rules A8).
        Answered::Late => return Ok((json!({ "state": "late", "left": LATE_SECONDS }), true)),
        Answered::Stands(standing) => word(&standing, open),
        Answered::TooLate if said == PhoneAnswer::Fraud => "reported",
        Answered::TooLate | Answered::NotLike => "ended",
        Answered::WrongNumber { .. } => "wrong_number",
    };
    let Some(until) = quiet else { return Ok((json!({ "state": state }), true)) };
    Ok((json!({ "state": state, "quiet": words::minutes_until(until, desk.now().wall) }), true))
}

fn word(said: &PhoneAnswer, open: &OpenPrompt) -> &'static str {
    match said {
        PhoneAnswer::Approve if open.only.is_some() => "tested",
        PhoneAnswer::Approve => "approved",
        PhoneAnswer::Deny => "denied",
        PhoneAnswer::Fraud => "reported",
    }
}

/// `None`: it is right. Else what the page is told; nothing is approved.
async fn pin(desk: &Desk, phone: &Phone, answer: &Answer) -> Result<Option<Value>, Told> {
    let Some(typed) = &answer.pin else { return Err(Told::Malformed(Malformed::Member("pin"))) };
    let user = &phone.device.user;
    let checked = desk.pins.check(desk.store(), user, typed, desk.now().wall).await.map_err(Stop::from)?;
    if checked != PinCheck::Right {
        desk.refused("page", PhoneRefusal::Pin);
    }
    Ok(match checked {
        PinCheck::Right => None,
        PinCheck::MustChange => Some(json!({ "state": "pin_change" })),
        PinCheck::Wrong { left } => Some(json!({ "state": "wrong_pin", "left": left })),
        PinCheck::Locked => Some(json!({ "state": "pin_locked" })),
        PinCheck::None => Some(json!({ "state": "no_pin" })),
    })
}

fn ended(state: &str) -> axum::Json<Value> {
    axum::Json(json!({ "state": state }))
}

// --- where to ring, and farewell ---------------------------------------------------------------------------------------------

pub(super) async fn subscribe(
    State(desk): State<SharedDesk>,
    Extension(from): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    subscribed(&desk, from, agent(&headers), &body).await.map_err(|told| told.counted(&desk)).into_response()
}

async fn subscribed(desk: &Desk, from: ClientAddress, agent: Option<&str>, body: &Bytes) -> Done {
    let subscribe = read(desk, from, body, Subscribe::parse)?;
    let device = DeviceId(subscribe.device.as_str().into());
    let origin = &*desk.rooms.origin;
    desk.page_phone(&device, from, |key| subscribe.is_signed(origin, key)).await?;
    near(desk, &subscribe.stamp, ACT_WINDOW)?;
    match &subscribe.subscription {
        Some(subscription) => {
            let agent = agent.map(|agent| agent.chars().take(160).collect());
            let seen = Seen { subscription: Some(kept(desk, subscription)?), agent };
            desk.store().phone_seen(&device, seen, desk.now().wall).await.map_err(Stop::from)?;
        }
        None => desk.store().subscription_gone(&device).await.map_err(Stop::from)?,
    }
    Ok(axum::Json(json!({})))
}

pub(super) async fn leave(
    State(desk): State<SharedDesk>,
    Extension(from): Extension<ClientAddress>,
    body: Bytes,
) -> Response {
    left(&desk, from, &body).await.map_err(|told| told.counted(&desk)).into_response()
}

async fn left(desk: &Desk, from: ClientAddress, body: &Bytes) -> Done {
    let leave = read(desk, from, body, Leave::parse)?;
    let device = DeviceId(leave.device.as_str().into());
    let origin = &*desk.rooms.origin;
    desk.page_phone(&device, from, |key| leave.is_signed(origin, key)).await?;
    near(desk, &leave.stamp, ACT_WINDOW)?;
    desk.store().remove_device(&device, desk.now().wall).await.map_err(Stop::from)?;
    desk.rooms.waiting.ring(&device);
    Ok(axum::Json(json!({})))
}
