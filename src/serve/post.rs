//! Mail, between what the store keeps and what the courier delivers: the outbox over the store's letters, and the mail server
//! that is in force.
//!
//! A letter that is handed out is not due again for longer than a delivery takes, so a process that ends in between sends it
//! once more and none is lost. Where no `[mail]` is configured letters are forgotten: nobody waits for them, and the store is not
//! for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use login::Moment;

use super::StartError;
use crate::config::{Config, Host, MailConfig, MailSecurity};
use crate::engine::Clock;
use crate::mail::{
    self, Address, BoxFuture, Courier, Due, House, Letter, LetterId, LettersUnavailable, MailFailure, MailSettings,
    Security, Smtp, SmtpServer, Then, Waiter,
};
use crate::store::{Store, StoreError};
use crate::telemetry::{MailTrouble, Telemetry};

/// `mail::Letters::due`: "to nobody else for the next two minutes".
const HANDED_OUT_FOR: Duration = Duration::from_secs(120);

/// The mail server that is in force; none where there is no `[mail]`.
#[derive(Default)]
pub(super) struct PostOffice(ArcSwapOption<Smtp>);

impl PostOffice {
    /// The mail server of this configuration, from now on.
    pub(super) fn take(&self, smtp: Option<Smtp>) {
        self.0.store(smtp.map(Arc::new));
    }
}

impl Courier for PostOffice {
    fn send<'a>(&'a self, letter: &'a Letter) -> BoxFuture<'a, Result<(), MailFailure>> {
        Box::pin(async move {
            match self.0.load_full() {
                Some(smtp) => smtp.send(letter).await,
                None => Ok(()),
            }
        })
    }
}

/// The courier of a configuration; connects to nobody.
///
/// # Errors
/// A file that can't be read, or settings that the courier refuses.
pub(super) fn smtp(config: &Config) -> Result<Option<Smtp>, StartError> {
    let Some(mail) = &config.mail else { return Ok(None) };
    let refused = |why: &dyn std::fmt::Display| StartError::Mail(format!("[mail] {why}"));
    let settings = settings(mail)?;
    let portal = config.portal.as_ref().and_then(|portal| reqwest::Url::parse(portal.pages.url.as_str()).ok());
    let help_desk = config.portal.as_ref().and_then(|portal| portal.help_desk.as_deref());
    let alerts = mail.alerts.iter().map(address).collect::<Result<Vec<_>, _>>()?;
    let house = House::new(&config.account_name, portal, help_desk, alerts).map_err(|why| refused(&why))?;
    Smtp::new(settings, house).map(Some).map_err(|why| refused(&why))
}

fn settings(mail: &MailConfig) -> Result<MailSettings, StartError> {
    let host = match &mail.server.host {
        Host::Address(address) => address.to_string(),
        Host::Name(name) => name.to_string(),
    };
    let security = match mail.security {
        MailSecurity::Tls => Security::Implicit,
        MailSecurity::StartTls => Security::StartTls,
        MailSecurity::Plain => Security::None,
    };
    let read = |path: &std::path::PathBuf| {
        std::fs::read(path)
            .map_err(|why| StartError::Mail(format!("[mail] ca: {} can't be read: {why}", path.display())))
    };
    Ok(MailSettings {
        smtp: SmtpServer { host, port: mail.server.port, security },
        from: address(&mail.from.email)?,
        user: mail.login.as_ref().map(|login| login.user.to_string()),
        password: mail.login.as_ref().map(|login| login.password.clone()),
        ca: mail.ca.as_ref().map(read).transpose()?,
    })
}

/// An address of the policy, as letters take it.
fn address(address: &lettre::Address) -> Result<Address, StartError> {
    let text: &str = address.as_ref();
    Address::parse(text).map_err(|why| StartError::Mail(format!("[mail] {text:?}: {why}")))
}

impl Waiter for Clock {
    fn moment(&self) -> Moment {
        Self::moment(self)
    }

    fn wait(&self, duration: Duration) -> BoxFuture<'_, ()> {
        let clock = *self;
        Box::pin(async move { clock.wait(duration).await })
    }
}

