//! Which token has this code, and what must be written so that it never works again. Pure.
//!
//! A step or counter counts only above the one that is stored, whatever the clock did (rules C1): `last_step` and
//! `counter` only grow. A code is tried on all tokens it is given (rules C4), and every token is computed, so that
//! neither their number nor their order shows in the time it takes more than it must.

use login::codes::{fresh_counter, fresh_step};
use login::limits::Limits;
use login::{Method, TokenId, Wall};
use subtle::ConstantTimeEq;
use totp_rs::{Builder, Totp};
use wire::Secret;

use super::hotp::hotp;
use crate::store::{Algorithm, Mark, OpenToken, TokenKind, TokenUse};

/// Steps before and after the expected one that a TOTP code may be (RFC 6238 §5.2: "We RECOMMEND that at most one
/// time step is allowed as the network delay").
const STEPS_AROUND: u16 = 1;

/// How far a token's clock may have drifted, in steps; beyond it the token needs a resync by a person.
const DRIFT_STEPS_MAX: i64 = 10;

/// How far ahead of its counter a token may be, in codes, for two in a row to find it again (RFC 4226 §7.4).
pub const RESYNC_AHEAD: u32 = 1000;

/// What a code comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// It is this token's, and unused.
    Right {
        /// Whose code it is.
        token: TokenId,
        /// TOTP or HOTP.
        method: Method,
        /// What must be committed before anyone learns of it: this token's use, and that of each other one for which it is right
        /// (rules C1).
        uses: Vec<TokenUse>,
    },
    /// It is some token's, of a step that was used or passed over: never again (rules C1).
    Spent,
    /// It is nobody's.
    None,
}

/// Tries a code on the user's tokens of the listed kinds (rules C4). `tokens` are all active ones, for a code is used on each for
/// which it is right, whether its kind is listed or not.
#[must_use]
pub fn verify(tokens: &[OpenToken], methods: &[Method], code: &[u8], now: Wall, limits: &Limits) -> Match {
    let tokens = risen(tokens);
    let tried: Vec<Tried> = tokens.iter().map(|token| try_on(token, code, now, limits)).collect();
    let listed = |token: &OpenToken| methods.contains(&token.token.kind.method());
    let mut told = tokens.iter().zip(&tried).filter(|(token, _)| listed(token));
    let Some((token, mark)) = told.clone().find_map(|(token, tried)| Some((token, tried.mark()?))) else {
        return if told.any(|(_, tried)| *tried == Tried::Spent) { Match::Spent } else { Match::None };
    };
    let (id, method) = (token.token.id.clone(), token.token.kind.method());
    let first = TokenUse { token: id.clone(), mark };
    let others = tokens.iter().zip(&tried).filter(|(other, _)| other.token.id != token.token.id);
    // A twin of it has had this code with it, even if its own window is elsewhere, or it shows more digits.
    let also = others.filter_map(|(other, tried)| {
        let mark = tried.mark().or_else(|| other.is_twin_of(token).then_some(mark))?;
        Some(TokenUse { token: other.token.id.clone(), mark })
    });
    Match::Right { token: id, method, uses: std::iter::once(first).chain(also).collect() }
}

/// Two codes in a row of this token, at most [`RESYNC_AHEAD`] codes ahead: what must be committed before anyone learns of it, which
/// is the use of both on it and on each other token for which one of them is right (rules C1).
pub(super) fn two_in_a_row(
    tokens: &[OpenToken],
    token: &TokenId,
    codes: [&[u8]; 2],
    now: Wall,
    limits: &Limits,
) -> Option<Vec<TokenUse>> {
    let tokens = risen(tokens);
    let token = tokens.iter().find(|open| open.token.id == *token)?;
    let mark = Mark::Hotp { counter: found_again(token, codes)? };
    let others = tokens.iter().filter(|other| other.token.id != token.token.id);
    let also = others.filter_map(|other| {
        let tried = codes.iter().filter_map(|code| try_on(other, code, now, limits).mark()).next_back();
        let mark = if other.is_twin_of(token) { mark } else { tried? };
        Some(TokenUse { token: other.token.id.clone(), mark })
    });
    Some(std::iter::once(TokenUse { token: token.token.id.clone(), mark }).chain(also).collect())
}

