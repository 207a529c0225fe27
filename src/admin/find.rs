//! Finding a user by how the name begins, a page at a time.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use login::name::fold;
use login::name::realm::has_realm;
use login::{ResolvedUser, Wall};
use serde::Deserialize;

use super::page::{Here, Page, address_of, role_word, shown, url_encoded};
use super::role::Role;
use super::staff::Staff;
use super::user::{State as Standing, standing};
use super::{Desk, deed::Deed};
use crate::config::Config;
use crate::language::{Language, text, text_with};
use crate::store::{DeviceState, StoreError, User};

/// Users on one page.
const AT_ONCE: usize = 25;

/// What is looked for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Search {
    /// How the name begins.
    q: String,
    /// The last name of the page before.
    after: String,
}

#[derive(Template)]
#[template(path = "admin_users.html")]
struct UsersPage {
    page: Page,
    sought: String,
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
}

pub(super) async fn show(State(desk): State<Desk>, staff: Staff, Query(search): Query<Search>) -> Response {
    let typed = search.q.trim();
    let policy = std::sync::Arc::clone(&desk.config().policy);
    let named = policy.staff_name(typed.as_bytes()).ok().map(|name| name.folded().to_owned());
    // A whole name is looked for as a login would bring it; the beginning of one as it stands.
    let whole = named.clone().filter(|_| has_realm(typed));
    let sought = whole.unwrap_or_else(|| fold::casefold(typed));
    let found = match found(&desk, &sought, &search.after).await {
        Ok(found) => found,
        Err(error) => return staff.away(&desk, &error),
    };
    let (config, now) = (desk.config(), desk.now());
    let is_there = found.iter().any(|user| Some(user.name.as_str()) == named.as_deref());
    let may_add = !sought.is_empty() && search.after.is_empty() && !is_there && staff.role >= Role::HelpDesk;
    let add = may_add.then(|| {
        let name = named.as_deref().unwrap_or(&sought);
        let label = text_with(staff.language, "admin-users-add", &[("name", name.into())]);
        (label, format!("/user/{}?name={}", Deed::AddUser.as_str(), url_encoded(name)))
    });
    let next = found
        .get(AT_ONCE - 1)
        .filter(|_| found.len() > AT_ONCE)
        .map(|last| format!("/users?q={}&after={}", url_encoded(&sought), url_encoded(last.name.as_str())));
    let rows = found.iter().take(AT_ONCE).map(|user| row(user, &config, now, staff.language)).collect();
    shown(StatusCode::OK, &UsersPage { page: staff.page(&desk, Here::Users), sought, found: rows, next, add })
}

/// One page of users and the first of the next. Names stand in the store in the order of their octets, so those that begin
/// alike stand together.
async fn found(desk: &Desk, sought: &str, after: &str) -> Result<Vec<User>, StoreError> {
    let mut found = Vec::new();
    let begin = if after.is_empty() { sought } else { after };
    if after.is_empty() && !sought.is_empty() {
        found.extend(desk.store.show_user(&ResolvedUser::new(sought)).await?);
    }
    let begin = (!begin.is_empty()).then(|| ResolvedUser::new(begin));
    let more = desk.store.list_users(begin.as_ref(), AT_ONCE + 1 - found.len()).await?;
    found.extend(more.into_iter().take_while(|user| user.name.as_str().starts_with(sought)));
    Ok(found)
}

fn row(user: &User, config: &Config, now: Wall, language: Language) -> Row {
    let roles = config.admin.as_ref().map(|admin| &admin.roles);
    let role = roles.and_then(|roles| Role::of(&user.groups, roles));
    Row {
        name: user.name.as_str().to_owned(),
        address: address_of(&user.name),
        role: role.map(|role| role_word(language, role).into_owned()),
        // There is always one: whoever has no trouble may log in.
        state: standing(user, now, language).into_iter().next().unwrap_or_default(),
        methods: methods(user, language),
    }
}

fn methods(user: &User, language: Language) -> String {
    let phones = user.devices.iter().filter(|device| device.state == DeviceState::Active).count();
    let counted = [("admin-count-phones", phones), ("admin-count-tokens", user.tokens.len())];
    let told = counted.into_iter().filter(|(_, count)| *count > 0);
    let told: Vec<String> = told.map(|(key, count)| text_with(language, key, &[("count", count.into())])).collect();
    if told.is_empty() { text(language, "admin-methods-none").into_owned() } else { told.join(", ") }
}
