//! Who is asking again: L, *the same login*, and P, *the same credential* (rules B2), and the hash of a State (C3).
//!
//! L is a keyed hash of what names a login; it goes into the store, so its key outlives the process.
//! P is an HMAC of the credential; it lives in memory only, as long as the session plus ten seconds.
//! Both compare in constant time. Absent is not empty: each part carries its presence and its length.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use wire::Secret;

use crate::mutant::{self, Mutant};
use crate::record::Reason;

type HmacSha256 = Hmac<Sha256>;

/// L: sixteen octets that name one login at one client.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoginKey(pub [u8; 16]);

/// The parts of L in their order; `None` is absent, which is not the same as empty.
#[derive(Clone, Debug, Default)]
pub struct LoginKeyParts<'a> {
    /// `[client.NAME]`.
    pub client: &'a str,
    /// User-Name octets as they came.
    pub user: &'a [u8],
    /// Calling-Station-Id, Tunnel-Client-Endpoint, Service-Type, then, under `join = "connection"`,
    /// NAS-Identifier, NAS-IP-Address, NAS-IPv6-Address, Acct-Session-Id, the `session_attribute`, ports.
    pub facts: &'a [Option<&'a [u8]>],
}

impl LoginKey {
    /// L of these parts under the site's key.
    #[must_use]
    pub fn of(key: &ProofKey, parts: &LoginKeyParts<'_>) -> Self {
        let mut mac = key.mac(b"vestibule login");
        absorb(&mut mac, Some(parts.client.as_bytes()));
        absorb(&mut mac, Some(parts.user));
        for fact in parts.facts.iter().filter(|_| !mutant::is(Mutant::StrangerJoins)) {
            absorb(&mut mac, *fact);
        }
        Self(first_half(mac))
    }

    /// L and P in one, under the key of P, for memory alone (D5).
    #[must_use]
    pub fn with_proof(self, key: &ProofKey, proof: &Proof) -> Self {
        let mut mac = key.mac(b"vestibule same");
        absorb(&mut mac, Some(&self.0));
        absorb(&mut mac, Some(&proof.0));
        Self(first_half(mac))
    }

    /// A key that no other attempt has: for an L that lacks what its `join` needs, and for bare senders (B2, D5).
    #[must_use]
    pub fn alone(entropy: [u8; 16]) -> Self {
        Self(entropy)
    }
}

impl fmt::Debug for LoginKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(4).try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// P: a credential's kind and value, as an HMAC that is compared in constant time and never shown.
#[derive(Clone, Copy)]
pub struct Proof([u8; 16]);

impl Proof {
    /// P of a credential: its kind (`pap`, `chap`, …) and the parts of its value.
    #[must_use]
    pub fn of(key: &ProofKey, kind: &str, values: &[&[u8]]) -> Self {
        let mut mac = key.mac(b"vestibule proof");
        absorb(&mut mac, Some(kind.as_bytes()));
        for value in values {
            absorb(&mut mac, Some(value));
        }
        Self(first_half(mac))
    }
}

impl PartialEq for Proof {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Proof {}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proof(..)")
    }
}

/// The key of L or of P.
#[derive(Clone)]
pub struct ProofKey {
    own: Secret,
    /// The same on every node and after a restart.
    site: Option<Secret>,
}

impl ProofKey {
    /// Takes 32 random octets.
    #[must_use]
    pub fn new(octets: [u8; 32]) -> Self {
        Self { own: Secret::new(octets.to_vec()), site: None }
    }

    /// This process's own key of States, which knows the site's: a State of before a restart is told apart.
    #[must_use]
    pub fn of_states(octets: [u8; 32], site: [u8; 32]) -> Self {
        Self { site: Some(Secret::new(site.to_vec())), ..Self::new(octets) }
    }