/// The counter of the second of two codes in a row. All are computed, wherever they are found.
fn found_again(token: &OpenToken, [first, second]: [&[u8]; 2]) -> Option<u64> {
    let ahead = token.counter..=token.counter.saturating_add(u64::from(RESYNC_AHEAD));
    let is = |counter: u64, code: &[u8]| bool::from(hotp_of(token, counter).expose().ct_eq(code));
    let matches = |counter: &u64| {
        let both = is(*counter, first) & counter.checked_add(1).is_some_and(|next| is(next, second));
        fresh_counter(token.counter, *counter) && both
    };
    let found = ahead.filter(matches).fold(None, |found: Option<u64>, counter| found.or(Some(counter)))?;
    found.checked_add(1).filter(|second| *second < u64::MAX)
}

/// Whether a code that is nobody's within reach is one of a counting token further on, for the record alone: which, and by how
/// many codes. One in a thousand wrong codes looks so by chance.
pub(super) fn further_on(
    tokens: &[OpenToken],
    methods: &[Method],
    code: &[u8],
    limits: &Limits,
) -> Option<(TokenId, u64)> {
    let counting = risen(tokens).into_iter().filter(|token| {
        let listed = methods.contains(&token.token.kind.method());
        listed && token.token.kind == TokenKind::Hotp && code.len() == usize::from(token.token.digits)
    });
    let found = |token: OpenToken| {
        let ahead = u64::from(limits.hotp_look_ahead) + 1..=u64::from(RESYNC_AHEAD);
        let counters = ahead.filter_map(|by| Some((by, token.counter.checked_add(by)?)));
        let matches = |(_, counter): &(u64, u64)| bool::from(hotp_of(&token, *counter).expose().ct_eq(code));
        let by = counters.filter(matches).fold(None, |found: Option<u64>, (by, _)| found.or(Some(by)))?;
        Some((token.token.id, by))
    };
    counting.fold(None, |so_far, token| so_far.or(found(token)))
}

/// As they stand, and twins where the highest of them stands: what one has used no other has left (rules C1). Tokens with one
/// seed are refused today; stores of before may hold some.
fn risen(tokens: &[OpenToken]) -> Vec<OpenToken> {
    let highest = |token: &OpenToken| {
        let twins = tokens.iter().filter(|twin| twin.is_twin_of(token));
        twins.fold((token.last_step, token.counter), |(step, counter), twin| {
            (step.max(twin.last_step), counter.max(twin.counter))
        })
    };
    let risen = tokens.iter().map(|token| {
        let (last_step, counter) = highest(token);
        OpenToken { last_step, counter, ..token.clone() }
    });
    risen.collect()
}

/// The code that a token shows at `now`: for activation, the demo's phone and the tests' own. `None` if no code can come of it.
#[must_use]
pub fn code_at(token: &OpenToken, now: Wall) -> Option<Secret> {
    match token.token.kind {
        TokenKind::Totp { period_s } => {
            totp(token, period_s).map(|totp| Secret::new(totp.generate(now.unix_seconds()).to_string()))
        }
        TokenKind::Hotp => Some(hotp_of(token, token.counter)),
    }
}

/// What a code comes to on one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tried {
    Right(Mark),
    Spent,
    Wrong,
}

impl Tried {
    fn mark(self) -> Option<Mark> {
        match self {
            Self::Right(mark) => Some(mark),
            Self::Spent | Self::Wrong => None,
        }
    }
}

