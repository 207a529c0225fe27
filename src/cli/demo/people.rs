//! The people of the demo: who they are, what opens their doors, where they sit.
//!
//! Their passwords stand here in the clear because they open nothing but the demo, which listens on loopback only.

use wire::Secret;

/// What a person has for the second door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Has {
    /// An authenticator app.
    Totp,
    /// A phone that rings.
    Phone,
}

/// One person.
#[derive(Clone, Copy, Debug)]
pub(super) struct Person {
    pub(super) name: &'static str,
    pub(super) password: &'static str,
    pub(super) has: Has,
    pub(super) groups: &'static [&'static str],
    /// Documentation addresses (RFC 5737): nobody really comes from there.
    pub(super) station: &'static str,
}

impl Person {
    pub(super) fn secret(&self) -> Secret {
        Secret::new(self.password)
    }

    /// Password and code in one, as `append = ","` takes it.
    pub(super) fn appended(&self, code: &Secret) -> Secret {
        Secret::new([self.password.as_bytes(), b",", code.expose()].concat())
    }
}

const STAFF: &[&str] = &["staff"];

pub(super) const ALICE: Person =
    Person { name: "alice", password: "looking-glass-7", has: Has::Totp, groups: STAFF, station: "198.51.100.11" };
pub(super) const BOB: Person =
    Person { name: "bob", password: "north-by-northwest-5", has: Has::Totp, groups: STAFF, station: "198.51.100.12" };
pub(super) const CAROL: Person =
    Person { name: "carol", password: "silver-bells-25", has: Has::Phone, groups: STAFF, station: "198.51.100.13" };
pub(super) const DAVE: Person =
    Person { name: "dave", password: "open-the-doors-9", has: Has::Phone, groups: STAFF, station: "198.51.100.14" };
pub(super) const ERIN: Person =
    Person { name: "erin", password: "evergreen-hill-3", has: Has::Totp, groups: STAFF, station: "198.51.100.15" };
pub(super) const FRANK: Person =
    Person { name: "frank", password: "quiet-harbour-8", has: Has::Phone, groups: STAFF, station: "198.51.100.16" };

/// She helps the others, on the staff's pages.
pub(super) const GRACE: Person = Person {
    name: "grace",
    password: "reading-room-4",
    has: Has::Totp,
    groups: &["staff", "service desk"],
    station: "198.51.100.17",
};

pub(super) const EVERYBODY: [Person; 7] = [ALICE, BOB, CAROL, DAVE, ERIN, FRANK, GRACE];

/// Where the burglar sits.
pub(super) const ELSEWHERE: &str = "203.0.113.66";
/// Where the visitor of the page sits.
pub(super) const VISITOR: &str = "192.0.2.80";
