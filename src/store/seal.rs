//! Sealing and authenticating what lies in the database (rules F1).
//!
//! A sealed column is XChaCha20-Poly1305 under a random 192-bit nonce, with the key's id in front and table, row, user and
//! column as associated data: copied to another row, user or column it does not open. A row that decides who gets in, but
//! holds no secret, carries a MAC over its fields instead. Neither says why it was refused beyond "not what we wrote".

use std::sync::Arc;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use subtle::ConstantTimeEq;
use wire::Secret;
use zeroize::Zeroizing;

use super::error::StoreError;
use super::key::{StoreKey, hmac, random};

mod field {
    use std::ops::Range;

    pub(super) const VERSION: u8 = 1;
    pub(super) const KEY_ID: Range<usize> = 1..5;
    pub(super) const NONCE: Range<usize> = 5..29;
    pub(super) const BODY: usize = 29;
}

/// Where a sealed or authenticated value stands; it opens nowhere else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// The table.
    pub(super) table: &'static str,
    /// The row's id.
    pub(super) row: &'a str,
    /// The user it belongs to.
    pub(super) user: &'a str,
    /// The column, or what the MAC is for.
    pub(super) column: &'static str,
}

impl Place<'_> {
    fn tampered(&self) -> StoreError {
        StoreError::Tampered { table: self.table, row: Arc::from(self.row) }
    }

    fn parts(&self) -> [&[u8]; 4] {
        [self.table.as_bytes(), self.row.as_bytes(), self.user.as_bytes(), self.column.as_bytes()]
    }
}

/// The keys of one store, each derived for one purpose.
#[derive(Clone)]
pub(super) struct Seals {
    id: [u8; 4],
    cipher: XChaCha20Poly1305,
    rows: Zeroizing<[u8; 32]>,
    stations: Zeroizing<[u8; 32]>,
    names: Zeroizing<[u8; 32]>,
    pub(super) wrong_codes: Zeroizing<[u8; 32]>,
    pub(super) chain: Zeroizing<[u8; 32]>,
    sites: Arc<StoreKey>,
}

impl Seals {
    pub(super) fn new(key: &StoreKey) -> Self {
        Self {
            id: key.id_octets(),
            cipher: XChaCha20Poly1305::new((&*key.derive("seal")).into()),
            rows: key.derive("rows"),
            stations: key.derive("stations"),
            names: key.derive("unknown names"),
            wrong_codes: key.derive("wrong codes"),
            chain: key.derive("record chain"),
            sites: Arc::new(key.clone()),
        }
    }

