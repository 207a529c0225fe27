//! A token that counted on without us is found again by two of its codes in a row (RFC 4226 §7.4).
//!
//! Each try is a guess like any other (rules C1, D1): it counts where logins count, while codes are off it is not looked at, and
//! it is committed, as used or as a failure, before anything is told. The counter only grows, and both codes are used up.

use login::limits::Limits;
use login::{Method, ResolvedUser, Station, TokenId, Unavailable, Wall};
use wire::Secret;
use zeroize::Zeroizing;

use super::verify::two_in_a_row;
use crate::factor::settling::{Patience, away, settled};
use crate::store::{Codes, CommittedGuess, Guess, GuessCommit, GuessOutcome, TokenKind};

/// Its codes are marked on each token for which they are right, whatever its kind (rules C1).
const CODES: [Method; 2] = [Method::Totp, Method::Hotp];

/// How often a guess that others overtook begins anew.
const STALE_TRIES_MAX: u32 = 64;

/// Two codes that a token showed one after the other.
#[derive(Clone, Debug)]
pub struct TwoCodes<'a> {
    /// Names this guess in the store: 16 random octets, new for each.
    pub guess_id: [u8; 16],
    /// Whose token.
    pub user: &'a ResolvedUser,
    /// From where the user typed them; `None`: staff did.
    pub station: Option<&'a Station>,
    /// Which token.
    pub token: &'a TokenId,
    /// The first.
    pub first: &'a Secret,
    /// The one after it.
    pub second: &'a Secret,
    /// When.
    pub at: Wall,
}

/// What they came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resynced {
    /// The token stands behind them now.
    Done,
    /// They are not two codes in a row of this token, no further than [`super::RESYNC_AHEAD`] ahead; it is counted.
    Wrong,
    /// Codes are off for this user and station until then (D1); they were not looked at.
    Locked {
        /// [`Wall::NEVER`]: until a push, a passkey or an admin.
        until: Wall,
    },
    /// The user has no such token, or it counts no presses.
    NoToken,
}

/// Tries them, and says what became of it once that is durable.
///
/// # Errors
/// [`Unavailable`] if the store can't be read or written, or if the commit stays unknown.
pub async fn resync(
    store: &dyn Codes,
    typed: &TwoCodes<'_>,
    limits: &Limits,
    patience: &dyn Patience,
) -> Result<Resynced, Unavailable> {
    for _ in 0..STALE_TRIES_MAX {
        let guess = store.read_guess(typed.user, typed.station, &CODES, typed.at, limits).await.map_err(away)?;
        let (outcome, answer) = match judge(store, &guess, typed, limits) {
            Ok(judged) => judged,
            Err(known) => return Ok(known),
        };
        let (user, station) = (typed.user.clone(), typed.station.cloned());
        let (guess_id, version, at) = (typed.guess_id, guess.version, typed.at);
        let commit = GuessCommit { guess_id, user, version, station, outcome, at };
        match settled("the token's counter", patience, || store.commit_guess(commit.clone(), limits)).await? {
            CommittedGuess::Committed => return Ok(answer),
            CommittedGuess::Stale => {}
        }
    }
    Err(Unavailable::seen("too many codes of this user are being checked at once"))
}

/// What must be written before it is told; `Err`: what may be told at once.
fn judge(
    store: &dyn Codes,
    guess: &Guess,
    typed: &TwoCodes<'_>,
    limits: &Limits,
) -> Result<(GuessOutcome, Resynced), Resynced> {
    let now = typed.at;
    if let Some(until) = guess.bucket.lock(now) {
        return Err(Resynced::Locked { until });
    }
    let counts =
        |id: &TokenId| guess.tokens.iter().any(|open| open.token.id == *id && open.token.kind == TokenKind::Hotp);
    if !counts(typed.token) {
        return Err(Resynced::NoToken);
    }
    let codes = [typed.first.expose(), typed.second.expose()];
    match two_in_a_row(&guess.tokens, typed.token, codes, now, limits) {
        Some(uses) => Ok((GuessOutcome::Used(uses), Resynced::Done)),
        None => {
            let wrong = store.wrong_code(typed.user, &both(codes), &guess.tokens);
            Ok((GuessOutcome::Wrong(wrong), Resynced::Wrong))
        }
    }
}

