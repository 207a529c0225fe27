//! Who is held now, for the live board: a look at the map, one shard after the other, that keeps nobody waiting.

use std::time::Duration;

use login::session::{Waiting, WaitsFor};
use login::{ClientName, LoginId, RuleName, Station};

use super::Engine;

/// One login that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoardRow {
    /// Its id, as the audit writes it.
    pub login: LoginId,
    /// Who: the resolved user; a name that nobody vouched for yet is shown as a keyed hash (rules F2).
    pub user: String,
    /// The primary has vouched for that name.
    pub vouched: bool,
    /// Through which client.
    pub client: ClientName,
    /// From where.
    pub station: Option<Station>,
    /// Which rule decides, once one does.
    pub rule: Option<RuleName>,
    /// What it waits for.
    pub waits_for: WaitsFor,
    /// For how long it has been held.
    pub since: Duration,
    /// How many requests have asked for it.
    pub askers: u32,
}

/// Rows that a board shows at most: nobody reads more, and a look stays short (G1).
const ROWS_MAX: usize = 1000;

impl Engine {
    /// Who is held now, the longest first; of more than a thousand, any thousand.
    #[must_use]
    pub fn board(&self) -> Vec<BoardRow> {
        let now = self.0.clock.tick();
        let sessions = self.0.sessions.iter();
        let held = sessions.flat_map(|entry| entry.session.iter().flat_map(|held| held.waiting()).collect::<Vec<_>>());
        let mut rows: Vec<BoardRow> = held.take(ROWS_MAX).map(|waiting| self.row(waiting, now)).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.since));
        rows
    }

    fn row(&self, waiting: Waiting, now: login::Tick) -> BoardRow {
        let Waiting { login, vouched, name, client, station, rule, waits_for, since, askers } = waiting;
        let is_vouched = vouched.is_some();
        let user = vouched.map_or_else(|| self.0.store.unknown_name(&name), |user| user.to_string());
        BoardRow { login, user, vouched: is_vouched, client, station, rule, waits_for, since: now.since(since), askers }
    }
}
