//! Letters that the engine's happenings cause: an invitation to enrol, and the alarm after a fraud report.
//!
//! Each letter is put into the store first, and sent from there; without an address or without `[mail]` nothing is written.
//! A notice never delays a login: it is a task of its own.

use std::sync::Arc;

use login::{ResolvedUser, Wall};
use tokio_util::task::TaskTracker;

use crate::config::{Config, Titles};
use crate::engine::{FraudReport, Notices};
use crate::mail::{self, LetterKind, Reader};
use crate::store::{Store, StoreError};

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
        let config = self.config.get();
        let Some(alerts) = alerts(&config) else { return };
        let store = Arc::clone(&self.store);
        self.tasks.spawn(async move {
            let written = alarm(&*store, &report, &alerts, &config.titles).await;
            told("writing of a fraud report", written);
        });
    }
}

/// Once a day at most, and only where the store knows an address (F7).
async fn invite(store: &dyn Store, user: &ResolvedUser, at: Wall) -> Result<(), StoreError> {
    let Some(reader) = reader(store, user).await? else { return Ok(()) };
    if !store.invite(user, at).await? {
        return Ok(());
    }
    mail::post(store, reader, user, LetterKind::Invitation { code: None }, at).await
}

/// To the user, who may have tapped by mistake, and to the site's own people.
async fn alarm(store: &dyn Store, report: &FraudReport, alerts: &[Reader], titles: &Titles) -> Result<(), StoreError> {
    let (client, station) = (shown(report.client.as_ref()), shown(report.station.as_ref()));
    let title = titles.asker(&client).to_owned();
    if let Some(reader) = reader(store, &report.user).await? {
        let kind = LetterKind::FraudReported { client: title, station: station.clone() };
        mail::post(store, reader, &report.user, kind, report.at).await?;
    }
    for reader in alerts.iter().cloned() {
        let kind = LetterKind::FraudAlert { client: client.clone(), station: station.clone() };
        mail::post(store, reader, &report.user, kind, report.at).await?;
    }
    Ok(())
}

/// Who is this user, as a reader of letters; `None`: no address is known.
pub(super) async fn reader(store: &dyn Store, user: &ResolvedUser) -> Result<Option<Reader>, StoreError> {
    Ok(Reader::of(&store.choices(user).await?))
}

/// Who is told of fraud and of silent phones; `None`: the site sends no mail.
pub(super) fn alerts(config: &Config) -> Option<Vec<Reader>> {
    config.mail.as_ref().map(|mail| mail::alerted(mail).collect())
}

fn told(doing: &str, result: Result<(), StoreError>) {
    if let Err(error) = result {
        tracing::warn!(%error, "{doing} failed; nobody was written to");
    }
}

fn shown(what: Option<&impl ToString>) -> String {
    what.map(ToString::to_string).unwrap_or_default()
}
