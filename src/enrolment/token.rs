//! A new OATH token for a user: checked, stored, and shown once.

use login::{TokenId, Wall};
use wire::Secret;

use super::otpauth::{Account, uri};
use super::qr::Qr;
use super::seed::{SEED_OCTETS_GOOD, SeedMistake, base32, checked, random, seed_of_base32};
use crate::store::{self, Algorithm, Mark, StoreError, TokenKind, Tokens};

/// What kind of token is wanted.
#[derive(Clone, Debug)]
pub struct TokenWish {
    /// TOTP with its period, or HOTP.
    pub kind: TokenKind,
    /// 6 or 8.
    pub digits: u8,
    /// The hash.
    pub algorithm: Algorithm,
    /// Where its seed comes from.
    pub seed: Seed,
    /// What the user calls it.
    pub label: Option<String>,
    /// HOTP: the counter of its next code, where it was used elsewhere before.
    pub counter: u64,
}

impl TokenWish {
    /// What every authenticator app understands: TOTP, 6 digits, 30 s, SHA-1, a random seed.
    #[must_use]
    pub fn usual() -> Self {
        let kind = TokenKind::Totp { period_s: 30 };
        Self { kind, digits: 6, algorithm: Algorithm::Sha1, seed: Seed::Random, label: None, counter: 0 }
    }
}

/// Where a seed comes from.
#[derive(Clone, Debug)]
pub enum Seed {
    /// The operating system's randomness, as long as the hash's output.
    Random,
    /// A token that exists already: its seed in base32.
    Base32(Secret),
    /// A token that exists already: its seed's octets.
    Octets(Secret),
}

/// A token that was added: to be shown to its user, once.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Its id, as commands show it.
    pub token: TokenId,
    /// Its seed in base32, to be typed where no camera is.
    pub secret: Secret,
    /// Its `otpauth://` URI.
    pub uri: Secret,
    /// The URI as a QR code; `None` if names make it too long for one.
    pub qr: Option<Qr>,
    /// What the person who adds it should know.
    pub warnings: Vec<Warning>,
}

/// What is allowed and not wise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// A short seed.
    #[error(
        "the secret has {octets} octets; RFC 4226 asks for at least {SEED_OCTETS_GOOD}, so replace this token when you can"
    )]
    ShortSecret {
        /// How many.
        octets: usize,
    },
    /// Some apps read the QR code, ignore this and show codes that never work.
    #[error("some authenticator apps ignore {0} and show codes that never work; try one code before you rely on it")]
    AppsMayIgnore(&'static str),
}

