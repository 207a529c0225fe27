//! A new configuration into a running server: taken whole or refused whole (rules G2), and said in the log either way.
//!
//! Rules, clients, primaries, push channels, mail, and what pages say and allow change at once. Addresses, the store, the audit file and how
//! pages are served are bound at the start: a change of those is named and takes effect at the next one.

use super::pages::OpenDoor;
use super::{Server, StartError, post};
use crate::config::{Config, Difference};
use crate::telemetry::{ReloadRefused, Reloaded};

/// Keys whose change needs a start.
const AT_THE_START: [&str; 14] = [
    "radius.",
    "store.",
    "metrics.",
    "audit.",
    "portal.listen",
    "portal.url",
    "portal.tls",
    "portal.acme",
    "portal.trusted_proxies",
    "admin.listen",
    "admin.url",
    "admin.tls",
    "admin.acme",
    "admin.trusted_proxies",
];

impl Server {
    /// Takes a new configuration, or keeps the old one; says which in the log and to whoever asked.
    ///
    /// # Errors
    /// Why it was refused, a line each.
    pub async fn reload(&mut self, new: Result<Config, Vec<String>>) -> Result<Vec<String>, Vec<String>> {
        // Whatever is the matter with the configuration: the certificates' files may have changed.
        [&self.portal, &self.admin].into_iter().flatten().for_each(OpenDoor::look_now);
        let outcome = match new {
            Ok(config) => self.adopt(config).await.map_err(|error| vec![error.to_string()]),
            Err(mistakes) => Err(mistakes),
        };
        match &outcome {
            Ok(changes) => self.telemetry.emit(Reloaded { changes }),
            Err(mistakes) => self.telemetry.emit(ReloadRefused { mistakes }),
        }
        outcome
    }

    async fn adopt(&mut self, config: Config) -> Result<Vec<String>, StartError> {
        let differences = Config::differences_in_words(&self.config.get(), &config);
        let changes = differences.into_iter().map(told).collect();
        let smtp = post::smtp(&config)?;
        let law = self.workshop.law(&config, &mut self.in_force).await?;
        // The law first: a client that is new to the gate is known to it already, one that is gone is refused at release (A6).
        self.engine.replace(law);
        let bare_failures = config.policy.limits.bare_failures_per_minute;
        self.gate.reload(&config.clients, bare_failures, self.clock.tick());
        self.post_office.take(smtp);
        if let Some(phones) = &self.phones {
            phones.take(&config, self.in_force.vapid());
        }
        self.config.take(config);
        self.take_learned().await;
        Ok(changes)
    }
}

fn told(difference: Difference) -> String {
    let needs_a_start = |key: &String| AT_THE_START.iter().any(|prefix| key.starts_with(prefix));
    let later: Vec<&str> = difference.keys.iter().filter(|key| needs_a_start(key)).map(String::as_str).collect();
    match later.is_empty() {
        true => difference.text,
        false => format!("{} (at the next start: {})", difference.text, later.join(", ")),
    }
}