/// The letters that the store keeps, as the outbox' runner asks for them.
pub(super) struct Outbox {
    store: Arc<dyn Store>,
    telemetry: Telemetry,
    /// Those that are with the courier, by the store's number.
    handed_out: Mutex<HashMap<LetterId, u64>>,
}

impl Outbox {
    pub(super) fn new(store: Arc<dyn Store>, telemetry: Telemetry) -> Self {
        Self { store, telemetry, handed_out: Mutex::default() }
    }

    fn handed_out(&self) -> MutexGuard<'_, HashMap<LetterId, u64>> {
        self.handed_out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take_due(&self, now: Moment, most: usize) -> Result<Vec<Due>, StoreError> {
        let mut due = Vec::new();
        for waiting in self.store.due_letters(now.wall, most).await? {
            let text = std::str::from_utf8(waiting.text.expose()).unwrap_or_default();
            match Letter::from_json(text) {
                Ok(letter) => {
                    self.store.letter_failed(waiting.id, now.wall.plus(HANDED_OUT_FOR)).await?;
                    self.handed_out().insert(letter.id, waiting.id);
                    // Each try is counted twice: once as it is handed out, once as it fails.
                    due.push(Due { letter, tries: waiting.tries / 2 + 1 });
                }
                // Another version's, which nobody will ever read: it would be the first that is due for ever.
                Err(error) => {
                    self.telemetry.emit(MailTrouble { error: &error });
                    self.store.letter_done(waiting.id).await?;
                }
            }
        }
        Ok(due)
    }

    async fn forget(&self, letter: LetterId) -> Result<(), StoreError> {
        let Some(number) = self.number(letter) else { return Ok(()) };
        self.store.letter_done(number).await?;
        self.handed_out().remove(&letter);
        Ok(())
    }

    async fn put_off(&self, letter: LetterId, not_before: login::Wall) -> Result<(), StoreError> {
        let Some(number) = self.number(letter) else { return Ok(()) };
        self.store.letter_failed(number, not_before).await?;
        self.handed_out().remove(&letter);
        Ok(())
    }

    fn number(&self, letter: LetterId) -> Option<u64> {
        self.handed_out().get(&letter).copied()
    }
}

impl mail::Letters for Outbox {
    fn due(&self, now: Moment, most: usize) -> BoxFuture<'_, Result<Vec<Due>, LettersUnavailable>> {
        Box::pin(async move { self.take_due(now, most).await.map_err(away) })
    }

    fn sent(&self, letter: LetterId) -> BoxFuture<'_, Result<(), LettersUnavailable>> {
        Box::pin(async move { self.forget(letter).await.map_err(away) })
    }

    fn failed(&self, letter: LetterId, then: Then) -> BoxFuture<'_, Result<(), LettersUnavailable>> {
        Box::pin(async move {
            match then {
                Then::Again { not_before } => self.put_off(letter, not_before).await,
                Then::GiveUp => self.forget(letter).await,
            }
            .map_err(away)
        })
    }

    fn arrived(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            if self.store.letter_came().await.is_err() {
                // The runner looks by itself, too: for other processes' letters.
                std::future::pending().await
            }
        })
    }
}

