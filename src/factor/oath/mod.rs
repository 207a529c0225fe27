//! Codes by OATH: TOTP (RFC 6238) through `totp-rs`, HOTP (RFC 4226) in our own dozen lines, and the guess that spends one.
//!
//! [`verify`] is pure: it says which of a user's tokens has this code and what must be written so that it never works
//! again. [`check`] drives it against the store: read, verify, compare-and-set, and only then an answer; [`resync`] does so with two codes of a token that counted on without us. `totp-rs` has
//! no counter and its window looks back, which for HOTP would be a replay; so HOTP is ours and only looks ahead.

mod check;
mod hotp;
mod resync;
mod verify;

pub use super::settling::{Patience, Tries};
pub use check::{TypedCode, check};
pub use hotp::hotp;
pub use resync::{Resynced, TwoCodes, resync};
pub use verify::{Match, RESYNC_AHEAD, code_at, verify};

/// Tokens for the tests of this room, with the seed of the RFCs' vectors.
#[cfg(test)]
pub(crate) mod testing {
    use login::{ResolvedUser, TokenId, Wall};
    use wire::Secret;

    use crate::store::{Algorithm, OpenToken, Token, TokenKind};

    pub(crate) const SEED: &[u8] = b"12345678901234567890";

    pub(crate) fn totp_token(id: &str) -> OpenToken {
        open(id, TokenKind::Totp { period_s: 30 })
    }

    pub(crate) fn hotp_token(id: &str) -> OpenToken {
        open(id, TokenKind::Hotp)
    }

    pub(crate) fn with(mut token: OpenToken, change: impl FnOnce(&mut Token)) -> OpenToken {
        change(&mut token.token);
        token
    }

    fn open(id: &str, kind: TokenKind) -> OpenToken {
        let (id, user) = (TokenId(id.into()), ResolvedUser::new("alice"));
        let token = Token { id, user, kind, digits: 6, algorithm: Algorithm::Sha1, label: None, added_at: Wall(0) };
        OpenToken { token, seed: Secret::new(SEED), last_step: None, drift_steps: 0, counter: 0 }
    }
}
