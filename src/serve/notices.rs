//! Letters that the engine's happenings cause: an invitation to enrol, and the alarm after a fraud report.
//!
//! Each letter is put into the store first, and sent from there; without an address or without `[mail]` nothing is written.
//! A notice never delays a login: it is a task of its own.

use std::sync::Arc;

use login::{ResolvedUser, Wall};
use tokio_util::task::TaskTracker;
use wire::Secret;

use crate::config::Config;
use crate::engine::{FraudReport, Notices};
use crate::language::Language;
use crate::mail::{Address, Letter, LetterId, LetterKind};
use crate::store::{Store, StoreError, UserChoices};

use super::rooms::InForceConfig;

/// Puts letters out for the engine.
pub(super) struct Mailing {
    store: Arc<dyn Store>,
    config: InForceConfig,
    tasks: TaskTracker,
}

impl Mailing {
    pub(super) fn of(config: InForceConfig, store: Arc<dyn Store>, tasks: TaskTracker) -> Self {
        Self { store, config, tasks }
    }
}

impl Notices for Mailing {
    fn unenrolled(&self, user: &ResolvedUser, at: Wall) {
        if self.config.get().mail.is_none() {
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
        let Some(alerts) = alerts(&self.config.get()) else { return };
        let store = Arc::clone(&self.store);
        self.tasks.spawn(async move { told("writing of a fraud report", alarm(&*store, &report, &alerts).await) });
    }
}

/// Once a day at most, and only where the store knows an address (F7).
async fn invite(store: &dyn Store, user: &ResolvedUser, at: Wall) -> Result<(), StoreError> {
    let Some((to, language)) = reader(store, user).await? else { return Ok(()) };
    if !store.invite(user, at).await? {
        return Ok(());
    }
    post(store, user, to, language, LetterKind::Invitation { code: None }, at).await
}

/// To the user, who may have tapped by mistake, and to the site's own people.
async fn alarm(store: &dyn Store, report: &FraudReport, alerts: &[Address]) -> Result<(), StoreError> {
    let (client, station) = (shown(report.client.as_ref()), shown(report.station.as_ref()));
    if let Some((to, language)) = reader(store, &report.user).await? {
        let kind = LetterKind::FraudReported { client: client.clone(), station: station.clone() };
        post(store, &report.user, to, language, kind, report.at).await?;
    }
    for to in alerts.iter().cloned() {
        let kind = LetterKind::FraudAlert { client: client.clone(), station: station.clone() };
        post(store, &report.user, to, Language::default(), kind, report.at).await?;
    }
    Ok(())
}

/// Where a user reads mail, and in which language; `None`: nowhere that we know of.
pub(super) async fn reader(store: &dyn Store, user: &ResolvedUser) -> Result<Option<(Address, Language)>, StoreError> {
    let UserChoices { mail, language, .. } = store.choices(user).await?;
    let language = language.as_deref().and_then(Language::of_tag).unwrap_or_default();
    Ok(mail.and_then(|mail| Address::parse(&mail).ok()).map(|to| (to, language)))
}

/// Who is told of fraud and of silent phones; `None`: the site sends no mail.
pub(super) fn alerts(config: &Config) -> Option<Vec<Address>> {
    let address = |to: &lettre::Address| Address::parse(to.as_ref()).ok();
    config.mail.as_ref().map(|mail| mail.alerts.iter().filter_map(address).collect())
}

/// Puts a letter into the store, from where it is sent.
pub(super) async fn post(
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
