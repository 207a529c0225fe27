//! Phones that let three prompts in a row go by, unseen: their users and the site's own people are told, once for each silence.
//!
//! The store says who is silent and of whom nobody was told; being seen ends a silence. What can't be mailed is in the log.

use std::sync::Arc;

use login::Wall;

use super::notices::{alerts, reader};
use crate::config::Config;
use crate::mail::{self, LetterKind};
use crate::store::{Device, Store, StoreError};

/// Prompts in a row.
const UNANSWERED: u32 = 3;

/// Tells of each silence that nobody was told of.
pub(super) async fn tell(store: &Arc<dyn Store>, config: &Config, at: Wall) -> Result<(), StoreError> {
    for device in store.take_silent(UNANSWERED).await? {
        let (user, id) = (device.user.as_str(), &*device.id.0);
        tracing::warn!(user, device = id, "a phone let {UNANSWERED} prompts in a row go by; is it lost, or off?");
        tell_of(&**store, config, &device, at).await?;
    }
    Ok(())
}

async fn tell_of(store: &dyn Store, config: &Config, device: &Device, at: Wall) -> Result<(), StoreError> {
    let Some(alerts) = alerts(config) else { return Ok(()) };
    let name = device.label.as_deref().unwrap_or_default().to_owned();
    if let Some(reader) = reader(store, &device.user).await? {
        mail::post(store, reader, &device.user, LetterKind::SilentPhone { name: name.clone() }, at).await?;
    }
    for reader in alerts {
        let kind = LetterKind::SilentPhoneAlert { name: name.clone() };
        mail::post(store, reader, &device.user, kind, at).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::time::Duration;

    use login::limits::Limits;
    use login::{Asks, Claim, ClientName, LoginKey, PromptClaim, PromptClose, PromptId, ResolvedUser};
    use wire::Secret;

    use crate::config::NoFiles;
    use crate::language::Language;
    use crate::mail::Letter;
    use crate::store::{
        Channel, Choices, NewActivation, NewUser, PhoneKey, Phones, Sqlite, SqliteOptions, StoreKey, Users,
    };

    struct Desk {
        store: Arc<dyn Store>,
        user: ResolvedUser,
        config: Config,
        _directory: tempfile::TempDir,
    }

    async fn desk(mail: &str) -> Desk {
        let directory = tempfile::tempdir().unwrap();
        let key = StoreKey::generate(&directory.path().join("store.key")).unwrap();
        let at = format!("sqlite:{}", directory.path().join("vestibule.db").display());
        let store = Sqlite::open(&at, &key, SqliteOptions::default()).unwrap();
        let user = ResolvedUser::new("alice");
        let mail_of = Some("alice@example.com".to_owned());
        let new =
            NewUser { name: user.clone(), groups: Vec::new(), mail: mail_of, password_hash: None, by_staff: None };
        store.add_user(new, Wall(0)).await.unwrap();
        store.speak(&user, Some("de".into())).await.unwrap();
        let (code, label) = (Secret::new("a code"), Some("Pixel".to_owned()));
        let (channel, lasts) = (Channel::WebPush, Duration::from_secs(600));
        let (server_key, needs_test, devices_max) = (None, false, 5);
        let new = NewActivation {
            user: user.clone(),
            channel,
            label,
            code: code.clone(),
            server_key,
            lasts,
            needs_test,
            devices_max,
        };
        let device = store.begin_activation(new, Wall(0)).await.unwrap();
        let key = PhoneKey { spki: vec![4; 91], subscription: None, agent: None, label: None };
        store.bring_key(&device, &code, key, Wall(0)).await.unwrap();
        let config = Config::parse("vestibule.toml", mail, &NoFiles, []).unwrap().config;
        Desk { store: Arc::new(store), user, config, _directory: directory }
    }

    impl Desk {
        async fn lets_one_go_by(&self, number: u8) {
            let limits = Limits { push_quiet: Duration::ZERO, push_quiet_max: Duration::ZERO, ..Limits::default() };
            let at = Wall(u64::from(number) * 1_000_000);
            let claim = PromptClaim {
                prompt: PromptId([number; 16]),
                user: self.user.clone(),
                login: LoginKey::alone([number; 16]),
                ends_at: at.plus(Duration::from_secs(120)),
                askers_until: at.plus(Duration::from_secs(30)),
                station_known: false,
                authentic: true,
                client: ClientName::new("vpn"),
                station: None,
                asks: Asks::default(),
                only: None,
                unproven: false,
            };
            let prompt = claim.prompt;
            assert_eq!(self.store.claim_prompt(claim, at, &limits).await, Ok(Claim::Claimed { displaced: None }));
            self.store.close_prompt(prompt, PromptClose::Unanswered, at, &limits).await.unwrap();
        }

        async fn letters(&self) -> Vec<Letter> {
            let due = self.store.due_letters(Wall(u64::from(u32::MAX)), 100).await.unwrap();
            let read = |text: &Secret| Letter::from_json(std::str::from_utf8(text.expose()).unwrap()).unwrap();
            due.iter().map(|due| read(&due.text)).collect()
        }
    }

    const MAIL: &str = "[mail]\nsmtp = \"smtp://localhost:2525\"\nallow_plain = true\nfrom = \"mfa@example.com\"\n\
                        alerts = [\"it@example.com\"]\n";

    #[tokio::test]
    async fn the_third_prompt_that_goes_by_is_told_to_the_user_and_to_the_site_once() {
        let desk = desk(MAIL).await;
        for number in 1..=2 {
            desk.lets_one_go_by(number).await;
            tell(&desk.store, &desk.config, Wall(1)).await.unwrap();
        }
        assert!(desk.letters().await.is_empty());
        desk.lets_one_go_by(3).await;
        for _ in 0..2 {
            tell(&desk.store, &desk.config, Wall(1)).await.unwrap();
        }
        let letters = desk.letters().await;
        let told: Vec<(String, Language, &LetterKind)> =
            letters.iter().map(|letter| (letter.to.to_string(), letter.language, &letter.kind)).collect();
        let name = "Pixel".to_owned();
        assert_eq!(
            told,
            [
                ("alice@example.com".to_owned(), Language::German, &LetterKind::SilentPhone { name: name.clone() }),
                ("it@example.com".to_owned(), Language::English, &LetterKind::SilentPhoneAlert { name }),
            ]
        );
    }

    #[tokio::test]
    async fn without_mail_it_is_in_the_log_alone() {
        let desk = desk("").await;
        for number in 1..=3 {
            desk.lets_one_go_by(number).await;
        }
        tell(&desk.store, &desk.config, Wall(1)).await.unwrap();
        assert!(desk.letters().await.is_empty());
    }
}
