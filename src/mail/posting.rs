//! Where every letter begins: in the store, from where the outbox sends it.
//!
//! Users read their own language, the site's own people English. Whether a letter is due, and whether a failure to write one
//! matters, is the caller's to say.

use login::{ResolvedUser, Wall};
use wire::Secret;

use super::{Address, Letter, LetterId, LetterKind};
use crate::config::MailConfig;
use crate::language::Language;
use crate::store::{Store, StoreError, UserChoices};

/// Who reads a letter, and in which language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// Where.
    pub to: Address,
    /// How.
    pub language: Language,
}

impl Reader {
    /// A user, by what was chosen; `None`: no address is known, or it is none.
    #[must_use]
    pub fn of(choices: &UserChoices) -> Option<Self> {
        let language = choices.language.as_deref().and_then(Language::of_tag).unwrap_or_default();
        Self::at(choices.mail.as_deref()?, language)
    }

    /// Whoever is at this address; `None`: it is none.
    #[must_use]
    pub fn at(address: &str, language: Language) -> Option<Self> {
        Address::parse(address).ok().map(|to| Self { to, language })
    }
}

/// The site's own people, who hear of frauds and of silent phones: `[mail] alerts`.
pub fn alerted(mail: &MailConfig) -> impl Iterator<Item = Reader> {
    mail.alerts.iter().filter_map(|to| Reader::at(to.as_ref(), Language::default()))
}

/// Puts a letter about this user out.
///
/// # Errors
/// The store; then there is no letter.
pub async fn post(
    store: &dyn Store,
    reader: Reader,
    user: &ResolvedUser,
    kind: LetterKind,
    at: Wall,
) -> Result<(), StoreError> {
    let Reader { to, language } = reader;
    let letter = Letter { id: LetterId(rand::random()), at, to, language, user: user.to_string(), kind };
    store.post(Secret::new(letter.to_json().as_bytes()), at).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_reads_where_and_how_it_was_chosen_or_nowhere() {
        let choices = |mail: Option<&str>, language: Option<&str>| UserChoices {
            method: None,
            language: language.map(Into::into),
            mail: mail.map(Into::into),
        };
        let german = Reader::of(&choices(Some("alice@example.com"), Some("de"))).unwrap();
        assert_eq!((german.to.to_string().as_str(), german.language), ("alice@example.com", Language::German));
        let nothing_said = Reader::of(&choices(Some("alice@example.com"), None)).unwrap();
        assert_eq!(nothing_said.language, Language::English);
        for nowhere in [None, Some("no address"), Some("a@b\r\nBcc: c@d")] {
            assert_eq!(Reader::of(&choices(nowhere, Some("de"))), None);
        }
    }
}
