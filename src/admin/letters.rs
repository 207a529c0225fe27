//! A letter to the user for each act (rules F4), and what to tell the staff where none can go.

use login::{ResolvedUser, Wall};

use super::Desk;
use super::user::Known;
use crate::language::Language;
use crate::mail::{self, Address, LetterKind, Reader};
use crate::telemetry::StoreTrouble;

/// Whether the user will hear of an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// A letter is on its way.
    Posted,
    /// No address is known, or it is none.
    NoAddress,
    /// This site sends no mail.
    NoMail,
    /// The store did not take it.
    Failed,
}

impl Told {
    const ALL: [Self; 4] = [Self::Posted, Self::NoAddress, Self::NoMail, Self::Failed];

    /// Its word in the address of the page that says so.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Posted => "posted",
            Self::NoAddress => "no-address",
            Self::NoMail => "no-mail",
            Self::Failed => "failed",
        }
    }

    pub(super) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|told| told.as_str() == word)
    }

    /// The text that says so.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Posted => "admin-told-posted",
            Self::NoAddress => "admin-told-no-address",
            Self::NoMail => "admin-told-no-mail",
            Self::Failed => "admin-told-failed",
        }
    }
}

/// Where a letter about this user would go.
pub(super) fn address_of(desk: &Desk, mail: Option<&str>) -> Result<Address, Told> {
    if desk.config().mail.is_none() {
        return Err(Told::NoMail);
    }
    mail.and_then(|mail| Address::parse(mail).ok()).ok_or(Told::NoAddress)
}

/// Puts a letter out. What was done stands, whether or not it can be told.
pub(super) async fn tell(desk: &Desk, known: &Known, kind: LetterKind, at: Wall) -> Told {
    let mail = known.user.mail.as_deref();
    tell_at(desk, &known.user.name, mail, known.language().unwrap_or_default(), kind, at).await
}

/// The same to an address that the store just took.
pub(super) async fn tell_at(
    desk: &Desk,
    user: &ResolvedUser,
    mail: Option<&str>,
    language: Language,
    kind: LetterKind,
    at: Wall,
) -> Told {
    let reader = match address_of(desk, mail) {
        Ok(to) => Reader { to, language },
        Err(told) => return told,
    };
    match mail::post(&*desk.store, reader, user, kind, at).await {
        Ok(()) => Told::Posted,
        Err(error) => {
            desk.telemetry.emit(StoreTrouble { doing: "putting a letter out", error: &error });
            Told::Failed
        }
    }
}