/// Why there is no new token; each says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnrolmentError {
    /// The given seed.
    #[error("{0}")]
    Seed(#[from] SeedMistake),
    /// Not 6 or 8.
    #[error("{0} digits are not possible: a code has 6 or 8")]
    Digits(u8),
    /// A clock has no counter.
    #[error("--counter is for HOTP tokens: a TOTP token's codes come of the time")]
    Counter,
    /// Not 30 or 60.
    #[error("a period of {0} s is not possible: it is 30 or 60")]
    Period(u32),
    /// The operating system.
    #[error("the operating system gives no random numbers; nothing secret is made without them")]
    NoRandomness,
    /// A device of this channel is added, not activated.
    #[error("a {0} device brings no key; it is added as it is")]
    BringsNoKey(&'static str),
    /// The portal's address, as the store app would use it.
    #[error("[portal] url is not one that the app can use: {0}")]
    Address(String),
    /// Our own key for the store app's phone.
    #[error("the server's key for this phone could not be made, which is a mistake of ours; please report it")]
    ServerKey,
    /// The store.
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// Adds a token for a user, durable when this returns.
///
/// # Errors
/// [`EnrolmentError`]; after [`StoreError::Unknown`] look with `token list` whether it is there before adding another.
pub async fn add_token(
    store: &dyn Tokens,
    account: Account<'_>,
    wish: TokenWish,
    at: Wall,
) -> Result<NewToken, EnrolmentError> {
    check_shape(&wish)?;
    let seed = seed_of(&wish)?;
    let warnings = warnings(&wish, &seed);
    let token = store::NewToken {
        kind: wish.kind,
        seed,
        digits: wish.digits,
        algorithm: wish.algorithm,
        label: wish.label,
        used: wish.counter.checked_sub(1).map(|counter| Mark::Hotp { counter }),
    };
    let (secret, uri) = (base32(&token.seed), uri(account, &token));
    let id = store.add_token(account.user, token, at).await?;
    Ok(NewToken { token: id, secret, qr: Qr::of(&uri), uri, warnings })
}

fn check_shape(wish: &TokenWish) -> Result<(), EnrolmentError> {
    if !matches!(wish.digits, 6 | 8) {
        return Err(EnrolmentError::Digits(wish.digits));
    }
    if wish.counter > 0 && wish.kind != TokenKind::Hotp {
        return Err(EnrolmentError::Counter);
    }
    match wish.kind {
        TokenKind::Totp { period_s: 30 | 60 } | TokenKind::Hotp => Ok(()),
        TokenKind::Totp { period_s } => Err(EnrolmentError::Period(period_s)),
    }
}

fn seed_of(wish: &TokenWish) -> Result<Secret, EnrolmentError> {
    match &wish.seed {
        Seed::Random => random(wish.algorithm).ok_or(EnrolmentError::NoRandomness),
        Seed::Base32(text) => Ok(seed_of_base32(text)?),
        Seed::Octets(octets) => Ok(checked(octets.clone())?),
    }
}

fn warnings(wish: &TokenWish, seed: &Secret) -> Vec<Warning> {
    let short = (seed.len() < SEED_OCTETS_GOOD).then_some(Warning::ShortSecret { octets: seed.len() });
    let odd = |odd: bool, what| odd.then_some(Warning::AppsMayIgnore(what));
    let algorithm = odd(wish.algorithm != Algorithm::Sha1, "the hash");
    let digits = odd(wish.digits != 6, "the number of digits");
    let period = odd(wish.kind == TokenKind::Totp { period_s: 60 }, "the period");
    [short, algorithm, digits, period].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use login::ResolvedUser;

    use super::*;
    use crate::store::{Refusal, StoreFuture, Token};

    #[derive(Default)]
    struct Fake(Mutex<Vec<store::NewToken>>);

    impl Tokens for Fake {
        fn add_token(&self, user: &ResolvedUser, token: store::NewToken, _: Wall) -> StoreFuture<'_, TokenId> {
            let user = user.as_str().to_owned();
            Box::pin(async move {
                if user == "nobody" {
                    return Err(StoreError::Refused(Refusal::NoUser(user.into())));
                }
                self.0.lock().unwrap().push(token);
                Ok(TokenId("t-1".into()))
            })
        }

        fn list_tokens(&self, _: &ResolvedUser) -> StoreFuture<'_, Vec<Token>> {
            Box::pin(std::future::ready(Ok(Vec::new())))
        }

        fn rename_token(&self, _: &TokenId, _: String) -> StoreFuture<'_, ()> {
            Box::pin(std::future::ready(Ok(())))
        }

        fn remove_token(&self, _: &TokenId, _: Wall) -> StoreFuture<'_, ()> {
            Box::pin(std::future::ready(Ok(())))
        }
    }

    async fn add(store: &Fake, user: &str, wish: TokenWish) -> Result<NewToken, EnrolmentError> {
        let account = Account { issuer: "Example Corp", user: &ResolvedUser::new(user) };
        add_token(store, account, wish, Wall(0)).await
    }

    fn given(base32: &str) -> TokenWish {
        TokenWish { seed: Seed::Base32(Secret::new(base32)), ..TokenWish::usual() }
    }

    #[tokio::test]
    async fn the_app_gets_the_very_seed_that_the_store_keeps() {
        let store = Fake::default();
        let new = add(&store, "alice", TokenWish::usual()).await.unwrap();
        let stored = store.0.lock().unwrap()[0].clone();
        assert_eq!(seed_of_base32(&new.secret), Ok(stored.seed.clone()));
        let uri = String::from_utf8(new.uri.expose().to_vec()).unwrap();
        assert!(uri.contains(std::str::from_utf8(new.secret.expose()).unwrap()));
        assert_eq!((stored.seed.len(), stored.digits, new.warnings.len()), (20, 6, 0));
        assert!(new.qr.is_some());
    }

    #[tokio::test]
    async fn an_app_that_reads_the_uri_shows_a_code_that_is_right() {
        use crate::factor::oath::{Match, verify};
        use crate::store::OpenToken;

        let store = Fake::default();
        let new = add(&store, "alice", TokenWish::usual()).await.unwrap();
        let kept = store.0.lock().unwrap()[0].clone();
        let (id, user) = (new.token.clone(), ResolvedUser::new("alice"));
        let token = Token {
            id,
            user,
            kind: kept.kind,
            digits: kept.digits,
            algorithm: kept.algorithm,
            label: None,
            added_at: Wall(0),
        };
        let open = OpenToken { token, seed: kept.seed, last_step: None, drift_steps: 0, counter: 0 };
        let app = totp_rs::Totp::from_url(std::str::from_utf8(new.uri.expose()).unwrap()).unwrap();
        let code = app.generate(1_700_000_000).to_string();
        let found = verify(
            &[open],
            &[login::Method::Totp],
            code.as_bytes(),
            Wall(1_700_000_000_000),
            &login::limits::Limits::default(),
        );
        assert!(matches!(found, Match::Right { .. }));
    }

    #[tokio::test]
    async fn nothing_of_the_seed_is_printed() {
        let new = add(&Fake::default(), "alice", given("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")).await.unwrap();
        let shown = format!("{new:?} {:?}", given("GEZDGNBVGY3TQOJQ"));
        assert!(!shown.contains("GEZD") && !shown.contains("otpauth"), "{shown}");
    }

    #[tokio::test]
    async fn a_short_secret_is_taken_with_a_warning_and_a_shorter_one_is_not() {
        let new = add(&Fake::default(), "alice", given("GEZDGNBVGY3TQOJQ")).await.unwrap();
        assert_eq!(new.warnings, [Warning::ShortSecret { octets: 10 }]);
        let short = add(&Fake::default(), "alice", given("GEZDGNBVGY3TQ")).await;
        assert_eq!(short.unwrap_err(), EnrolmentError::Seed(SeedMistake::Short { octets: 8 }));
    }

    #[tokio::test]
    async fn what_apps_often_ignore_is_said() {
        let kind = TokenKind::Totp { period_s: 60 };
        let wish = TokenWish { kind, digits: 8, algorithm: Algorithm::Sha512, ..TokenWish::usual() };
        assert_eq!(add(&Fake::default(), "alice", wish).await.unwrap().warnings.len(), 3);
    }

    #[tokio::test]
    async fn impossible_shapes_are_refused_before_the_store_is_asked() {
        let store = Fake::default();
        let seven = add(&store, "alice", TokenWish { digits: 7, ..TokenWish::usual() }).await;
        assert_eq!(seven.unwrap_err(), EnrolmentError::Digits(7));
        let odd =
            add(&store, "alice", TokenWish { kind: TokenKind::Totp { period_s: 45 }, ..TokenWish::usual() }).await;
        assert_eq!(odd.unwrap_err(), EnrolmentError::Period(45));
        assert!(store.0.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn the_stores_refusal_is_passed_on() {
        let refused = add(&Fake::default(), "nobody", TokenWish::usual()).await;
        assert!(matches!(refused, Err(EnrolmentError::Store(StoreError::Refused(Refusal::NoUser(_))))));
    }
}
