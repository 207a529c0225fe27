//! Words for what the store holds: the state of a phone, the name of a token, a login in one sentence.

use jiff::Timestamp;
use login::{Method, Wall};
use serde::Deserialize;

use crate::sign_in::Shown;
use crate::store::{Channel, Device, DeviceState, Token, TokenKind};

/// Prompts in a row that a phone let go by before its page says so.
const SILENT: u32 = 3;

/// A state in words, and how it looks.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) text: String,
    pub(super) look: &'static str,
}

/// `pin`: the site asks each phone for one, and the app from the stores takes none (rules B4).
pub(super) fn state_of(page: &Shown, device: &Device, pin: bool) -> State {
    let (key, look) = match device.state {
        DeviceState::Waiting => ("portal-state-waiting", "wait"),
        DeviceState::Keyed => ("portal-state-keyed", "wait"),
        DeviceState::Active if pin && device.channel == Channel::PrivacyIdea => ("portal-state-no-pin", "bad"),
        DeviceState::Active if device.unanswered >= SILENT => ("portal-state-silent", "bad"),
        DeviceState::Active => match device.channel {
            Channel::WebPush if device.subscription.is_none() => ("portal-state-quiet", "wait"),
            Channel::PrivacyIdea => ("portal-state-open-app", "good"),
            Channel::WebPush | Channel::Loopback => ("portal-state-rings", "good"),
            Channel::Webhook => ("portal-state-told", "wait"),
        },
    };
    State { text: page.t(key).into(), look }
}

pub(super) fn kind_of(page: &Shown, channel: Channel) -> String {
    match channel {
        Channel::WebPush => page.t("portal-kind-page"),
        Channel::PrivacyIdea => page.t("portal-kind-store"),
        Channel::Loopback => page.t("portal-kind-demo"),
        Channel::Webhook => page.t("portal-kind-told"),
    }
    .into()
}

pub(super) fn name_of_device(page: &Shown, device: &Device) -> String {
    device.label.as_deref().map_or_else(|| kind_of(page, device.channel), str::to_owned)
}

pub(super) fn name_of_token(page: &Shown, token: &Token) -> String {
    let kind = match token.kind {
        TokenKind::Totp { .. } => page.t("common-method-app"),
        TokenKind::Hotp => page.t("common-method-hardware-token"),
    };
    token.label.as_deref().map_or_else(|| kind.into(), str::to_owned)
}

pub(super) fn name_of_method(page: &Shown, method: Method) -> String {
    match method {
        Method::Push => page.t("common-method-phone"),
        Method::Totp => page.t("common-method-app"),
        Method::Hotp => page.t("common-method-hardware-token"),
    }
    .into()
}

/// A day, the same in every language: 2026-11-24.
pub(super) fn day(at: Wall) -> String {
    shown(at, "%Y-%m-%d")
}

/// A time in UTC; the page's script shows it in the reader's own zone.
pub(super) fn time(at: Wall) -> String {
    shown(at, "%Y-%m-%d %H:%M UTC")
}

fn shown(at: Wall, format: &str) -> String {
    let stamp = i64::try_from(at.0).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
    stamp.unwrap_or(Timestamp::MAX).strftime(format).to_string()
}

/// A login as its page tells it.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) id: String,
    /// RFC 3339, for `<time>`.
    pub(super) at: String,
    pub(super) time: String,
    pub(super) let_in: bool,
    pub(super) what: String,
    pub(super) why: String,
    pub(super) client: String,
    pub(super) station: String,
}

#[derive(Deserialize)]
struct Record {
    login: String,
    time: String,
    client: String,
    station: Option<String>,
    answer: Option<String>,
    reason: String,
    factor: Option<String>,
}

/// What a stored record says, in words; `None` for one of a form that this version does not know.
pub(super) fn told(page: &Shown, json: &str) -> Option<Told> {
    let record: Record = serde_json::from_str(json).ok()?;
    let at: Timestamp = record.time.parse().ok()?;
    let let_in = record.answer.as_deref() == Some("accept");
    let what = match record.answer.as_deref() {
        Some("accept") => page.t("portal-login-accepted"),
        Some(_) => page.t("portal-login-denied"),
        None => page.t("portal-login-unfinished"),
    };
    let why = if let_in { how(page, record.factor.as_deref()) } else { page.t(reason_key(&record.reason)).into() };
    Some(Told {
        id: record.login,
        time: time(Wall(u64::try_from(at.as_millisecond()).unwrap_or_default())),
        at: record.time,
        let_in,
        what: what.into(),
        why,
        client: record.client,
        station: record.station.unwrap_or_default(),
    })
}

fn how(page: &Shown, factor: Option<&str>) -> String {
    match factor {
        Some("exempt" | "fail_open") | None => page.t("portal-how-without").into(),
        Some("bypass") => page.t("portal-how-bypass").into(),
        Some(word) => Method::of_word(word).map(|method| name_of_method(page, method)).unwrap_or_default(),
    }
}

/// The words of a reason; `login::Reason` has the closed set.
fn reason_key(reason: &str) -> &'static str {
    match reason {
        "primary" | "empty_password" => "portal-why-password",
        "wrong_code" | "not_a_code" | "codes_not_taken" => "portal-why-wrong-code",
        "spent_code" => "portal-why-spent-code",
        "codes_locked" => "portal-why-codes-locked",
        "denied" => "portal-why-denied",
        "fraud" => "portal-why-fraud",
        "unanswered" | "approved_too_late" => "portal-why-unanswered",
        "busy" => "portal-why-busy",
        "blocked" => "portal-why-blocked",
        "unenrolled" | "no_method" | "no_token" | "code_behind" | "phone_cannot" | "quiet" => "portal-why-no-method",
        "superseded" => "portal-why-superseded",
        "rule" | "no_rule" | "undecided" | "policy_changed" => "portal-why-rule",
        "expired" | "state" | "prompt_ended" => "portal-why-expired",
        _ => "portal-why-trouble",
    }
}
