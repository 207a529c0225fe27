//! Every text that a person reads: pages, mails, the phone and the VPN prompt, in every language that we speak.
//!
//! Texts are Fluent messages in `src/language/TAG/ROOM.ftl`, compiled in. A key begins with its room (`portal-…`, `phone-…`,
//! `app-…` for the one from the stores, `admin-…`, `mail-…`, `vpn-…`, and `common-…` for what several rooms say), and English has every key. A text that is missing
//! falls back on English, and the tests of this room see to it that none is missing, that no argument differs, and that every key
//! that the sources name exists.
//!
//! To add a text: write it into `en/ROOM.ftl` and into the same file of every other language, and say `text(language, "key")`
//! where it is shown. It escapes nothing: the page, the mail or the packet that shows the text does. It reads no clock, no file
//! and no environment, and never fails: a key that nobody wrote is shown as the key.

mod choose;
mod speak;
#[cfg(test)]
mod tests;
mod vpn;

use serde::{Deserialize, Serialize};

pub use speak::{Arg, text, text_with};
pub use vpn::{append_code, challenge, enrol_at, plain_ascii, prompt, quiet, refusal, refusal_key};

/// What a file says at its head that no native speaker has read yet.
const MACHINE_MADE: &str = "# Machine-made, not yet read by a native speaker.";

/// A language that we speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Language {
    /// What everything is written in first, and what is spoken to who asks for nothing else.
    #[default]
    #[serde(rename = "en")]
    English,
    #[serde(rename = "de")]
    German,
    #[serde(rename = "nl")]
    Dutch,
    #[serde(rename = "fr")]
    French,
}

impl Language {
    /// Every language, in the order in which a page offers them.
    pub const ALL: [Self; 4] = [Self::English, Self::German, Self::Dutch, Self::French];

    /// Its tag (BCP 47), as in `<html lang>`, in the store and in the names of the files.
    #[must_use]
    pub const fn as_tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::Dutch => "nl",
            Self::French => "fr",
        }
    }

    /// Its name in itself: who can't read the page can still find it.
    #[must_use]
    pub const fn own_name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
            Self::Dutch => "Nederlands",
            Self::French => "Français",
        }
    }

    /// The language of a tag, whatever its region or case: `de-AT` is German.
    #[must_use]
    pub fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next()?;
        Self::ALL.into_iter().find(|language| language.as_tag().eq_ignore_ascii_case(primary))
    }

    /// What to speak: what the user chose, else what the browser asks for in `Accept-Language`, else English.
    #[must_use]
    pub fn negotiate(accept_language: &str, chosen: Option<Self>) -> Self {
        chosen.or_else(|| choose::best(accept_language)).unwrap_or_default()
    }

    /// Whether a part of its texts was made by a machine and not yet read by a native speaker. `check` says so to the admin.
    #[must_use]
    pub fn machine_made(self) -> bool {
        speak::files(self).iter().any(|(_, source)| source.starts_with(MACHINE_MADE))
    }
}