fn try_on(token: &OpenToken, code: &[u8], now: Wall, limits: &Limits) -> Tried {
    if code.len() != usize::from(token.token.digits) || !code.iter().all(u8::is_ascii_digit) {
        return Tried::Wrong;
    }
    match token.token.kind {
        TokenKind::Totp { period_s } => {
            totp(token, period_s).map_or(Tried::Wrong, |totp| try_totp(token, &totp, code, now))
        }
        TokenKind::Hotp => try_hotp(token, code, limits.hotp_look_ahead),
    }
}

fn try_totp(token: &OpenToken, totp: &Totp, code: &[u8], now: Wall) -> Tried {
    let Ok(code) = std::str::from_utf8(code) else { return Tried::Wrong };
    let expected = now.unix_seconds() / totp.step();
    let drift = token.drift_steps.clamp(-DRIFT_STEPS_MAX, DRIFT_STEPS_MAX);
    // Around the remembered drift, and around none: a phone whose clock was put right must get in too.
    let around = |drift: i64| totp.check(code, expected.saturating_add_signed(drift).saturating_mul(totp.step()));
    let Some(step) = around(drift).or_else(|| around(0)) else { return Tried::Wrong };
    // Rules C1: above the stored step, or spent, whatever the clock says.
    if !fresh_step(token.last_step, step) {
        return Tried::Spent;
    }
    let drift_steps = step.wrapping_sub(expected).cast_signed();
    Tried::Right(Mark::Totp { step, drift_steps })
}

/// RFC 4226 §7.4: "the server can recalculate the next s HOTP-server values"; none before the counter, ever.
fn try_hotp(token: &OpenToken, code: &[u8], look_ahead: u32) -> Tried {
    let ahead = token.counter..=token.counter.saturating_add(u64::from(look_ahead));
    let matches = |counter: &u64| {
        fresh_counter(token.counter, *counter) && bool::from(hotp_of(token, *counter).expose().ct_eq(code))
    };
    // The last counter of all has no next one: it could be used twice, so it is never used.
    let found = ahead
        .filter(matches)
        .fold(None, |first: Option<u64>, counter| first.or(Some(counter)))
        .filter(|counter| *counter < u64::MAX);
    match found {
        Some(counter) => Tried::Right(Mark::Hotp { counter }),
        None => Tried::Wrong,
    }
}

fn hotp_of(token: &OpenToken, counter: u64) -> Secret {
    hotp(token.token.algorithm, token.seed.expose(), counter, token.token.digits)
}

/// `build` refuses the 80-bit seeds that many tokens have; what else it would check is checked here.
fn totp(token: &OpenToken, period_s: u32) -> Option<Totp> {
    let digits = token.token.digits;
    if period_s == 0 || !(6..=8).contains(&digits) || token.seed.is_empty() {
        return None;
    }
    let builder = Builder::new()
        .with_algorithm(algorithm(token.token.algorithm))
        .with_digits(digits)
        .with_skew(STEPS_AROUND)
        .with_step_duration(u64::from(period_s))
        .with_secret(token.seed.expose());
    Some(builder.build_noncompliant())
}

