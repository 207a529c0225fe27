//! The last refusals of all: when, who, through which appliance, and why in the sentence of the log; by reason, appliance, person.
//!
//! Read by an index and a page at a time (rules G1). A name that is unknown stands in the records as a keyed hash (rules F2); who
//! types that name finds it, and nobody reads it from here.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use login::name::fold;
use login::{Reason, ResolvedUser};
use serde::Deserialize;

use super::Desk;
use super::history::{self, Login};
use super::page::{Here, Page, address_of, shown, url_encoded};
use super::staff::Staff;
use crate::language::{Language, text};
use crate::store::RefusalsOf;

/// Refusals on one page.
const AT_ONCE: usize = 25;

/// What is looked for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    /// Whose.
    q: String,
    reason: String,
    client: String,
    /// The place in the chain before which the page begins.
    before: String,
}

#[derive(Template)]
#[template(path = "admin_refusals.html")]
struct RefusalsPage {
    page: Page,
    sought: String,
    reasons: Vec<Choice>,
    clients: Vec<Choice>,
    rows: Vec<Row>,
    /// Something is looked for, so that there is something to clear.
    is_filtered: bool,
    older: Option<String>,
}

/// One of a list.
struct Choice {
    value: String,
    label: String,
    is_chosen: bool,
}

/// One refusal.
struct Row {
    user: String,
    /// The page of whoever it was, where the name is known.
    address: Option<String>,
    client: String,
    login: Login,
}

pub(super) async fn show(State(desk): State<Desk>, staff: Staff, Query(wanted): Query<Wanted>) -> Response {
    let (config, typed) = (desk.config(), wanted.q.trim());
    let mut names: Vec<String> = Vec::new();
    if !typed.is_empty() {
        // As it was typed at the VPN, folded, and as a login reads it.
        let read = config.policy.staff_name(typed.as_bytes()).ok().map(|name| name.folded().to_owned());
        names.extend([typed.to_owned(), fold::casefold(typed)].into_iter().chain(read));
    }
    let said = |word: &str| (!word.is_empty()).then(|| word.to_owned());
    let of = RefusalsOf { reason: said(&wanted.reason), client: said(&wanted.client), names };
    let found = match desk.store.refusals(of, wanted.before.parse().ok(), AT_ONCE).await {
        Ok(found) => found,
        Err(error) => return staff.away(&desk, &error),
    };
    let mut rows = Vec::new();
    for record in &found.records {
        let Some(login) = history::login(record, staff.language) else { continue };
        let json: serde_json::Value = serde_json::from_str(&record.json).unwrap_or_default();
        let said = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
        let user = said("user");
        let name = ResolvedUser::new(user.as_str());
        let is_known = match desk.store.show_user(&name).await {
            Ok(known) => known.is_some(),
            Err(error) => return staff.away(&desk, &error),
        };
        let client = config.titles.asker(&said("client")).to_owned();
        rows.push(Row { address: is_known.then(|| address_of(&name)), user, client, login });
    }
    let older = found.older.map(|before| {
        let words = [&wanted.q, &wanted.reason, &wanted.client].map(|word| url_encoded(word));
        format!("/refusals?q={}&reason={}&client={}&before={before}", words[0], words[1], words[2])
    });
    let clients = config.clients.iter().map(|client| client.name.to_string());
    let pages = ["portal", "admin"].map(str::to_owned);
    let mut clients: Vec<String> = clients.chain(pages).collect();
    clients.sort_unstable();
    clients.dedup();
    let choice = |value: String, label: String, chosen: &str| Choice { is_chosen: value == chosen, value, label };
    let client = |name: String| {
        let label = config.titles.asker(&name).to_owned();
        choice(name, label, &wanted.client)
    };
    let reasons = Reason::ALL.iter().copied().filter(|reason| *reason != Reason::Accepted);
    let mut reasons: Vec<Choice> = reasons
        .map(|reason| choice(reason.as_str().to_owned(), what(reason.as_str(), staff.language), &wanted.reason))
        .collect();
    reasons.sort_by(|one, other| one.label.cmp(&other.label));
    let page = RefusalsPage {
        page: staff.page(&desk, Here::Refusals),
        sought: typed.to_owned(),
        reasons,
        clients: clients.into_iter().map(client).collect(),
        rows,
        is_filtered: !(typed.is_empty() && wanted.reason.is_empty() && wanted.client.is_empty()),
        older,
    };
    shown(StatusCode::OK, &page)
}

/// What happened, without what to do: the first sentence of the reason's words.
pub(super) fn what(reason: &str, language: Language) -> String {
    let key = format!("admin-reason-{}", reason.replace('_', "-"));
    let said = text(language, &key);
    if said == key {
        return reason.to_owned();
    }
    said.split_once(". ").map_or_else(|| said.clone().into_owned(), |(what, _)| format!("{what}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_called_by_what_happened_and_an_unknown_one_by_its_word() {
        let primary =
            "The password server said no: the password was wrong, or the account is locked, expired or unknown there.";
        assert_eq!(what("primary", Language::English), primary);
        assert_eq!(what("moonlight", Language::English), "moonlight");
    }
}
