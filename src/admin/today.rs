//! Pictures of the day, drawn here without a script: how logins ended each five minutes, why some were refused, who is enrolled,
//! which phones are silent. Beside each picture stands a table with the same numbers.
//!
//! All who look share one look at the store (rules G1).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use login::{Tick, Wall};
use tokio::sync::Mutex;

use super::Desk;
use super::page::{Here, Page, shown, url_encoded};
use super::refused::what;
use super::staff::Staff;
use super::user::SILENT_AFTER;
use crate::language::{text, text_with};
use crate::store::{Census, MinuteCount, StoreError};

/// Milliseconds of a day.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// Minutes that one bar stands for.
const SLOT_MIN: u64 = 5;
/// How high a bar may be, up and down each.
const HIGH: u64 = 100;
/// How long a look is shared.
const LOOK_LASTS: Duration = Duration::from_secs(5);

/// The look that all share.
#[derive(Default)]
pub(super) struct Today(Mutex<Option<Look>>);

#[derive(Clone)]
struct Look {
    at: Tick,
    minutes: Arc<[MinuteCount]>,
    census: Census,
}

impl Today {
    async fn look(&self, desk: &Desk) -> Result<Look, StoreError> {
        let mut last = self.0.lock().await;
        let now = desk.clock.moment();
        if let Some(fresh) = last.as_ref().filter(|look| now.tick.since(look.at) < LOOK_LASTS) {
            return Ok(fresh.clone());
        }
        let begins = Wall(now.wall.0 / DAY_MS * DAY_MS);
        let minutes = desk.store.minutes(begins, Wall(begins.0.saturating_add(DAY_MS))).await?.into();
        let look = Look { at: now.tick, minutes, census: desk.store.census(SILENT_AFTER).await? };
        *last = Some(look.clone());
        Ok(look)
    }
}

#[derive(Template)]
#[template(path = "admin_today.html")]
struct TodayPage {
    page: Page,
    slots: Vec<Slot>,
    most: String,
    told: String,
    reasons: Vec<Bar>,
    shares: Vec<Share>,
}

/// Five minutes.
struct Slot {
    /// Where its bar stands, of 288.
    at: u64,
    time: String,
    accepted: u64,
    refused: u64,
    up: u64,
    down: u64,
}

/// One reason and how often.
struct Bar {
    what: String,
    address: String,
    count: u64,
    width: u64,
}

