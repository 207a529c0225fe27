//! What the one pass over a packet's attributes checks and notes: where the attributes are that everybody asks for, and how many
//! there are of those that count.
//!
//! The pass is the hottest loop of the house, so two integers take all notes: no branch asks what an attribute is, and nothing is
//! stored before the end. It refuses what a packet may hold only once, and it never looks inside a value.

use std::hint::black_box;

use crate::field::{
    ATTRIBUTE_COUNT_MAX, ATTRIBUTE_HEADER_OCTETS, HEADER_OCTETS, MESSAGE_AUTHENTICATOR_OCTETS, PACKET_OCTETS_MAX,
};
use crate::kind;
use crate::malformed::Malformed;
use crate::view::Attribute;

/// A type that is noted. Its index says which octet of `counts` is its own and, for those that may stand once, which field of
/// `places`.
#[derive(Clone, Copy)]
pub(crate) enum Noted {
    UserName,
    UserPassword,
    ChapPassword,
    State,
    MessageAuthenticator,
    ProxyState,
    EapMessage,
    ArapPassword,
}

impl Noted {
    #[expect(clippy::as_conversions, reason = "the discriminants count from 0 to 7")]
    const fn index(self) -> u8 {
        self as u8
    }

    const fn of(kind: u8) -> Option<Self> {
        match kind {
            kind::USER_NAME => Some(Self::UserName),
            kind::USER_PASSWORD => Some(Self::UserPassword),
            kind::CHAP_PASSWORD => Some(Self::ChapPassword),
            kind::STATE => Some(Self::State),
            kind::MESSAGE_AUTHENTICATOR => Some(Self::MessageAuthenticator),
            kind::PROXY_STATE => Some(Self::ProxyState),
            kind::EAP_MESSAGE => Some(Self::EapMessage),
            kind::ARAP_PASSWORD => Some(Self::ArapPassword),
            _ => None,
        }
    }
}

/// The first five may stand only once: two could mean different users, or hide a forgery (RFC 2865 §5.44, RFC 3579 §3.3).
/// Only their places are noted.
const ONCE: u8 = Noted::ProxyState.index();

/// Bits of a place: an offset in a packet.
const PLACE_BITS: u8 = 12;
const PLACE_MASK: u64 = (1 << PLACE_BITS) - 1;
const _: () = assert!(PACKET_OCTETS_MAX <= 1 << PLACE_BITS, "a place holds any offset");
/// Where the places of all other attributes go, above the fields in use: written, and never read.
const NOWHERE: u8 = PLACE_BITS * ONCE;

/// The offset of the first attribute.
const FIRST: u32 = 20;
const _: () = assert!(HEADER_OCTETS == 20);

/// More than one in any counter of those that may stand once.
const TWICE: u64 = 0x0000_00fe_fefe_fefe;
const _: () = assert!(ATTRIBUTE_COUNT_MAX < 0xff, "no counter runs over into its neighbour");

/// By attribute type: the bit where its place begins.
#[expect(
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "made by the compiler, where an overflow would be an error of the build"
)]
static PLACE_BIT: [u8; 256] = {
    let mut bits = [NOWHERE; 256];
    let mut kind = u8::MAX;
    while kind > 0 {
        if let Some(noted) = Noted::of(kind)
            && noted.index() < ONCE
        {
            bits[kind as usize] = PLACE_BITS * noted.index();
        }
        kind -= 1;
    }
    bits
};

/// By attribute type: one in its own counter.
#[expect(
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "made by the compiler, where an overflow would be an error of the build"
)]
static COUNT_ONE: [u64; 256] = {
    let mut ones = [0; 256];
    let mut kind = u8::MAX;
    while kind > 0 {
        if let Some(noted) = Noted::of(kind) {
            ones[kind as usize] = 1 << (8 * noted.index());
        }
        kind -= 1;
    }
    ones
};

/// What the one pass found.
#[derive(Clone, Copy)]
pub(crate) struct Notes {
    /// Offsets in the packet, 12 bits each; 0, where the header is, says that there is none.
    places: u64,
    /// How many of each, an octet each.
    counts: u64,
    /// How many attributes in all.
    all: usize,
}

impl Notes {
    /// Checks the attributes of a packet whose header is right and whose Length is its length.
    #[inline]
    pub(crate) fn take(bytes: &[u8]) -> Result<Self, Malformed> {
        let notes = Self::walk(bytes)?;
        notes.refuse_repeated()?;
        notes.refuse_mixed_credentials()?;
        notes.refuse_odd_authenticator(bytes)?;
        Ok(notes)
    }