    /// Seals a secret for its place and the fields beside it that it must not be parted from.
    pub(super) fn seal(&self, place: Place<'_>, fields: &[&[u8]], secret: &Secret) -> Result<Vec<u8>, StoreError> {
        let nonce: [u8; 24] = random()?;
        let aad = associated(&self.id, place, fields);
        let payload = Payload { msg: secret.expose(), aad: &aad };
        let body = self
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| StoreError::Ours("a secret is too long to seal".into()))?;
        Ok([&[field::VERSION][..], &self.id, &nonce, &body].concat())
    }

    /// Opens what [`Self::seal`] sealed at this very place with these very fields.
    pub(super) fn open(&self, place: Place<'_>, fields: &[&[u8]], sealed: &[u8]) -> Result<Secret, StoreError> {
        let known = sealed.first() == Some(&field::VERSION) && sealed.get(field::KEY_ID) == Some(&self.id);
        let (Some(nonce), Some(body), true) = (sealed.get(field::NONCE), sealed.get(field::BODY..), known) else {
            return Err(place.tampered());
        };
        let nonce = XNonce::try_from(nonce).map_err(|_| place.tampered())?;
        let payload = Payload { msg: body, aad: &associated(&self.id, place, fields) };
        self.cipher.decrypt(&nonce, payload).map(Secret::new).map_err(|_| place.tampered())
    }

    /// The MAC of a row's fields at its place.
    pub(super) fn mac(&self, place: Place<'_>, fields: &[&[u8]]) -> Vec<u8> {
        let parts: Vec<&[u8]> = place.parts().into_iter().chain(fields.iter().copied()).collect();
        hmac(&self.rows[..], &parts).to_vec()
    }

    /// Refuses a row whose fields are not those that we wrote.
    pub(super) fn check(&self, place: Place<'_>, fields: &[&[u8]], mac: &[u8]) -> Result<(), StoreError> {
        if self.mac(place, fields).ct_eq(mac).into() { Ok(()) } else { Err(place.tampered()) }
    }

    /// A station as the store keys its failures: sixteen octets, whatever the station's length. Empty: none is known.
    pub(super) fn station(&self, octets: &[u8]) -> Vec<u8> {
        hmac(&self.stations[..], &[octets]).iter().take(16).copied().collect()
    }

    /// A keyed hash of what must be known again but never be read: a code, for its purpose and its user.
    pub(super) fn keyed(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        hmac(&self.sites.derive(&format!("hash {purpose}"))[..], parts)
    }

    /// A name that nobody knows, as it is written down: people type passwords there (rules F2).
    pub(super) fn unknown_name(&self, name: &str) -> String {
        let hash = hmac(&self.names[..], &[name.as_bytes()]);
        format!("unknown:{}", data_encoding::HEXLOWER.encode(&hash[..8]))
    }

    /// Says in the database which key seals it, without telling anything of the key.
    pub(super) fn key_check(&self) -> Vec<u8> {
        hmac(&self.rows[..], &[b"key check"]).to_vec()
    }

    pub(super) fn key_id(&self) -> String {
        self.sites.id()
    }

    pub(super) fn site_key(&self, purpose: &str) -> [u8; 32] {
        *self.sites.derive(&format!("site {purpose}"))
    }
}

/// Every part with its length, so that no two lists of parts run together.
fn associated(key_id: &[u8; 4], place: Place<'_>, fields: &[&[u8]]) -> Vec<u8> {
    let mut all = key_id.to_vec();
    for part in place.parts().iter().chain(fields) {
        all.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        all.extend_from_slice(part);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place<'static> = Place { table: "tokens", row: "t-1", user: "alice", column: "seed" };

    fn seals() -> Seals {
        let directory = tempfile::tempdir().unwrap();
        Seals::new(&StoreKey::generate(&directory.path().join("key")).unwrap())
    }

    #[test]
    fn what_was_sealed_opens_at_its_place_alone() {
        let seals = seals();
        let sealed = seals.seal(HERE, &[b"totp"], &Secret::new("seed")).unwrap();
        assert_eq!(seals.open(HERE, &[b"totp"], &sealed).unwrap(), Secret::new("seed"));
        for elsewhere in [
            Place { row: "t-2", ..HERE },
            Place { user: "mallory", ..HERE },
            Place { column: "password", ..HERE },
            Place { table: "users", ..HERE },
        ] {
            assert!(seals.open(elsewhere, &[b"totp"], &sealed).is_err(), "{elsewhere:?}");
        }
        assert!(seals.open(HERE, &[b"hotp"], &sealed).is_err());
    }

    #[test]
    fn every_changed_octet_is_found() {
        let seals = seals();
        let sealed = seals.seal(HERE, &[], &Secret::new("seed")).unwrap();
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(seals.open(HERE, &[], &changed).is_err(), "octet {place}");
            assert!(seals.open(HERE, &[], &sealed[..place]).is_err(), "cut at {place}");
        }
    }

    #[test]
    fn another_key_opens_nothing() {
        let sealed = seals().seal(HERE, &[], &Secret::new("seed")).unwrap();
        assert!(seals().open(HERE, &[], &sealed).is_err());
    }

    #[test]
    fn a_row_whose_fields_changed_is_refused() {
        let seals = seals();
        let mac = seals.mac(HERE, &[b"a", b"bc"]);
        assert!(seals.check(HERE, &[b"a", b"bc"], &mac).is_ok());
        assert!(seals.check(HERE, &[b"ab", b"c"], &mac).is_err());
        assert!(seals.check(Place { user: "mallory", ..HERE }, &[b"a", b"bc"], &mac).is_err());
    }
}