fn away(error: StoreError) -> LettersUnavailable {
    LettersUnavailable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::pin::Pin;
    use std::task::{Context, Waker};

    use login::{Tick, Wall};
    use wire::Secret;

    use crate::config::NoFiles;
    use crate::language::Language;
    use crate::mail::{LetterKind, Letters as _};
    use crate::store::{Letters as _, Sqlite, SqliteOptions, StoreKey};

    struct Desk {
        store: Arc<Sqlite>,
        outbox: Outbox,
        _directory: tempfile::TempDir,
    }

    fn desk() -> Desk {
        let directory = tempfile::tempdir().unwrap();
        let key = StoreKey::generate(&directory.path().join("store.key")).unwrap();
        let at = format!("sqlite:{}", directory.path().join("vestibule.db").display());
        let store = Arc::new(Sqlite::open(&at, &key, SqliteOptions::default()).unwrap());
        let outbox = Outbox::new(Arc::<Sqlite>::clone(&store), Telemetry::new());
        Desk { store, outbox, _directory: directory }
    }

    fn letter() -> Letter {
        Letter {
            id: LetterId([7; 16]),
            at: Wall(0),
            to: Address::parse("alice@example.com").unwrap(),
            language: Language::English,
            user: "alice".to_owned(),
            kind: LetterKind::PinChanged,
        }
    }

    fn at(seconds: u64) -> Moment {
        Moment { tick: Tick(seconds * 1000), wall: Wall(seconds * 1000) }
    }

    async fn posted(desk: &Desk, text: &str) {
        desk.store.post(Secret::new(text), Wall(0)).await.unwrap();
    }

    #[tokio::test]
    async fn a_letter_is_handed_out_once_in_two_minutes_and_forgotten_when_it_is_sent() {
        let desk = desk();
        posted(&desk, &letter().to_json()).await;
        let due = desk.outbox.due(at(1), 4).await.unwrap();
        assert_eq!((due.len(), due[0].tries, &due[0].letter), (1, 1, &letter()));
        assert!(desk.outbox.due(at(100), 4).await.unwrap().is_empty());
        // Whoever had it is gone: it goes out once more.
        let again = desk.outbox.due(at(122), 4).await.unwrap();
        assert_eq!(again.len(), 1);
        desk.outbox.sent(again[0].letter.id).await.unwrap();
        assert!(desk.outbox.due(at(9_999), 4).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_fails_is_due_when_it_was_said_and_counts_each_try_once() {
        let desk = desk();
        posted(&desk, &letter().to_json()).await;
        for (now, tries) in [(1, 1), (31, 2), (91, 3)] {
            let due = desk.outbox.due(at(now), 4).await.unwrap();
            assert_eq!(due[0].tries, tries);
            let not_before = Wall((now + 30 * u64::from(tries)) * 1000);
            desk.outbox.failed(letter().id, Then::Again { not_before }).await.unwrap();
            assert!(desk.outbox.due(at(now + 1), 4).await.unwrap().is_empty());
        }
        desk.outbox.due(at(500), 4).await.unwrap();
        desk.outbox.failed(letter().id, Then::GiveUp).await.unwrap();
        assert!(desk.outbox.due(at(99_999), 4).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_text_that_is_no_letter_holds_up_no_other() {
        let desk = desk();
        posted(&desk, "{}").await;
        posted(&desk, &letter().to_json()).await;
        assert!(desk.outbox.due(at(1), 1).await.unwrap().is_empty());
        assert_eq!(desk.outbox.due(at(1), 1).await.unwrap().len(), 1);
    }

    fn waits(future: Pin<&mut (dyn Future<Output = ()> + Send + '_)>) -> bool {
        future.poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    #[tokio::test]
    async fn a_letter_is_looked_for_as_soon_as_it_is_put_out_and_not_again() {
        let desk = desk();
        let mut came = desk.outbox.arrived();
        assert!(waits(came.as_mut()));
        posted(&desk, &letter().to_json()).await;
        came.await;
        assert!(waits(desk.outbox.arrived().as_mut()));
    }

    #[tokio::test]
    async fn without_a_mail_server_letters_are_forgotten() {
        assert_eq!(PostOffice::default().send(&letter()).await, Ok(()));
    }

    #[test]
    fn the_policy_s_mail_becomes_a_courier() {
        let config = |text: &str| Config::parse("vestibule.toml", text, &NoFiles, []).unwrap().config;
        assert!(smtp(&config("")).unwrap().is_none());
        let text = "[mail]\nsmtp = \"smtp://localhost:2525\"\nallow_plain = true\nfrom = \"MFA <mfa@example.com>\"\n\
                    alerts = [\"it@example.com\"]\n";
        assert!(smtp(&config(text)).unwrap().is_some());
        let lost = text.replace("allow_plain = true\n", "ca = \"nowhere.pem\"\n");
        let why = smtp(&config(&lost)).unwrap_err().to_string();
        assert!(why.starts_with("[mail] ca: ") && why.contains("nowhere.pem"), "{why}");
    }
}
