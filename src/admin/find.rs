//! Finding users by a part of the name and by how it stands with them, a page at a time.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use login::name::fold;
use login::name::realm::has_realm;
use login::{ResolvedUser, Wall};
use serde::Deserialize;

use super::history;
use super::page::{Here, Page, address_of, role_word, shown, url_encoded};
use super::role::Role;
use super::staff::Staff;
use super::user::{SILENT_AFTER, State as Standing, standing};
use super::{Desk, deed::Deed};
use crate::config::Config;
use crate::language::{Language, text, text_with};
use crate::store::{Device, DeviceState, StoreError, StoredRecord, User, UsersWho};

/// Users on one page.
const AT_ONCE: usize = 25;

/// What is looked for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Search {
    /// A part of the name.
    q: String,
    /// Which of them.
    who: String,
    /// The last name of the page before.
    after: String,
}

#[derive(Template)]
#[template(path = "admin_users.html")]
struct UsersPage {
    page: Page,
    sought: String,
    /// Word, text, and whether it is the one.
    choices: [(&'static str, String, bool); 4],
    count: String,
    found: Vec<Row>,
    next: Option<String>,
    /// Nobody has just this name: it can be added.
    add: Option<(String, String)>,
}

/// One user in the list.
struct Row {
    name: String,
    address: String,
    role: Option<String>,
    state: Standing,
    methods: String,
    /// The last login that was let in.
    last: String,
}

pub(super) async fn show(State(desk): State<Desk>, staff: Staff, Query(search): Query<Search>) -> Response {
    let typed = search.q.trim();
    let policy = std::sync::Arc::clone(&desk.config().policy);
    let named = policy.staff_name(typed.as_bytes()).ok().map(|name| name.folded().to_owned());
    // A whole name is looked for as a login would bring it; the beginning of one as it stands.
    let whole = named.clone().filter(|_| has_realm(typed));
    let sought = whole.unwrap_or_else(|| fold::casefold(typed));
    let who = who(&search.who);
    let (found, count, is_there) = match found(&desk, &sought, who, &search.after, named.as_deref()).await {
        Ok(found) => found,
        Err(error) => return staff.away(&desk, &error),
    };
    let (config, now) = (desk.config(), desk.now());
    let may_add = !sought.is_empty() && search.after.is_empty() && !is_there && staff.role >= Role::HelpDesk;
    let add = may_add.then(|| {
        let name = named.as_deref().unwrap_or(&sought);
        let label = text_with(staff.language, "admin-users-add", &[("name", name.into())]);
        (label, format!("/user/{}?name={}", Deed::AddUser.as_str(), url_encoded(name)))
    });
    let next = found.get(AT_ONCE - 1).filter(|_| found.len() > AT_ONCE).map(|last| {
        let (sought, last) = (url_encoded(&sought), url_encoded(last.name.as_str()));
        format!("/users?q={sought}&who={}&after={last}", url_encoded(&search.who))
    });
    let mut rows = Vec::new();
    for user in found.iter().take(AT_ONCE) {
        match desk.store.last_accept(&user.name).await {
            Ok(last) => rows.push(row(user, last.as_ref(), &config, now, staff.language)),
            Err(error) => return staff.away(&desk, &error),
        }
    }
    let count = text_with(staff.language, "admin-users-count", &[("count", count.into())]);
    let choices = WHO.map(|(word, key)| (word, text(staff.language, key).into_owned(), word == search.who));
    shown(
        StatusCode::OK,
        &UsersPage { page: staff.page(&desk, Here::Users), sought, choices, count, found: rows, next, add },
    )
}

/// One page of users and the first of the next; how many there are in all; whether somebody has just the name that was typed.
async fn found(
    desk: &Desk,
    sought: &str,
    who: UsersWho,
    after: &str,
    named: Option<&str>,
) -> Result<(Vec<User>, u64, bool), StoreError> {
    let store = &desk.store;
    let begin = (!after.is_empty()).then(|| ResolvedUser::new(after));
    let found = store.find_users(sought, who, begin.as_ref(), AT_ONCE + 1).await?;
    let count = store.count_users(sought, who).await?;
    let is_there = match named {
        Some(named) => store.show_user(&ResolvedUser::new(named)).await?.is_some(),
        None => false,
    };
    Ok((found, count, is_there))
}

/// Which users may be listed: the word in the address, and its text.
const WHO: [(&str, &str); 4] = [
    ("", "admin-who-all"),
    ("not-enrolled", "admin-state-unenrolled"),
    ("blocked", "admin-act-block"),
    ("silent", "admin-who-silent"),
];

fn who(word: &str) -> UsersWho {
    match word {
        "not-enrolled" => UsersWho::NeverEnrolled,
        "blocked" => UsersWho::Blocked,
        "silent" => UsersWho::Silent(SILENT_AFTER),
        _ => UsersWho::All,
    }
}

fn row(user: &User, last: Option<&StoredRecord>, config: &Config, now: Wall, language: Language) -> Row {
    let roles = config.admin.as_ref().map(|admin| &admin.roles);
    let role = roles.and_then(|roles| Role::of(&user.groups, roles));
    Row {
        name: user.name.as_str().to_owned(),
        address: address_of(&user.name),
        role: role.map(|role| role_word(language, role).into_owned()),
        // There is always one: whoever has no trouble may log in.
        state: standing(user, now, language).into_iter().next().unwrap_or_default(),
        methods: methods(user, language),
        last: last.and_then(history::time_of).unwrap_or_else(|| text(language, "admin-phone-never-seen").into_owned()),
    }
}

fn methods(user: &User, language: Language) -> String {
    let active = |device: &&Device| device.state == DeviceState::Active;
    let phones = user.devices.iter().filter(active).count();
    let silent = user.devices.iter().filter(active).filter(|device| device.unanswered >= SILENT_AFTER).count();
    let counted =
        [("admin-count-phones", phones), ("admin-count-silent", silent), ("admin-count-tokens", user.tokens.len())];
    let told = counted.into_iter().filter(|(_, count)| *count > 0);
    let told: Vec<String> = told.map(|(key, count)| text_with(language, key, &[("count", count.into())])).collect();
    if told.is_empty() { text(language, "admin-methods-none").into_owned() } else { told.join(", ") }
}
