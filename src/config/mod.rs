//! The policy file: TOML in, a whole [`Config`] out, or every mistake in it at once.
//!
//! Defaults, the main file with what it includes, and the environment are merged by figment, which remembers where
//! each value is from; then the merged values are read key by key into types that need no second look (parse, don't
//! validate). A file is taken whole or refused whole (rules G2). Each mistake has file, line and column, what was
//! found, what is allowed and the nearest right spelling. This room opens config and secret files and nothing else; it
//! reads no clock, and no secret ever stands in a message.
//!
//! Read in this order: `load` (the whole way), `document` and `environment` (what is read), `book` (merged, with
//! places), `node` (one value under the finger), then the sections: `sections`, `peers`,
//! `portal` and `admin` with what they share in `serving`, `mail`, `push`, `rules` with their `conditions`, and last `numbers` and `crossing`, what only all of it together can be wrong about.

mod admin;
mod book;
mod conditions;
mod crossing;
mod document;
mod environment;
mod files;
mod finding;
mod load;
mod mail;
mod nearest;
mod node;
mod numbers;
mod oddity;
mod pages;
mod peers;
mod portal;
mod profile;
mod push;
mod reply;
mod rules;
mod secrets;
mod sections;
mod serving;
mod settings;
mod slips;
mod titles;
mod trust;
mod types;
mod values;
mod words;

#[cfg(test)]
mod tests;

pub use environment::PREFIX as ENVIRONMENT_PREFIX;
pub use files::{Disk, Files, NoFiles, SecretTrouble};
pub use finding::{Finding, FlatFinding, Mistakes, Place, Severity, Source, render};
pub use load::Loaded;
pub use oddity::Oddity;
pub use pages::{
    AcmeConfig, AdminConfig, FirstEnrolment, MailConfig, MailLogin, MailSecurity, PagesConfig, PortalConfig, PublicUrl,
    Roles, TlsSource, UsersMay,
};
pub use profile::{GENERIC, PROFILES, Profile, Signs};
pub use settings::{Change, Origin, Setting, Settings};
pub use titles::{Titles, is_page};
pub use trust::changeable_by_others;
pub use types::{
    AuditConfig, ClientConfig, Config, Host, NumberChoice, PIN_DIGITS_MAX, PinConfig, Placed, PrimaryConfig,
    PushConfig, PushWay, ServerAddress, Stance, StoreConfig, WebhookConfig,
};
pub use words::Difference;

/// What `init` writes: a commented configuration that is in order as it stands.
#[must_use]
pub fn template() -> &'static str {
    include_str!("../../config/vestibule.toml")
}

/// The part of [`template`] about pages and mail, as comments: what follows the account's name, up to the rules.
#[must_use]
pub fn template_pages() -> &'static str {
    let after = template().split_once("for this account\n").map_or("", |(_, after)| after);
    after.split_once("\n# --- Who gets in").map_or(after, |(pages, _)| pages)
}

/// The files in `secrets/` that [`template`] needs; `init` fills each with random octets.
pub const TEMPLATE_SECRETS: [&str; 1] = ["client.vpn"];

/// Any text at all, for the fuzzer: it must end, without a panic and without looking at any file.
pub fn fuzz_parse(text: &str) {
    match Config::parse("fuzz.toml", text, &NoFiles, []) {
        Ok(loaded) => drop(render(&loaded.warnings, true)),
        Err(mistakes) => drop(mistakes.render(true)),
    }
}
