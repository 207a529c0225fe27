//! A user's page: how it stands, the methods, the last logins with their reasons, what was done, and what may be done now.

use askama::Template;
use axum::extract::{Query, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use login::{ResolvedUser, Wall};
use serde::Deserialize;

use super::Desk;
use super::deed::Deed;
use super::history::{self, Done, Login};
use super::page::{Here, Page, role_word, shown, url_encoded, when};
use super::role::{Person, Role, may_act};
use super::staff::Staff;
use crate::enrolment::{CodeBarred, takes_admin_code};
use crate::language::{Language, text, text_with};
use crate::store::{
    Bypass, Channel, CodePurpose, Device, DeviceState, Pin, StoreError, Token, TokenKind, User, UserChoices,
};

/// Logins and acts that are shown.
const RECENT: usize = 20;
/// So many prompts unanswered in a row, and the phone counts as silent.
pub(super) const SILENT_AFTER: u32 = 3;

/// Whose page, and what was just done there.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Whose {
    pub(super) name: String,
    pub(super) did: String,
    pub(super) mailed: String,
}

/// One line about how it stands with a user, and whether that is `good`, `warn` or `bad`.
#[derive(Default)]
pub(super) struct State {
    pub(super) look: &'static str,
    pub(super) told: String,
}

/// All that is known of a user.
pub(super) struct Known {
    pub(super) user: User,
    pub(super) role: Option<Role>,
    pub(super) pin: Option<Pin>,
    pub(super) bypasses: Vec<Bypass>,
    /// Why no page would take a code of this user.
    pub(super) code_barred: Option<CodeBarred>,
    /// The site asks each phone for a PIN, and the app from the stores takes none (rules B4).
    asks_pin: bool,
    choices: UserChoices,
    recovery_codes: u32,
    /// Activation codes that are open, and until when.
    open_codes: Vec<(CodePurpose, Wall)>,
}

impl Known {
    /// `None`: nobody has that name.
    pub(super) async fn of(desk: &Desk, name: &ResolvedUser) -> Result<Option<Self>, StoreError> {
        let (store, now) = (&desk.store, desk.now());
        let Some(user) = store.show_user(name).await? else { return Ok(None) };
        let config = desk.config();
        let role = config.admin.as_ref().and_then(|admin| Role::of(&user.groups, &admin.roles));
        Ok(Some(Self {
            role,
            code_barred: takes_admin_code(&config, &user).err(),
            asks_pin: config.push.pin.required,
            pin: store.pin(name, now).await?,
            bypasses: store.list_bypasses(name, now).await?,
            choices: store.choices(name).await?,
            recovery_codes: store.recovery_codes_left(name).await?,
            open_codes: store.open_codes(name, now).await?,
            user,
        }))
    }

    pub(super) fn person(&self) -> Person<'_> {
        Person { name: &self.user.name, role: self.role }
    }

    /// In which language letters to this user are.
    pub(super) fn language(&self) -> Option<Language> {
        self.choices.language.as_deref().and_then(Language::of_tag)
    }

    /// Ways to prove a second factor that are in use.
    pub(super) fn methods(&self) -> usize {
        self.user.tokens.len() + self.user.devices.iter().filter(|device| device.state == DeviceState::Active).count()
    }

    /// What makes sense now, whoever does it.
    pub(super) fn makes_sense(&self, deed: Deed, now: Wall) -> bool {
        let user = &self.user;
        let is_barred = user.blocked.is_some() || user.fraud_reported.is_some();
        match deed {
            Deed::AddUser => false,
            Deed::IssueCode => self.code_barred.is_none(),
            Deed::ChangeMail | Deed::EndSessions => true,
            Deed::Invite => !user.ever_enrolled,
            Deed::Block => user.blocked.is_none(),
            Deed::Unblock => is_barred,
            // Rules F4: staff always need a factor.
            Deed::GrantBypass => self.role.is_none() && !is_barred,
            Deed::RevokeBypass => !self.bypasses.is_empty(),
            Deed::RemoveDevice => !user.devices.is_empty(),
            Deed::RemoveToken => !user.tokens.is_empty(),
            Deed::ResyncToken => user.tokens.iter().any(|token| token.kind == TokenKind::Hotp),
            Deed::ResetPin => self.pin.is_some() || self.asks_pin && user.devices.iter().any(takes_a_pin),
            // Unblocking lifts them, too; a block must not end with them.
            Deed::LiftLimits => !is_barred && is_limited(user, now),
        }
    }
}