/// Some of all.
struct Share {
    title: String,
    id: &'static str,
    told: String,
    width: u64,
    parts: [(String, u64, &'static str); 2],
}

pub(super) async fn show(State(desk): State<Desk>, staff: Staff) -> Response {
    let look = match desk.today().look(&desk).await {
        Ok(look) => look,
        Err(error) => return staff.away(&desk, &error),
    };
    let language = staff.language;
    let slots = slots(&look.minutes);
    let sum = |of: fn(&Slot) -> u64| slots.iter().map(of).sum::<u64>();
    let args = [
        ("accepted", sum(|slot| slot.accepted).to_string().into()),
        ("refused", sum(|slot| slot.refused).to_string().into()),
    ];
    let most = slots.iter().map(|slot| slot.accepted.max(slot.refused)).max().unwrap_or_default();
    let most = text_with(language, "admin-today-most", &[("count", most.to_string().into())]);
    let reasons = reasons(&look.minutes).into_iter().map(|(reason, count, width)| Bar {
        what: what(&reason, language),
        address: format!("/refusals?reason={}", url_encoded(&reason)),
        count,
        width,
    });
    let share = |id, title: &str, (some, some_key): (u64, &str), (rest, rest_key): (u64, &str), look| {
        let word = |key: &str| text(language, key).into_owned();
        let [some_word, rest_word] = [word(some_key), word(rest_key)];
        let told = format!("{some_word}: {some}. {rest_word}: {rest}.");
        let width = scaled(some, some.saturating_add(rest));
        Share { id, title: word(title), told, width, parts: [(some_word, some, look), (rest_word, rest, "rest")] }
    };
    let census = look.census;
    let (waiting, answering) =
        (census.users.saturating_sub(census.enrolled), census.phones.saturating_sub(census.silent));
    let shares = vec![
        share(
            "enrolled",
            "admin-nav-users",
            (census.enrolled, "admin-today-enrolled"),
            (waiting, "admin-state-unenrolled"),
            "up",
        ),
        share(
            "phones",
            "admin-today-phones",
            (census.silent, "admin-today-silent"),
            (answering, "admin-today-answering"),
            "down",
        ),
    ];
    let page = TodayPage {
        page: staff.page(&desk, Here::Today),
        told: text_with(language, "admin-today-told", &args),
        slots,
        most,
        reasons: reasons.collect(),
        shares,
    };
    shown(StatusCode::OK, &page)
}

/// Those five minutes in which somebody logged in.
fn slots(minutes: &[MinuteCount]) -> Vec<Slot> {
    let mut counted: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for one in minutes {
        let Some(at) = slot_of(&one.minute) else { continue };
        let (accepted, refused) = counted.entry(at).or_default();
        let side = if one.accepted { accepted } else { refused };
        *side = side.saturating_add(one.count);
    }
    let most = counted.values().map(|(accepted, refused)| *accepted.max(refused)).max().unwrap_or_default();
    let slot = |(at, (accepted, refused)): (u64, (u64, u64))| Slot {
        at,
        time: format!("{:02}:{:02}", at * SLOT_MIN / 60, at * SLOT_MIN % 60),
        accepted,
        refused,
        up: scaled(accepted, most),
        down: scaled(refused, most),
    };
    counted.into_iter().map(slot).collect()
}

/// `2027-01-15T08:04` is in the 96th five minutes of its day.
fn slot_of(minute: &str) -> Option<u64> {
    let (hour, minute) = minute.get(11..16)?.split_once(':')?;
    let (hour, minute): (u64, u64) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60).then_some((hour * 60 + minute) / SLOT_MIN)
}

/// Of [`HIGH`]; what is there at all is seen.
fn scaled(count: u64, most: u64) -> u64 {
    let share = u128::from(count) * u128::from(HIGH) / u128::from(most.max(1));
    u64::try_from(share).unwrap_or(HIGH).clamp(u64::from(count > 0), HIGH)
}

/// The reasons of the day, the most frequent first, with the width of their bars.
fn reasons(minutes: &[MinuteCount]) -> Vec<(String, u64, u64)> {
    let mut counted: BTreeMap<&str, u64> = BTreeMap::new();
    for one in minutes.iter().filter(|one| !one.accepted) {
        let count = counted.entry(&one.reason).or_default();
        *count = count.saturating_add(one.count);
    }
    let mut sorted: Vec<_> = counted.into_iter().collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let most = sorted.first().map_or(0, |(_, count)| *count);
    sorted.into_iter().map(|(reason, count)| (reason.to_owned(), count, scaled(count, most))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(minute: &str, accepted: bool, reason: &str, count: u64) -> MinuteCount {
        MinuteCount { minute: minute.to_owned(), accepted, reason: reason.to_owned(), count }
    }

    #[test]
    fn minutes_are_counted_by_five_and_drawn_to_one_scale() {
        let minutes = [
            count("2027-01-15T08:04", true, "accepted", 40),
            count("2027-01-15T08:00", false, "primary", 10),
            count("2027-01-15T23:59", false, "no_rule", 1),
            count("2027-01-15T23:55", false, "primary", 1000),
            count("nonsense", true, "accepted", 7),
        ];
        let drawn: Vec<_> = slots(&minutes)
            .into_iter()
            .map(|slot| (slot.at, slot.time, slot.accepted, slot.refused, slot.up, slot.down))
            .collect();
        assert_eq!(drawn, [(96, "08:00".to_owned(), 40, 10, 3, 1), (287, "23:55".to_owned(), 0, 1001, 0, 100)]);
        assert_eq!(reasons(&minutes), [("primary".to_owned(), 1010, 100), ("no_rule".to_owned(), 1, 1)]);
        assert!(slots(&[]).is_empty() && reasons(&[]).is_empty());
    }
}