fn algorithm(algorithm: Algorithm) -> totp_rs::Algorithm {
    match algorithm {
        Algorithm::Sha1 => totp_rs::Algorithm::SHA1,
        Algorithm::Sha256 => totp_rs::Algorithm::SHA256,
        Algorithm::Sha512 => totp_rs::Algorithm::SHA512,
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;
    use crate::factor::oath::testing::{SEED, hotp_token, totp_token, with};

    fn totp_at(last_step: Option<u64>, drift_steps: i64) -> OpenToken {
        OpenToken { last_step, drift_steps, ..totp_token("t") }
    }

    fn hotp_at(counter: u64) -> OpenToken {
        OpenToken { counter, ..hotp_token("h") }
    }

    fn six(counter: u64) -> Secret {
        hotp(Algorithm::Sha1, SEED, counter, 6)
    }

    fn at(seconds: u64) -> Wall {
        Wall(seconds * 1000)
    }

    /// The code of a phone whose clock says `seconds`.
    fn shown(token: &OpenToken, seconds: u64) -> Secret {
        code_at(token, at(seconds)).unwrap()
    }

    fn tried(tokens: &[OpenToken], code: &Secret, now: Wall) -> Match {
        verify(tokens, &[Method::Totp, Method::Hotp], code.expose(), now, &Limits::default())
    }

    fn used(tokens: &[OpenToken], code: &Secret, now: Wall) -> Option<Mark> {
        match tried(tokens, code, now) {
            Match::Right { uses, .. } => uses.first().map(|used| used.mark),
            Match::Spent | Match::None => None,
        }
    }

    fn step(step: u64, drift_steps: i64) -> Option<Mark> {
        Some(Mark::Totp { step, drift_steps })
    }

    /// RFC 6238, appendix B: time, then SHA-1, SHA-256, SHA-512.
    const VECTORS: [(u64, [&str; 3]); 6] = [
        (59, ["94287082", "46119246", "90693936"]),
        (1_111_111_109, ["07081804", "68084774", "25091201"]),
        (1_111_111_111, ["14050471", "67062674", "99943326"]),
        (1_234_567_890, ["89005924", "91819424", "93441116"]),
        (2_000_000_000, ["69279037", "90698825", "38618901"]),
        (20_000_000_000, ["65353130", "77737706", "47863826"]),
    ];

    #[test]
    fn the_values_of_rfc_6238_are_right_with_each_hash() {
        let long: Vec<u8> = SEED.iter().copied().cycle().take(64).collect();
        for (time, codes) in VECTORS {
            let kinds = [(Algorithm::Sha1, 20), (Algorithm::Sha256, 32), (Algorithm::Sha512, 64)];
            for ((algorithm, octets), code) in kinds.into_iter().zip(codes) {
                let token = with(totp_token("v"), |token| (token.algorithm, token.digits) = (algorithm, 8));
                let token = OpenToken { seed: Secret::new(&long[..octets]), ..token };
                assert_eq!(used(&[token], &Secret::new(code), at(time)), step(time / 30, 0), "{algorithm:?} at {time}");
            }
        }
    }

    #[test]
    fn a_code_of_the_step_before_or_after_is_taken_and_two_away_is_not() {
        let token = totp_at(None, 0);
        for (phone, mark) in
            [(2970, step(99, -1)), (3000, step(100, 0)), (3030, step(101, 1)), (2940, None), (3060, None)]
        {
            assert_eq!(used(from_ref(&token), &shown(&token, phone), at(3000)), mark, "phone at {phone}");
        }
    }

    #[test]
    fn a_remembered_drift_moves_the_window() {
        let late = totp_at(None, -3);
        assert_eq!(used(from_ref(&late), &shown(&late, 3000 - 4 * 30), at(3000)), step(96, -4));
        assert_eq!(used(from_ref(&late), &shown(&late, 3000 - 5 * 30), at(3000)), None);
    }

    #[test]
    fn a_phone_whose_clock_was_put_right_gets_in() {
        let once_late = totp_at(None, -8);
        assert_eq!(used(from_ref(&once_late), &shown(&once_late, 3000), at(3000)), step(100, 0));
    }

    #[test]
    fn drift_is_bounded_whatever_is_stored() {
        let absurd = totp_at(None, i64::MAX);
        assert_eq!(used(from_ref(&absurd), &shown(&absurd, 3000 + 11 * 30), at(3000)), step(111, 11));
        assert_eq!(used(from_ref(&absurd), &shown(&absurd, 3000 + 12 * 30), at(3000)), None);
    }

    #[test]
    fn a_used_step_is_spent_and_so_is_each_one_before_it() {
        let token = totp_at(Some(100), 0);
        for phone in [3000, 3000 - 30] {
            assert_eq!(tried(from_ref(&token), &shown(&token, phone), at(3000)), Match::Spent);
        }
        assert!(used(from_ref(&token), &shown(&token, 3030), at(3000)).is_some());
    }

    #[test]
    fn a_clock_that_steps_back_makes_no_used_code_new() {
        let token = totp_at(Some(100), 0);
        for back in 0..600 {
            let now = at(3000 - back);
            assert_eq!(used(from_ref(&token), &shown(&token, 3000), now), None, "{back} s back");
            assert_eq!(used(from_ref(&token), &shown(&token, 3000 - back), now), None, "{back} s back");
        }
    }

    #[test]
    fn hotp_looks_ten_ahead_and_never_back() {
        let token = hotp_at(50);
        for (counter, taken) in [(50, true), (60, true), (61, false), (49, false), (0, false)] {
            let mark = taken.then_some(Mark::Hotp { counter });
            assert_eq!(used(from_ref(&token), &six(counter), at(0)), mark, "counter {counter}");
        }
    }

    #[test]
    fn the_last_counter_of_all_is_never_used() {
        assert_eq!(used(&[hotp_at(u64::MAX)], &six(u64::MAX), at(0)), None);
    }

    #[test]
    fn a_code_is_tried_on_all_tokens() {
        let first = totp_at(None, 0);
        let tokens = [first.clone(), hotp_at(7)];
        assert_eq!(used(&tokens, &six(7), at(90_000)), Some(Mark::Hotp { counter: 7 }));
        assert_eq!(used(&tokens, &shown(&first, 90_000), at(90_000)), step(3000, 0));
    }

    /// Whose uses a code is, in order.
    fn marked(tokens: &[OpenToken], methods: &[Method], code: &Secret, now: Wall) -> Vec<(String, Mark)> {
        match verify(tokens, methods, code.expose(), now, &Limits::default()) {
            Match::Right { uses, .. } => uses.into_iter().map(|used| (used.token.0.to_string(), used.mark)).collect(),
            Match::Spent | Match::None => Vec::new(),
        }
    }

    fn named(id: &str, token: &OpenToken, change: impl FnOnce(&mut OpenToken)) -> OpenToken {
        let mut token = with(token.clone(), |token| token.id = TokenId(id.into()));
        change(&mut token);
        token
    }

    const BOTH: [Method; 2] = [Method::Totp, Method::Hotp];

    #[test]
    fn a_code_is_used_on_each_token_for_which_it_is_right() {
        let one = totp_at(None, 0);
        // The other's clock was found three steps ahead, and a third shows two digits more: the code is none of theirs now.
        let ahead = named("ahead", &one, |token| token.drift_steps = 9);
        let eight = named("eight", &one, |token| token.token.digits = 8);
        let sha256 = named("sha256", &one, |token| token.token.algorithm = Algorithm::Sha256);
        let filled = named("filled", &one, |token| token.seed = Secret::new([SEED, &[0, 0]].concat()));
        let stranger = named("stranger", &one, |token| token.seed = Secret::new(b"another secret altogether"));
        let tokens = [one.clone(), ahead, eight, sha256, filled, stranger, hotp_at(0)];
        let used = marked(&tokens, &BOTH, &shown(&one, 2970), at(3000));
        let names: Vec<&str> = used.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["t", "ahead", "eight", "sha256", "filled"]);
        assert!(used.iter().all(|(_, mark)| matches!(mark, Mark::Totp { step: 99, .. })), "{used:?}");
    }

    #[test]
    fn of_two_tokens_with_one_seed_each_has_used_what_the_other_did() {
        let (used, unused) = (totp_at(Some(100), 0), named("twin", &totp_at(None, 0), |_| {}));
        for tokens in [[used.clone(), unused.clone()], [unused, used.clone()]] {
            assert_eq!(tried(&tokens, &shown(&used, 3000), at(3000)), Match::Spent);
            assert_eq!(marked(&tokens, &BOTH, &shown(&used, 3030), at(3000)).len(), 2);
        }
        let (behind, ahead) = (hotp_at(3), named("twin", &hotp_at(7), |_| {}));
        let tokens = [behind, ahead];
        assert_eq!(tried(&tokens, &six(5), at(0)), Match::None);
        assert_eq!(marked(&tokens, &BOTH, &six(7), at(0)).len(), 2);
    }

    #[test]
    fn a_code_is_used_on_tokens_whose_kind_the_rule_does_not_list_and_opens_by_none_of_them() {
        // An HOTP token that stands where the clock does: one code for both.
        let (totp, hotp) = (totp_at(None, 0), hotp_at(100));
        let tokens = [hotp.clone(), totp.clone()];
        let used = marked(&tokens, &[Method::Totp], &shown(&totp, 3000), at(3000));
        assert_eq!(used.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["t", "h"]);
        assert_eq!(marked(&[hotp], &[Method::Totp], &shown(&totp, 3000), at(3000)), []);
    }

    #[test]
    fn a_right_code_of_one_token_beats_a_spent_one_of_another() {
        let spent = totp_at(Some(100), 0);
        // Not one seed twice, but a code that two have by chance.
        let fresh = named("other", &hotp_at(100), |_| {});
        let code = shown(&spent, 3000);
        assert!(used(&[spent.clone(), fresh.clone()], &code, at(3000)).is_some());
        assert!(used(&[fresh, spent], &code, at(3000)).is_some());
    }

    #[test]
    fn what_is_no_code_matches_nothing() {
        for odd in [&b""[..], b"12345", b"1234567", b"+12345", b"12 345", b"\xff\xff\xff\xff\xff\xff"] {
            assert_eq!(tried(&[totp_at(None, 0), hotp_at(0)], &Secret::new(odd), at(3000)), Match::None);
        }
    }

    #[test]
    fn sixty_second_steps_and_short_seeds_work() {
        let token = with(totp_token("s"), |token| token.kind = TokenKind::Totp { period_s: 60 });
        let token = OpenToken { seed: Secret::new(&SEED[..10]), ..token };
        assert_eq!(used(from_ref(&token), &shown(&token, 6000), at(6059)), step(100, 0));
    }

    #[test]
    fn a_broken_token_or_a_mad_clock_harms_nobody() {
        let broken = with(totp_token("b"), |token| token.kind = TokenKind::Totp { period_s: 0 });
        assert_eq!(tried(&[broken], &Secret::new("123456"), at(3000)), Match::None);
        for mad in [Wall::NEVER, Wall(0)] {
            assert!(used(&[totp_at(Some(5), -3)], &Secret::new("123456"), mad).is_none());
        }
    }

    proptest::proptest! {
        /// Rules C1, whatever two clocks do: what was accepted once is never accepted again, and steps only grow.
        #[test]
        fn accepted_steps_only_grow(moves in proptest::collection::vec((0_u64..2_000, -90_i64..90), 1..60)) {
            let mut token = totp_at(None, 0);
            let mut accepted = None;
            for (ours, off) in moves {
                let code = shown(&token, (100_000 + ours).saturating_add_signed(off));
                let Some(Mark::Totp { step, drift_steps }) = used(from_ref(&token), &code, at(100_000 + ours)) else { continue };
                assert!(accepted.is_none_or(|before| step > before));
                (token.last_step, token.drift_steps, accepted) = (Some(step), drift_steps, Some(step));
            }
        }

        /// The same for a counter, with codes from anywhere around it.
        #[test]
        fn accepted_counters_only_grow(counters in proptest::collection::vec(0_u64..40, 1..60)) {
            let mut token = hotp_at(0);
            let mut last = None;
            for counter in counters {
                let Some(Mark::Hotp { counter }) = used(from_ref(&token), &six(counter), at(0)) else { continue };
                assert!(last.is_none_or(|last| counter > last));
                (token.counter, last) = (counter + 1, Some(counter));
            }
        }
    }
}
