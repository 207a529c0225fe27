//! Letters that the engine's happenings cause: an invitation to enrol, and the alarm after a fraud report.
//!
//! Each letter is put into the store first, and sent from there; without an address or without `[mail]` nothing is written.
//! A notice never delays a login: it is a task of its own.

use std::sync::Arc;

use login::{ResolvedUser, Wall};
use tokio_util::task::TaskTracker;
use wire::Secret;

use crate::config::{Config, MailConfig};
use crate::engine::{FraudReport, Notices};
use crate::language::Language;
use crate::mail::{Address, Letter, LetterId, LetterKind};
use crate::store::{Store, StoreError};

/// Puts letters out for the engine.
pub(super) struct Mailing {
    store: Arc<dyn Store>,
    /// Who is told of fraud; `None`: the site sends no mail.
    alerts: Option<Arc<[Address]>>,
    tasks: TaskTracker,
}

impl Mailing {
    pub(super) fn of(config: &Config, store: Arc<dyn Store>, tasks: TaskTracker) -> Self {
        let addresses = |mail: &MailConfig| {
            mail.alerts.iter().filter_map(|to| Address::parse(&to.to_string()).ok()).collect::<Arc<[Address]>>()
        };
        Self { store, alerts: config.mail.as_ref().map(addresses), tasks }
    }
}

impl Notices for Mailing {
    fn unenrolled(&self, user: &ResolvedUser, at: Wall) {
        if self.alerts.is_none() {
            return;
        }
        let (store, user) = (Arc::clone(&self.store), user.clone());
        self.tasks.spawn(async move { told("inviting a user", invite(&*store, &user, at).await) });
    }

    fn fraud(&self, report: FraudReport) {
        let (client, station) = (shown(report.client.as_ref()), shown(report.station.as_ref()));
        tracing::warn!(
            user = %report.user,
            client,
            station,
            "a phone reported a login as not its owner's: pushes are off for this user until `vestibule user unblock`"
        );
        let Some(alerts) = self.alerts.clone() else { return };
        let store = Arc::clone(&self.store);
        self.tasks.spawn(async move { told("writing of a fraud report", alarm(&*store, &report, &alerts).await) });
    }
}

/// Once a day at most, and only where the store knows an address (F7).
async fn invite(store: &dyn Store, user: &ResolvedUser, at: Wall) -> Result<(), StoreError> {
    let chosen = store.choices(user).await?;
    let Some(to) = chosen.mail.as_deref().and_then(|mail| Address::parse(mail).ok()) else { return Ok(()) };
    if !store.invite(user, at).await? {
        return Ok(());
    }
    let language = chosen.language.as_deref().and_then(Language::of_tag).unwrap_or_default();
    post(store, user, to, language, LetterKind::Invitation { code: None }, at).await
}

/// To the user, who may have tapped by mistake, and to the site's own people.
async fn alarm(store: &dyn Store, report: &FraudReport, alerts: &[Address]) -> Result<(), StoreError> {
    let (client, station) = (shown(report.client.as_ref()), shown(report.station.as_ref()));
    let chosen = store.choices(&report.user).await?;
    if let Some(to) = chosen.mail.as_deref().and_then(|mail| Address::parse(mail).ok()) {
        let language = chosen.language.as_deref().and_then(Language::of_tag).unwrap_or_default();
        let kind = LetterKind::FraudReported { client: client.clone(), station: station.clone() };
        post(store, &report.user, to, language, kind, report.at).await?;
    }
    for to in alerts.iter().cloned() {
        let kind = LetterKind::FraudAlert { client: client.clone(), station: station.clone() };
        post(store, &report.user, to, Language::default(), kind, report.at).await?;
    }
    Ok(())
}

async fn post(
    store: &dyn Store,
    user: &ResolvedUser,
    to: Address,
    language: Language,
    kind: LetterKind,
    at: Wall,
) -> Result<(), StoreError> {
    let letter = Letter { id: LetterId(rand::random()), at, to, language, user: user.to_string(), kind };
    store.post(Secret::new(letter.to_json().as_bytes()), at).await.map(drop)
}

fn told(doing: &str, result: Result<(), StoreError>) {
    if let Err(error) = result {
        tracing::warn!(%error, "{doing} failed; nobody was written to");
    }
}

fn shown(what: Option<&impl ToString>) -> String {
    what.map(ToString::to_string).unwrap_or_default()
}