fn takes_a_pin(device: &Device) -> bool {
    device.state == DeviceState::Active && device.channel == Channel::WebPush
}

fn is_limited(user: &User, now: Wall) -> bool {
    let is_held = user.shield_until.is_some_and(|until| until > now);
    is_held || user.codes.failures > 0 || user.pushes.unanswered > 0 || user.pushes.quiet(now).is_some()
}

/// How it stands with a user, the gravest first; never empty.
pub(super) fn standing(user: &User, now: Wall, language: Language) -> Vec<State> {
    let bad = |told: String| State { look: "bad", told };
    let warn = |told: String| State { look: "warn", told };
    let mut states = Vec::new();
    states.extend(
        user.blocked
            .as_ref()
            .map(|why| bad(text_with(language, "admin-state-blocked", &[("reason", why.as_ref().into())]))),
    );
    states.extend(
        user.fraud_reported.map(|at| bad(text_with(language, "admin-state-fraud", &[("time", when(at).into())]))),
    );
    if !user.ever_enrolled {
        states.push(warn(text(language, "admin-state-unenrolled").into_owned()));
    }
    states.extend(user.codes.lock(now).map(|until| match when(until) {
        never if never.is_empty() => bad(text(language, "admin-state-codes-off").into_owned()),
        until => warn(text_with(language, "admin-state-codes-locked", &[("time", until.into())])),
    }));
    states.extend(
        user.pushes
            .quiet(now)
            .map(|until| warn(text_with(language, "admin-state-quiet", &[("time", when(until).into())]))),
    );
    states.extend(
        user.shield_until
            .filter(|until| *until > now)
            .map(|until| warn(text_with(language, "admin-state-held-back", &[("time", when(until).into())]))),
    );
    if states.is_empty() {
        states.push(State { look: "good", told: text(language, "admin-state-good").into_owned() });
    }
    states
}

#[derive(Template)]
#[template(path = "admin_user.html")]
struct UserPage {
    page: Page,
    name: String,
    role: Option<String>,
    done: Option<String>,
    mailed: Option<String>,
    states: Vec<State>,
    facts: Vec<(String, String)>,
    no_actions: Option<String>,
    actions: Vec<Action>,
    methods: Vec<Method>,
    logins: Vec<Login>,
    acts: Vec<Done>,
}

/// What may be done: a link to the page that asks for the reason.
struct Action {
    label: String,
    address: String,
    is_grave: bool,
}

/// A phone, a token, or an open bypass.
struct Method {
    title: String,
    facts: Vec<(String, String)>,
    actions: Vec<Action>,
}

pub(super) async fn show(Shared(desk): Shared<Desk>, staff: Staff, Query(whose): Query<Whose>) -> Response {
    let name = ResolvedUser::new(whose.name.as_str());
    match user_page(&desk, &staff, &name, &whose).await {
        Ok(Some(page)) => shown(StatusCode::OK, &page),
        Ok(None) => staff.nobody(&desk, &name),
        Err(error) => staff.away(&desk, &error),
    }
}

