//! The live board: who waits now, how long and on what; kept up to date by events, or by itself without script.
//!
//! All who look share one look at the engine, and no more than a bounded number look at once (rules G1). What is sent is the
//! page's own HTML, so that with and without script the same is seen. Names that nobody vouched for are keyed hashes (F2). A
//! board that is open keeps its session from going idle, as a screen on the wall needs; the session's absolute end stands.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use login::session::WaitsFor;
use login::{ResolvedUser, Tick};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Desk;
use super::events::{event, sign_of_life, stream};
use super::page::{Here, Page, address_of, shown};
use super::rates::{Rates, Samples};
use super::staff::Staff;
use crate::engine::BoardRow;
use crate::language::{Language, text, text_with};
use crate::web::{Connection, Held};

/// Boards that are open at once.
const BOARDS_MAX: usize = 32;
/// Rows on a board; the longest wait first.
const ROWS_MAX: usize = 100;
/// A look is shared for so long.
const LOOK_LASTS: Duration = Duration::from_millis(500);
/// An open board looks again so often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Whether its reader still may is asked so often, and so often at least something is sent.
const ASK_EVERY: Duration = Duration::from_secs(15);
/// From here on a wait is shown as a long one: half a minute is what many VPN clients have.
const LONG_S: u64 = 25;

/// What all boards share.
pub(super) struct Board {
    last: Mutex<Option<Look>>,
    samples: Mutex<Samples>,
    places: Arc<Semaphore>,
}

/// One look at the engine.
#[derive(Clone)]
struct Look {
    at: Tick,
    rows: Arc<[BoardRow]>,
    held: usize,
    rates: Rates,
}

impl Default for Board {
    fn default() -> Self {
        Self { last: Mutex::default(), samples: Mutex::default(), places: Arc::new(Semaphore::new(BOARDS_MAX)) }
    }
}

impl Board {
    fn look(&self, desk: &Desk) -> Look {
        let now = desk.clock.tick();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(fresh) = last.as_ref().filter(|look| now.since(look.at) < LOOK_LASTS) {
            return fresh.clone();
        }
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let rates = samples.look(now, || desk.telemetry.render());
        let look = Look { at: now, rows: desk.engine.board().into(), held: desk.engine.held(), rates };
        *last = Some(look.clone());
        look
    }
}

#[derive(Template)]
#[template(path = "admin_board.html")]
struct BoardPage {
    page: Page,
    /// Made by its own template, which escapes what it shows.
    board: String,
}

#[derive(Template)]
#[template(path = "admin_board_rows.html")]
struct Rows {
    counters: Vec<(String, u64)>,
    heads: [String; 6],
    caption: String,
    nobody: String,
    more: String,
    rows: Vec<Row>,
}

/// One login that waits.
struct Row {
    key: String,
    user: String,
    address: Option<String>,
    waited: String,
    is_long: bool,
    waits_for: String,
    client: String,
    station: String,
    rule: String,
}

pub(super) async fn show(State(desk): State<Desk>, staff: Staff) -> Response {
    let board = rows(&desk.board().look(&desk), staff.language);
    shown(StatusCode::OK, &BoardPage { page: staff.page(&desk, Here::Board), board })
}

/// The board as it changes, as long as its reader looks and may.
pub(super) async fn events(
    State(desk): State<Desk>,
    connection: Option<Extension<Connection>>,
    staff: Staff,
) -> Response {
    let Ok(place) = Arc::clone(&desk.board().places).try_acquire_owned() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let held = connection.map(|Extension(connection)| connection.hold());
    if matches!(held, Some(None)) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let (now, held) = (desk.clock.tick(), held.flatten());
    let watch = Watch { desk, staff, told: String::new(), told_at: now, asked_at: now, _place: place, _held: held };
    stream(watch, Watch::next)
}

/// One board that is open.
struct Watch {
    desk: Desk,
    staff: Staff,
    told: String,
    told_at: Tick,
    asked_at: Tick,
    _place: OwnedSemaphorePermit,
    /// No newcomer sends it away.
    _held: Option<Held>,
}

impl Watch {
    /// The next thing to tell; `None`: the reader is no staff any more.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        loop {
            if !self.told.is_empty() {
                self.desk.clock.wait(LOOK_EVERY).await;
            }
            let now = self.desk.clock.tick();
            if now.since(self.asked_at) >= ASK_EVERY {
                if !self.staff.is_still(&self.desk).await {
                    return None;
                }
                self.asked_at = now;
            }
            let board = rows(&self.desk.board().look(&self.desk), self.staff.language);
            let has_changed = board != self.told;
            if has_changed || now.since(self.told_at) >= ASK_EVERY {
                let octets = if has_changed { event(&board) } else { sign_of_life() };
                (self.told, self.told_at) = (board, now);
                return Some((octets, self));
            }
        }
    }
}