/// What is remembered of a wrong pair, so that the same one again counts once (rules C1).
fn both([first, second]: [&[u8]; 2]) -> Secret {
    let mut both = Zeroizing::new(Vec::with_capacity(first.len() + second.len() + 1));
    both.extend_from_slice(first);
    both.push(b' ');
    both.extend_from_slice(second);
    Secret::new(both.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::factor::oath::Tries;
    use crate::factor::oath::testing::SEED;
    use crate::factor::oath::{RESYNC_AHEAD, TypedCode, check, hotp};
    use crate::store::{Algorithm, NewToken, NewUser, Sqlite, SqliteOptions, StoreKey, Tokens, Users};
    use login::{CodeOutcome, Moment, Tick};

    const NOW: Wall = Wall(1_700_000_010_000);

    struct Site {
        store: Sqlite,
        token: TokenId,
        _folder: tempfile::TempDir,
    }

    impl Site {
        async fn with(kind: TokenKind) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let key = StoreKey::generate(&folder.path().join("store.key")).unwrap();
            let url = format!("sqlite:{}", folder.path().join("vestibule.db").display());
            let store = Sqlite::open(&url, &key, SqliteOptions::default()).unwrap();
            let new = NewUser {
                name: ResolvedUser::new("alice"),
                groups: Vec::new(),
                mail: None,
                password_hash: None,
                by_staff: None,
            };
            store.add_user(new, NOW).await.unwrap();
            let seed = Secret::new(SEED);
            let token = NewToken { kind, seed, digits: 6, algorithm: Algorithm::Sha1, label: None, used: None };
            let token = store.add_token(&ResolvedUser::new("alice"), token, NOW).await.unwrap();
            Self { store, token, _folder: folder }
        }

        async fn tries(&self, n: u8, first: &Secret, second: &Secret, after_s: u64) -> Resynced {
            let at = Wall(NOW.0 + after_s * 1000);
            let user = ResolvedUser::new("alice");
            let typed =
                TwoCodes { guess_id: [n; 16], user: &user, station: None, token: &self.token, first, second, at };
            resync(&self.store, &typed, &Limits::default(), &Tries(3)).await.unwrap()
        }

        async fn logs_in(&self, n: u8, code: &Secret) -> CodeOutcome {
            let (user, at) = (ResolvedUser::new("alice"), Moment { tick: Tick(0), wall: NOW });
            let methods = [Method::Hotp];
            let typed = TypedCode { guess_id: [n; 16], user: &user, station: None, code, methods: &methods, at };
            check(&self.store, &typed, &Limits::default(), &Tries(3)).await.unwrap()
        }

        async fn counter(&self) -> u64 {
            let user = ResolvedUser::new("alice");
            let guess = self.store.read_guess(&user, None, &CODES, NOW, &Limits::default()).await.unwrap();
            guess.tokens[0].counter
        }

        async fn failures(&self) -> u32 {
            self.store.show_user(&ResolvedUser::new("alice")).await.unwrap().unwrap().codes.failures
        }
    }

    fn code(counter: u64) -> Secret {
        hotp(Algorithm::Sha1, SEED, counter, 6)
    }

    #[tokio::test]
    async fn two_codes_in_a_row_find_a_token_that_counted_on() {
        for ahead in [0, 1, 500, u64::from(RESYNC_AHEAD)] {
            let site = Site::with(TokenKind::Hotp).await;
            assert_eq!(site.tries(1, &code(ahead), &code(ahead + 1), 0).await, Resynced::Done, "{ahead}");
            assert_eq!(site.counter().await, ahead + 2);
            // Both are used up; the next one is not.
            for used in [ahead, ahead + 1] {
                assert!(!matches!(site.logs_in(2, &code(used)).await, CodeOutcome::Right { .. }), "{used}");
            }
            assert!(matches!(site.logs_in(3, &code(ahead + 2)).await, CodeOutcome::Right { .. }));
        }
    }

    #[tokio::test]
    async fn what_is_not_two_in_a_row_within_reach_is_wrong_and_moves_nothing() {
        let far = u64::from(RESYNC_AHEAD) + 1;
        for (first, second) in [(500, 500), (501, 500), (500, 502), (500, 777), (far, far + 1)] {
            let site = Site::with(TokenKind::Hotp).await;
            assert_eq!(site.tries(1, &code(first), &code(second), 0).await, Resynced::Wrong, "{first} {second}");
            assert_eq!((site.counter().await, site.failures().await), (0, 1), "{first} {second}");
        }
        let site = Site::with(TokenKind::Hotp).await;
        for nonsense in ["", "12345", "1234567", "abcdef"] {
            assert_eq!(site.tries(1, &Secret::new(nonsense), &code(1), 0).await, Resynced::Wrong, "{nonsense}");
        }
    }

    #[tokio::test]
    async fn the_counter_never_falls() {
        let site = Site::with(TokenKind::Hotp).await;
        assert_eq!(site.tries(1, &code(500), &code(501), 0).await, Resynced::Done);
        for earlier in [0, 100, 499, 500, 501] {
            let n = u8::try_from(earlier % 100).unwrap() + 2;
            assert_eq!(site.tries(n, &code(earlier), &code(earlier + 1), 0).await, Resynced::Wrong, "{earlier}");
        }
        assert_eq!(site.counter().await, 502);
    }

    #[tokio::test]
    async fn each_try_is_a_guess_and_while_codes_are_off_none_is_looked_at() {
        let site = Site::with(TokenKind::Hotp).await;
        for n in 0..5_u64 {
            let tried = site.tries(u8::try_from(n).unwrap(), &code(300 + n), &code(200), 0).await;
            assert_eq!(tried, Resynced::Wrong);
        }
        assert!(matches!(site.tries(9, &code(500), &code(501), 0).await, Resynced::Locked { .. }));
        assert!(matches!(site.logs_in(10, &code(0)).await, CodeOutcome::Locked { .. }), "the same row of tries");
        assert_eq!(site.counter().await, 0);
        assert_eq!(site.tries(11, &code(500), &code(501), 61).await, Resynced::Done);
        assert_eq!(site.failures().await, 0, "a success");
    }

    #[tokio::test]
    async fn a_pair_that_is_repeated_counts_once() {
        let site = Site::with(TokenKind::Hotp).await;
        for n in 0..3 {
            assert_eq!(site.tries(n, &code(500), &code(502), 0).await, Resynced::Wrong);
        }
        assert_eq!(site.failures().await, 1);
    }

    #[tokio::test]
    async fn a_token_that_tells_the_time_has_no_counter() {
        let site = Site::with(TokenKind::Totp { period_s: 30 }).await;
        assert_eq!(site.tries(1, &code(500), &code(501), 0).await, Resynced::NoToken);
        assert_eq!(site.failures().await, 0);
    }

    #[tokio::test]
    async fn a_code_of_further_on_is_wrong_and_told_as_that_in_the_record_alone() {
        let site = Site::with(TokenKind::Hotp).await;
        assert_eq!(site.logs_in(1, &code(490)).await, CodeOutcome::Ahead { token: site.token.clone(), by: 490 });
        assert_eq!((site.counter().await, site.failures().await), (0, 1));
        // Again it is the same, and counts once.
        assert_eq!(site.logs_in(2, &code(490)).await, CodeOutcome::Ahead { token: site.token.clone(), by: 490 });
        assert_eq!(site.failures().await, 1);
        assert_eq!(site.logs_in(3, &code(u64::from(RESYNC_AHEAD) + 1)).await, CodeOutcome::Wrong);
    }
}