async fn user_page(
    desk: &Desk,
    staff: &Staff,
    name: &ResolvedUser,
    whose: &Whose,
) -> Result<Option<UserPage>, StoreError> {
    let Some(known) = Known::of(desk, name).await? else { return Ok(None) };
    let (language, now) = (staff.language, desk.now());
    let logins = desk.store.recent_records(name, RECENT).await?;
    let last = desk.store.last_accept(name).await?.and_then(|record| history::time_of(&record));
    let acts = desk.store.acts_on(name, RECENT).await?;
    let allowed = may_act(staff.person(), known.person());
    let offers = Offers { known: &known, language, is_allowed: allowed.is_ok(), now };
    let mut states = standing(&known.user, now, language);
    if known.pin.as_ref().is_some_and(|pin| pin.locked) {
        states.push(State { look: "bad", told: text(language, "admin-state-pin-locked").into_owned() });
    }
    Ok(Some(UserPage {
        page: staff.page(desk, Here::Users),
        name: name.as_str().to_owned(),
        role: known.role.map(|role| role_word(language, role).into_owned()),
        done: Deed::of_word(&whose.did).map(|deed| text(language, did_key(deed)).into_owned()),
        mailed: super::letters::Told::of_word(&whose.mailed).map(|told| text(language, told.key()).into_owned()),
        states,
        facts: facts(&known, last.unwrap_or_else(|| text(language, "admin-phone-never-seen").into_owned()), language),
        no_actions: allowed.err().map(|why| staff.why_forbidden(why)),
        actions: offers.on_the_account(),
        methods: offers.methods(),
        logins: logins.iter().filter_map(|record| history::login(record, language)).collect(),
        acts: acts.iter().filter_map(|record| history::act(record, language)).collect(),
    }))
}

fn facts(known: &Known, last_login: String, language: Language) -> Vec<(String, String)> {
    let user = &known.user;
    let groups: Vec<&str> = user.groups.iter().map(login::GroupName::as_str).collect();
    let pin = known.pin.as_ref().map(|pin| match pin.must_change {
        true => text(language, "admin-pin-must-change").into_owned(),
        false => text_with(language, "admin-pin-set", &[("time", when(pin.set_at).into())]),
    });
    let spoken = known.language().map(|language| language.own_name().to_owned());
    let prefers = known.choices.method.map(|method| match method {
        login::Method::Push => text(language, "admin-factor-push").into_owned(),
        login::Method::Totp => text(language, "admin-factor-totp").into_owned(),
        login::Method::Hotp => text(language, "admin-factor-hotp").into_owned(),
    });
    let opens = known.open_codes.iter().map(|(purpose, until)| {
        let key = match purpose {
            CodePurpose::Enrol => "admin-open-code-given",
            CodePurpose::MailedEnrol => "admin-open-code-mailed",
        };
        text_with(language, key, &[("time", when(*until).into())])
    });
    let all = [
        ("admin-fact-mail", user.mail.clone().unwrap_or_else(|| text(language, "admin-no-mail").into_owned())),
        ("admin-fact-groups", groups.join(", ")),
        ("admin-fact-added", when(user.added_at)),
        ("admin-fact-language", spoken.unwrap_or_default()),
        ("admin-fact-prefers", prefers.unwrap_or_default()),
        ("admin-fact-pin", pin.unwrap_or_default()),
        ("admin-fact-recovery", known.recovery_codes.to_string()),
        ("admin-fact-open-code", opens.collect::<Vec<_>>().join(", ")),
        ("admin-fact-last-login", last_login),
    ];
    labelled(all, language)
}

/// Labels for what is known; what is empty is left out.
fn labelled<const N: usize>(all: [(&str, String); N], language: Language) -> Vec<(String, String)> {
    let known = all.into_iter().filter(|(_, value)| !value.is_empty());
    known.map(|(key, value)| (text(language, key).into_owned(), value)).collect()
}

/// What is offered to whoever looks.
struct Offers<'a> {
    known: &'a Known,
    language: Language,
    is_allowed: bool,
    now: Wall,
}