/// The board in HTML.
fn rows(look: &Look, language: Language) -> String {
    let said = |key: &str| text(language, key).into_owned();
    let over = [("seconds", look.rates.over_s.into())];
    let left_out = look.rows.len().saturating_sub(ROWS_MAX);
    let more = (left_out > 0).then(|| text_with(language, "admin-board-more", &[("count", left_out.into())]));
    let rows = Rows {
        counters: vec![
            (said("admin-board-held"), look.held as u64),
            (text_with(language, "admin-board-accepted", &over), look.rates.accepted),
            (text_with(language, "admin-board-rejected", &over), look.rates.rejected),
        ],
        heads: [
            said("admin-user-name"),
            said("admin-board-waited"),
            said("admin-board-waits-for"),
            said("admin-fact-client"),
            said("admin-fact-station"),
            said("admin-fact-rule"),
        ],
        caption: said("admin-board-title"),
        nobody: said("admin-board-nobody"),
        more: more.unwrap_or_default(),
        rows: look.rows.iter().take(ROWS_MAX).map(|row| one(row, language)).collect(),
    };
    rows.render().unwrap_or_default()
}

fn one(row: &BoardRow, language: Language) -> Row {
    let seconds = row.since.as_secs();
    let mut waits_for = text(language, waits_for_key(row.waits_for)).into_owned();
    if row.askers > 1 {
        waits_for.push_str(", ");
        waits_for.push_str(&text_with(language, "admin-board-askers", &[("count", row.askers.into())]));
    }
    Row {
        key: row.login.to_string(),
        address: row.vouched.then(|| address_of(&ResolvedUser::new(row.user.as_str()))),
        user: row.user.clone(),
        waited: format!("{}:{:02}", seconds / 60, seconds % 60),
        is_long: seconds >= LONG_S,
        waits_for,
        client: row.client.to_string(),
        station: row.station.as_ref().map(ToString::to_string).unwrap_or_default(),
        rule: row.rule.as_ref().map(ToString::to_string).unwrap_or_default(),
    }
}

fn waits_for_key(waits_for: WaitsFor) -> &'static str {
    match waits_for {
        WaitsFor::Primary => "admin-waits-primary",
        WaitsFor::PrimaryAnswer => "admin-waits-primary-answer",
        WaitsFor::Store => "admin-waits-store",
        WaitsFor::Phone => "admin-waits-phone",
        WaitsFor::Answer => "admin-waits-answer",
        WaitsFor::PhoneOrAnswer => "admin-waits-phone-or-answer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use login::{ClientName, LoginId, RuleName, Station};

    fn look(users: &[&str]) -> Look {
        let row = |(at, user): (u64, &&str)| BoardRow {
            login: LoginId(at),
            user: (*user).to_owned(),
            vouched: true,
            client: ClientName::new("vpn"),
            station: Some(Station::new(b"<203.0.113.9>")),
            rule: Some(RuleName::new("VPN users")),
            waits_for: WaitsFor::Phone,
            since: Duration::from_secs(65),
            askers: 2,
        };
        let rows: Vec<BoardRow> = (0..).zip(users).map(row).collect();
        let rates = Rates { accepted: 3, rejected: 1, over_s: 60 };
        Look { at: Tick(0), held: rows.len(), rows: rows.into(), rates }
    }

    #[test]
    fn a_row_tells_who_waits_how_long_and_on_what_and_whatever_was_sent_is_only_shown() {
        let html = rows(&look(&["<b>eve</b>"]), Language::English);
        assert!(html.contains("1:05") && html.contains("Phone, asked 2 times") && html.contains("VPN users"), "{html}");
        assert!(!html.contains("<b>") && !html.contains("<203"), "{html}");
        assert!(html.contains("/user?name=%3Cb%3Eeve%3C%2Fb%3E"), "{html}");
    }

    #[test]
    fn an_empty_board_says_so_and_a_full_one_how_many_are_left_out() {
        assert!(rows(&look(&[]), Language::English).contains("Nobody waits now."));
        let many = vec!["a"; ROWS_MAX + 7];
        let html = rows(&look(&many), Language::English);
        assert_eq!(html.matches("<tr data-key").count(), ROWS_MAX);
        assert!(html.contains("and 7 more"), "{html}");
    }
}