    /// The State of a login's nth challenge: letters that nobody without this process's key can tell from random
    /// ones. It is made again instead of kept, so that only its hash rests in memory (C3).
    #[must_use]
    pub fn state(&self, login: u64, round: u32) -> State {
        let mut mac = self.mac(b"vestibule state");
        mac.update(&login.to_be_bytes());
        mac.update(&round.to_be_bytes());
        let secret: [u8; SECRET_OCTETS] = letters(&mac.finalize().into_bytes().into());
        let mut state = [0; STATE_OCTETS];
        let letters = secret.into_iter().chain(Self::mark_of(&self.own, &secret)).chain(self.mark_of_site(&secret));
        state.iter_mut().zip(letters).for_each(|(to, from)| *to = from);
        state
    }

    /// Why a State is refused that nobody here knows (C3).
    #[must_use]
    pub fn why_unknown(&self, state: &[u8]) -> Reason {
        let Some((secret, marks)) = state.split_at_checked(SECRET_OCTETS) else { return Reason::StateUnknown };
        let Some((own, site)) = marks.split_at_checked(MARK_OCTETS) else { return Reason::StateUnknown };
        if bool::from(Self::mark_of(&self.own, secret).ct_eq(own)) {
            Reason::StateLate
        } else if bool::from(self.mark_of_site(secret).ct_eq(site)) {
            Reason::StateRestart
        } else {
            Reason::StateUnknown
        }
    }

    fn mark_of_site(&self, secret: &[u8]) -> [u8; MARK_OCTETS] {
        Self::mark_of(self.site.as_ref().unwrap_or(&self.own), secret)
    }

    fn mark_of(key: &Secret, secret: &[u8]) -> [u8; MARK_OCTETS] {
        let mut mac = mac_under(key, b"vestibule state mark");
        mac.update(secret);
        letters(&mac.finalize().into_bytes().into())
    }

    fn mac(&self, purpose: &[u8]) -> HmacSha256 {
        mac_under(&self.own, purpose)
    }
}

impl fmt::Debug for ProofKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProofKey(..)")
    }
}

fn mac_under(key: &Secret, purpose: &[u8]) -> HmacSha256 {
    let mut mac =
        HmacSha256::new_from_slice(key.expose()).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    absorb(&mut mac, Some(purpose));
    mac
}

/// Octets of a State.
pub const STATE_OCTETS: usize = SECRET_OCTETS + 2 * MARK_OCTETS;

/// Of these the letters that nobody can guess.
const SECRET_OCTETS: usize = 28;
/// Of these each of two marks: of the site, and of this process. They open nothing, and only tell which refusal it is.
const MARK_OCTETS: usize = 4;

/// A State of ours as it stands on the wire: letters A–Z and a–z only, because real clients cut a State at its first
/// zero octet (radcli, so ocserv) or change each octet below A (`mod_auth_radius`). 28 letters hold 159 bits (C3);
/// the marks behind them say, of a State that is not known any more, whether this process gave it out, or one before it.
pub type State = [u8; STATE_OCTETS];

/// Random octets, written as letters. Each half is a number of 128 bits that gives fourteen letters of 5.7 bits; the 48
/// bits that are left over make no letter likelier than another by more than one part in 2^48.
fn letters<const N: usize>(octets: &[u8; 32]) -> [u8; N] {
    const LETTERS: &[u8; 52] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut state = [0; N];
    for (half, place) in octets.chunks_exact(16).zip(state.chunks_exact_mut(N.div_ceil(2))) {
        let mut number = half.iter().fold(0_u128, |number, octet| number << 8 | u128::from(*octet));
        for letter in place {
            *letter = usize::try_from(number % 52).ok().and_then(|at| LETTERS.get(at)).copied().unwrap_or(b'A');
            number /= 52;
        }
    }
    state
}

/// A State as we keep it: hashed, so that memory or a core never yields one that still works (C3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateHash(pub [u8; 16]);

impl StateHash {
    /// The hash of a State's octets. To whom it belongs is not in it: `Session::admit` compares that (C3).
    #[must_use]
    pub fn of(state: &[u8]) -> Self {
        Self(half(&Sha256::digest(state)))
    }
}

impl fmt::Debug for StateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StateHash(..)")
    }
}