impl Offers<'_> {
    fn on_the_account(&self) -> Vec<Action> {
        let deeds = Deed::ALL.into_iter().filter(|deed| !deed.has_object());
        deeds.filter_map(|deed| self.action(deed, "")).collect()
    }

    fn action(&self, deed: Deed, object: &str) -> Option<Action> {
        let is_offered = self.is_allowed && self.known.makes_sense(deed, self.now);
        is_offered.then(|| Action {
            label: text(self.language, label_key(deed)).into_owned(),
            address: address_of(deed, &self.known.user.name, object),
            is_grave: deed.is_grave(),
        })
    }

    fn methods(&self) -> Vec<Method> {
        let phones = self.known.user.devices.iter().map(|device| self.phone(device));
        let tokens = self.known.user.tokens.iter().map(|token| self.token(token));
        let bypasses = self.known.bypasses.iter().map(|bypass| self.bypass(bypass));
        phones.chain(tokens).chain(bypasses).collect()
    }

    fn phone(&self, device: &Device) -> Method {
        let language = self.language;
        let state = text(language, phone_state(device, self.known.asks_pin));
        let unanswered = (device.unanswered > 0).then(|| device.unanswered.to_string());
        let seen = device.seen_at.map_or_else(|| text(language, "admin-phone-never-seen").into_owned(), when);
        let all = [
            ("admin-user-state", state.into_owned()),
            ("admin-fact-channel", channel(device.channel, language)),
            ("admin-fact-rings", rings(device).map(|key| text(language, key).into_owned()).unwrap_or_default()),
            ("admin-fact-seen", seen),
            ("admin-fact-agent", device.agent.as_deref().unwrap_or_default().to_owned()),
            ("admin-fact-unanswered", unanswered.unwrap_or_default()),
            ("admin-fact-fingerprint", device.fingerprint.as_deref().unwrap_or_default().to_owned()),
            ("admin-fact-added", when(device.added_at)),
            ("admin-fact-id", device.id.0.to_string()),
        ];
        Method {
            title: titled(language, "admin-method-phone", device.label.as_deref()),
            facts: labelled(all, language),
            actions: self.action(Deed::RemoveDevice, &device.id.0).into_iter().collect(),
        }
    }

    fn token(&self, token: &Token) -> Method {
        let language = self.language;
        let kind = match token.kind {
            TokenKind::Totp { period_s } => text_with(language, "admin-token-totp", &[("seconds", period_s.into())]),
            TokenKind::Hotp => text(language, "admin-token-hotp").into_owned(),
        };
        let deeds: &[Deed] = match token.kind {
            TokenKind::Totp { .. } => &[Deed::RemoveToken],
            TokenKind::Hotp => &[Deed::ResyncToken, Deed::RemoveToken],
        };
        let all = [
            ("admin-fact-kind", kind),
            ("admin-fact-digits", token.digits.to_string()),
            ("admin-fact-added", when(token.added_at)),
            ("admin-fact-id", token.id.0.to_string()),
        ];
        Method {
            title: titled(language, "admin-method-token", token.label.as_deref()),
            facts: labelled(all, language),
            actions: deeds.iter().filter_map(|deed| self.action(*deed, &token.id.0)).collect(),
        }
    }

    fn bypass(&self, bypass: &Bypass) -> Method {
        let (language, grant) = (self.language, &bypass.grant);
        let any = || text(language, "admin-bypass-any").into_owned();
        let all = [
            ("admin-fact-client", grant.client.as_ref().map_or_else(any, |client| client.as_str().to_owned())),
            ("admin-fact-until", when(grant.ends_at)),
            ("admin-fact-by", grant.by.to_string()),
            ("admin-reason", grant.reason.to_string()),
        ];
        Method {
            title: text(language, "admin-method-bypass").into_owned(),
            facts: labelled(all, language),
            actions: self.action(Deed::RevokeBypass, &bypass.id.0).into_iter().collect(),
        }
    }
}

/// `Phone: Anna's Pixel`.
fn titled(language: Language, key: &str, label: Option<&str>) -> String {
    let kind = text(language, key);
    label.map_or_else(|| kind.clone().into_owned(), |label| format!("{kind}: {label}"))
}

fn channel(channel: Channel, language: Language) -> String {
    match channel {
        Channel::WebPush => text(language, "admin-channel-webpush"),
        Channel::PrivacyIdea => text(language, "admin-channel-privacyidea"),
        Channel::Webhook => text(language, "admin-channel-webhook"),
        Channel::Loopback => text(language, "admin-channel-loopback"),
    }
    .into_owned()
}

/// The page that asks for what a deed needs.
pub(super) fn address_of(deed: Deed, user: &ResolvedUser, object: &str) -> String {
    let object = if object.is_empty() { String::new() } else { format!("&object={}", url_encoded(object)) };
    format!("/user/{}?name={}{object}", deed.as_str(), url_encoded(user.as_str()))
}

