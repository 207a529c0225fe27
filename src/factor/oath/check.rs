//! One guess, from the typed code to what became of it: read, verify, compare-and-set, and only then an answer (rules C1).
//!
//! Nothing is revealed before the commit: a right code whose use could not be made durable is no code, and a wrong one
//! whose failure could not be counted is no answer. Guesses of one user serialise over sockets and nodes, because each
//! commit names the version that it read. An unknown commit is settled by repeating the very same statement.

use login::limits::Limits;
use login::{CodeOutcome, Method, Moment, ResolvedUser, Station, Unavailable, Wall};
use wire::Secret;

use super::verify::{Match, further_on, verify};
use crate::factor::settling::{Patience, away, settled};
use crate::store::{Codes, CommittedGuess, Guess, GuessCommit, GuessOutcome, OpenToken, WrongCode};

/// Seconds of the shortest TOTP step. A wrong code that is repeated is looked at until the next step ends, for it may have
/// been typed too early. That costs no failure, so it must buy no more: of one counted failure an attacker tries that one
/// step besides. Were it looked at for longer, one code repeated for days would be a guess at every step, of which rules D1
/// count one. So the repetition is *wrong* then without a look, and may go on for ever: it says nothing, so it costs nothing.
const STEP_S: u64 = 30;

/// A code is used on each token for which it is right, whether its kind is listed or not (rules C1).
const CODES: [Method; 2] = [Method::Totp, Method::Hotp];

/// How often a guess that others overtook begins anew. A lock (D1) ends a race of different wrong codes long before;
/// equal ones count once.
const STALE_TRIES_MAX: u32 = 64;

/// One typed code, and where it was typed.
#[derive(Clone, Debug)]
pub struct TypedCode<'a> {
    /// Names this guess in the store, so that repeating its commit is the same commit: 16 random octets, new for each guess.
    pub guess_id: [u8; 16],
    /// Who the primary says it is (rules A2).
    pub user: &'a ResolvedUser,
    /// From where; a known station counts apart (D1).
    pub station: Option<&'a Station>,
    /// What was typed.
    pub code: &'a Secret,
    /// The kinds that the rule lists (C4); those that are no codes are passed over.
    pub methods: &'a [Method],
    /// When; codes live on its wall clock.
    pub at: Moment,
}

/// Tries a code and says what became of it, once that is durable.
///
/// # Errors
/// [`Unavailable`] if the store can't be read or written, or if the commit stays unknown: then there is no Accept (C1).
/// It is never confirmed: where a code must be read, the store knows only deny (rules A5).
pub async fn check(
    store: &dyn Codes,
    typed: &TypedCode<'_>,
    limits: &Limits,
    patience: &dyn Patience,
) -> Result<CodeOutcome, Unavailable> {
    let methods: Vec<Method> = typed.methods.iter().copied().filter(|method| method.is_code()).collect();
    for _ in 0..STALE_TRIES_MAX {
        let guess = store.read_guess(typed.user, typed.station, &CODES, typed.at.wall, limits).await.map_err(away)?;
        let (outcome, answer) = match judge(store, &guess, typed, &methods, limits) {
            Judged::Known(answer) => return Ok(answer),
            Judged::Commit(outcome, answer) => (outcome, answer),
        };
        let commit = commit_of(typed, guess.version, outcome);
        match settled("the code's use", patience, || store.commit_guess(commit.clone(), limits)).await? {
            CommittedGuess::Committed => return Ok(answer),
            CommittedGuess::Stale => {}
        }
    }
    Err(Unavailable::seen("too many codes of this user are being checked at once"))
}

/// What a guess comes to, before anything is written.
enum Judged {
    /// Nothing needs writing, so it may be told at once.
    Known(CodeOutcome),
    /// To be told only after this is durable.
    Commit(GuessOutcome, CodeOutcome),
}

fn judge(store: &dyn Codes, guess: &Guess, typed: &TypedCode<'_>, methods: &[Method], limits: &Limits) -> Judged {
    let now = typed.at.wall;
    // Rules D1: while codes are off the code is not looked at, so that a lock tells nothing about it.
    if let Some(until) = guess.bucket.lock(now) {
        return Judged::Known(CodeOutcome::Locked { until });
    }
    let tokens: Vec<OpenToken> =
        guess.tokens.iter().filter(|open| methods.contains(&open.token.kind.method())).cloned().collect();
    if tokens.is_empty() {
        return Judged::Known(CodeOutcome::NoToken);
    }
    let code = store.wrong_code(typed.user, typed.code, &tokens);
    let counted = counted_at(guess, &code, now);
    if counted.is_some_and(|since| now.unix_seconds() / STEP_S > since.unix_seconds() / STEP_S + 1) {
        return Judged::Known(CodeOutcome::Wrong);
    }
    match verify(&guess.tokens, methods, typed.code.expose(), now, limits) {
        Match::Right { token, method, uses } => {
            Judged::Commit(GuessOutcome::Used(uses), CodeOutcome::Right { method, token })
        }
        // Spent once is spent for ever: no commit could change it.
        Match::Spent => Judged::Known(CodeOutcome::Spent),
        // Rules C1: "A repeated identical wrong code counts once." Its failure is durable, or it had not been read.
        Match::None if counted.is_some() => Judged::Known(wrong(&tokens, methods, typed, limits)),
        Match::None => Judged::Commit(GuessOutcome::Wrong(code), wrong(&tokens, methods, typed, limits)),
    }
}

/// Wrong; the record says also whether that is only because the token counted on without us.
fn wrong(tokens: &[OpenToken], methods: &[Method], typed: &TypedCode<'_>, limits: &Limits) -> CodeOutcome {
    match further_on(tokens, methods, typed.code.expose(), limits) {
        Some((token, by)) => CodeOutcome::Ahead { token, by },
        None => CodeOutcome::Wrong,
    }
}

/// When this very guess was counted, if it is the last one that was.
fn counted_at(guess: &Guess, code: &WrongCode, now: Wall) -> Option<Wall> {
    guess.wrong.filter(|wrong| wrong.is_repeated_by(code, now)).map(|wrong| wrong.since)
}

fn commit_of(typed: &TypedCode<'_>, version: u64, outcome: GuessOutcome) -> GuessCommit {
    let (user, station) = (typed.user.clone(), typed.station.cloned());
    GuessCommit { guess_id: typed.guess_id, user, version, station, outcome, at: typed.at.wall }
}

#[cfg(test)]
mod tests;