/// Presence, length, value: no two lists of parts run together into the same octets.
fn absorb(mac: &mut HmacSha256, part: Option<&[u8]>) {
    match part {
        None => mac.update(&[0]),
        Some(value) => {
            mac.update(&[1]);
            mac.update(&u64::try_from(value.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(value);
        }
    }
}

fn first_half(mac: HmacSha256) -> [u8; 16] {
    half(&mac.finalize().into_bytes())
}

fn half(whole: &[u8]) -> [u8; 16] {
    let mut half = [0; 16];
    half.iter_mut().zip(whole).for_each(|(to, from)| *to = *from);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ProofKey {
        ProofKey::new([7; 32])
    }

    fn login(facts: &[Option<&[u8]>]) -> LoginKey {
        LoginKey::of(&key(), &LoginKeyParts { client: "asa", user: b"alice", facts })
    }

    #[test]
    fn absent_is_not_empty() {
        assert_ne!(login(&[None]), login(&[Some(b"")]));
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(login(&[Some(b"ab"), Some(b"c")]), login(&[Some(b"a"), Some(b"bc")]));
    }

    #[test]
    fn another_kind_of_credential_is_another_proof() {
        assert_ne!(Proof::of(&key(), "pap", &[b"x"]), Proof::of(&key(), "chap", &[b"x"]));
        assert_eq!(Proof::of(&key(), "pap", &[b"x"]), Proof::of(&key(), "pap", &[b"x"]));
    }

    #[test]
    fn each_round_of_each_login_has_a_state_of_its_own() {
        let states: std::collections::BTreeSet<_> = (0..9_u32).map(|n| key().state(u64::from(n / 3), n % 3)).collect();
        assert_eq!(states.len(), 9);
        assert_ne!(key().state(1, 1), ProofKey::new([8; 32]).state(1, 1));
    }

    #[test]
    fn a_state_is_letters_only_and_every_letter_stands_at_every_place_about_equally_often() {
        const STATES: u64 = 20_000;
        let states: Vec<State> = (0..STATES).map(|login| key().state(login, 1)).collect();
        assert!(states.iter().flatten().all(u8::is_ascii_alphabetic));
        for place in 0..STATE_OCTETS {
            let mut seen = std::collections::BTreeMap::<u8, u32>::new();
            states.iter().for_each(|state| *seen.entry(state[place]).or_default() += 1);
            // 385 expected, with a deviation of 19: none is six deviations away, so each place holds its 5.7 bits.
            assert_eq!(seen.len(), 52, "place {place}");
            assert!(seen.values().all(|count| (268..=502).contains(count)), "place {place}: {seen:?}");
        }
    }

    #[test]
    fn a_state_survives_a_client_that_cuts_at_zero_and_one_that_changes_what_is_no_letter() {
        for login in 0..500 {
            let state = key().state(login, 1);
            let cut: Vec<u8> = state.iter().copied().take_while(|octet| *octet != 0).collect();
            let changed = state.map(|octet| if (b'A'..=0x7f).contains(&octet) { octet } else { octet | 0x40 });
            assert_eq!((StateHash::of(&cut), StateHash::of(&changed)), (StateHash::of(&state), StateHash::of(&state)));
        }
    }

    #[test]
    fn a_state_that_is_not_known_any_more_tells_who_gave_it_out() {
        let process = ProofKey::of_states([7; 32], [1; 32]);
        let before = ProofKey::of_states([9; 32], [1; 32]);
        let elsewhere = ProofKey::of_states([9; 32], [2; 32]);
        let state = process.state(7, 1);
        assert_eq!(process.why_unknown(&state), Reason::StateLate);
        assert_eq!(process.why_unknown(&before.state(7, 1)), Reason::StateRestart);
        assert_eq!(process.why_unknown(&elsewhere.state(7, 1)), Reason::StateUnknown);
        assert_eq!(process.why_unknown(b"never given out!"), Reason::StateUnknown);
        let mut changed = state;
        changed[0] = if changed[0] == b'A' { b'B' } else { b'A' };
        assert_eq!(process.why_unknown(&changed), Reason::StateUnknown);
    }
}