/// The words of a deed on its button.
pub(super) fn label_key(deed: Deed) -> &'static str {
    match deed {
        Deed::AddUser => "admin-do-add-user",
        Deed::ChangeMail => "admin-do-change-mail",
        Deed::IssueCode => "admin-do-issue-code",
        Deed::Invite => "admin-do-invite",
        Deed::Block => "admin-do-block",
        Deed::Unblock => "admin-do-unblock",
        Deed::GrantBypass => "admin-do-grant-bypass",
        Deed::RevokeBypass => "admin-do-revoke-bypass",
        Deed::RemoveDevice => "admin-do-remove-device",
        Deed::RemoveToken => "admin-do-remove-token",
        Deed::ResyncToken => "admin-do-resync-token",
        Deed::ResetPin => "admin-do-reset-pin",
        Deed::LiftLimits => "admin-do-lift-limits",
        Deed::EndSessions => "admin-do-end-sessions",
    }
}

/// How a phone stands; `asks_pin`: the site asks each phone for a PIN, and the app from the stores takes none (rules B4).
fn phone_state(device: &Device, asks_pin: bool) -> &'static str {
    match device.state {
        DeviceState::Waiting => "admin-phone-waiting",
        DeviceState::Keyed => "admin-phone-keyed",
        DeviceState::Active if asks_pin && device.channel == Channel::PrivacyIdea => "admin-phone-no-pin",
        DeviceState::Active if device.unanswered >= SILENT_AFTER => "admin-phone-silent",
        DeviceState::Active => "admin-phone-active",
    }
}

/// Whether our page on the phone can be rung; other phones are asked in ways of their own.
fn rings(device: &Device) -> Option<&'static str> {
    let is_ours = device.channel == Channel::WebPush && device.state == DeviceState::Active;
    is_ours.then_some(if device.subscription.is_some() { "admin-rings-yes" } else { "admin-rings-no" })
}

/// What the page says once it is done.
fn did_key(deed: Deed) -> &'static str {
    match deed {
        Deed::AddUser => "admin-did-add-user",
        Deed::ChangeMail => "admin-did-change-mail",
        Deed::IssueCode => "admin-did-issue-code",
        Deed::Invite => "admin-did-invite",
        Deed::Block => "admin-did-block",
        Deed::Unblock => "admin-did-unblock",
        Deed::GrantBypass => "admin-did-grant-bypass",
        Deed::RevokeBypass => "admin-did-revoke-bypass",
        Deed::RemoveDevice => "admin-did-remove-device",
        Deed::RemoveToken => "admin-did-remove-token",
        Deed::ResyncToken => "admin-did-resync-token",
        Deed::ResetPin => "admin-did-reset-pin",
        Deed::LiftLimits => "admin-did-lift-limits",
        Deed::EndSessions => "admin-did-end-sessions",
    }
}

#[cfg(test)]
mod tests {
    use login::DeviceId;

    use super::*;

    #[test]
    fn staff_see_which_phone_is_never_asked_because_it_takes_no_pin() {
        let phone = |channel: Channel| Device {
            id: DeviceId("phone".into()),
            user: ResolvedUser::new("alice"),
            channel,
            label: None,
            added_at: Wall(0),
            state: DeviceState::Active,
            waits_until: None,
            fingerprint: None,
            seen_at: None,
            agent: None,
            unanswered: 0,
            subscription: None,
        };
        assert_eq!(phone_state(&phone(Channel::PrivacyIdea), true), "admin-phone-no-pin");
        assert_eq!(phone_state(&phone(Channel::PrivacyIdea), false), "admin-phone-active");
        assert_eq!(phone_state(&phone(Channel::WebPush), true), "admin-phone-active");
        let subscription =
            crate::store::Subscription { endpoint: "https://push.example/1".into(), p256dh: [4; 65], auth: [0; 16] };
        let rung = Device { subscription: Some(subscription), ..phone(Channel::WebPush) };
        assert_eq!(rings(&rung), Some("admin-rings-yes"));
        assert_eq!(rings(&phone(Channel::WebPush)), Some("admin-rings-no"), "its subscription is gone");
        assert_eq!(rings(&phone(Channel::PrivacyIdea)), None);
    }
}