    /// From attribute to attribute. What would bound this loop is that each one's place hangs on the length octet of the one
    /// before: load, add, load, add, some 6 cycles an attribute in which a processor could do 30 things. So the commonest
    /// length, 6 (every integer and address), is *guessed*: a processor predicts the branch and goes on with `six`, which hangs
    /// on nothing. `black_box` hides its value, or the compiler would see that both ways add `length`, and take the branch out.
    fn walk(bytes: &[u8]) -> Result<Self, Malformed> {
        let six = black_box(6_u32);
        let mut notes = Self { places: 0, counts: 0, all: 0 };
        let (mut at, mut last) = (FIRST, 0);
        while let Some((kind, length)) = head(bytes, at) {
            if kind == 0 {
                return Err(Malformed::AttributeZero);
            }
            let step = match length {
                0 | 1 => return Err(Malformed::AttributeLength(kind)),
                6 => six,
                _ => length.into(),
            };
            notes.note(kind, at)?;
            (at, last) = (at.wrapping_add(step), kind);
        }
        match bytes.len().checked_sub(index(at)) {
            Some(0) => Ok(notes),
            Some(_) => Err(Malformed::AttributeHeader),
            None => Err(Malformed::AttributeOverrun(last)),
        }
    }

    /// Without a branch but for the limit. What wraps here by its name can't: the limit is far below.
    fn note(&mut self, kind: u8, at: u32) -> Result<(), Malformed> {
        if self.all >= ATTRIBUTE_COUNT_MAX {
            return Err(Malformed::TooManyAttributes);
        }
        self.places |= u64::from(at).wrapping_shl(by_type(&PLACE_BIT, kind).into());
        self.counts = self.counts.wrapping_add(by_type(&COUNT_ONE, kind));
        self.all = self.all.wrapping_add(1);
        Ok(())
    }

    /// How many attributes there are.
    pub(crate) const fn all(&self) -> usize {
        self.all
    }

    /// How many there are of this type.
    pub(crate) fn count(&self, noted: Noted) -> usize {
        usize::from(self.counts.to_le_bytes().get(usize::from(noted.index())).copied().unwrap_or_default())
    }

    /// The value in `bytes`, which are the octets that the notes were taken of, and its offset there. Only for those types
    /// that may stand once.
    pub(crate) fn find<'a>(&self, noted: Noted, bytes: &'a [u8]) -> Option<(usize, &'a [u8])> {
        let at = index(self.place(noted)?);
        let (attribute, _) = Attribute::split(bytes.get(at..)?).ok()?;
        Some((at.saturating_add(ATTRIBUTE_HEADER_OCTETS), attribute.value))
    }

    /// The offset of the attribute itself.
    fn place(&self, noted: Noted) -> Option<u32> {
        let bit = noted.index().saturating_mul(PLACE_BITS);
        let at = self.places.wrapping_shr(bit.into()) & PLACE_MASK;
        u32::try_from(at).ok().filter(|at| *at > 0)
    }

    fn refuse_repeated(&self) -> Result<(), Malformed> {
        if self.counts & TWICE == 0 { Ok(()) } else { Err(self.repeated()) }
    }

    #[cold]
    fn repeated(&self) -> Malformed {
        let twice = |noted: Noted| noted.index() < ONCE && self.count(noted) > 1;
        let kind = (1..=u8::MAX).find(|kind| Noted::of(*kind).is_some_and(twice));
        Malformed::DuplicateAttribute(kind.unwrap_or_default())
    }

    /// RFC 3579 §3.3 note 1: a packet must not hold more than one of these four.
    fn refuse_mixed_credentials(&self) -> Result<(), Malformed> {
        let kinds = [Noted::UserPassword, Noted::ChapPassword, Noted::ArapPassword, Noted::EapMessage];
        if kinds.into_iter().filter(|kind| self.count(*kind) > 0).count() > 1 {
            return Err(Malformed::MixedCredentials);
        }
        Ok(())
    }

    /// RFC 3579 §3.2: the length of a Message-Authenticator is 18.
    fn refuse_odd_authenticator(&self, bytes: &[u8]) -> Result<(), Malformed> {
        let length =
            self.place(Noted::MessageAuthenticator).and_then(|at| head(bytes, at)).map(|(_, length)| length.into());
        match length {
            None | Some(MESSAGE_AUTHENTICATOR_OCTETS) => Ok(()),
            Some(length) => Err(Malformed::MessageAuthenticatorLength(length.saturating_sub(ATTRIBUTE_HEADER_OCTETS))),
        }
    }
}

/// Type and length of the attribute that begins at this offset. Of 32 bits, so that the compiler knows that `at + 1` does not
/// overflow, and one comparison bounds both octets.
fn head(bytes: &[u8], at: u32) -> Option<(u8, u8)> {
    let at = index(at);
    let length = *bytes.get(at.saturating_add(1))?;
    Some((*bytes.get(at)?, length))
}

/// Costs nothing where `usize` has 32 bits or more.
fn index(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}

/// Every octet has its entry.
fn by_type<T: Copy + Default>(table: &[T; 256], kind: u8) -> T {
    table.get(usize::from(kind)).copied().unwrap_or_default()
}
