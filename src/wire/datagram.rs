//! The buffer that packets are written into, and the one hand that writes them.
//!
//! Whatever is written here begins with a header and a Message-Authenticator, has the length it says, and holds at most 4096
//! octets and 200 attributes, as much as our own parser takes; what does not fit is an error before an octet is written. Hidden values stand in the buffer only as ciphertext.

use std::fmt;

use crate::authenticator::{Authenticator, Signed, message_authenticator};
use crate::code::Code;
use crate::field::{
    ATTRIBUTE_COUNT_MAX, ATTRIBUTE_HEADER_OCTETS, AUTHENTICATOR_OCTETS, HEADER_OCTETS, MESSAGE_AUTHENTICATOR_OCTETS,
    PACKET_OCTETS_MAX, VALUE_OCTETS_MAX,
};
use crate::kind;
use crate::secret::SharedSecret;

/// A buffer for one packet. Reuse it: writing begins at its start each time.
pub struct Datagram {
    bytes: [u8; PACKET_OCTETS_MAX],
}

impl Datagram {
    /// An empty buffer.
    pub const fn new() -> Self {
        Self { bytes: [0; PACKET_OCTETS_MAX] }
    }
}

impl Default for Datagram {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Datagram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Datagram(..)")
    }
}

/// It does not fit: a value over 253 octets, a password over 128, or a packet over 4096 or with more than 200 attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the attribute or packet would be longer than RADIUS allows, or hold more than {ATTRIBUTE_COUNT_MAX} attributes"
        )
    }
}

impl std::error::Error for Full {}

/// A packet while it is written: header and a zeroed Message-Authenticator stand, attributes follow.
#[derive(Debug)]
pub(crate) struct Draft<'b> {
    datagram: &'b mut Datagram,
    len: usize,
    /// Attributes so far.
    count: usize,
    /// Octets and attributes kept free for what is written at the end.
    reserved: (usize, usize),
}

impl<'b> Draft<'b> {
    /// Begins a packet; Message-Authenticator is attribute 1, by construction.
    pub(crate) fn begin(datagram: &'b mut Datagram, code: Code, identifier: u8, authenticator: &Authenticator) -> Self {
        let mut draft = Self { datagram, len: 0, count: 1, reserved: (0, 0) };
        draft.put(&[code.octet(), identifier, 0, 0]);
        draft.put(authenticator);
        draft.put(&[kind::MESSAGE_AUTHENTICATOR, 18]);
        draft.put(&[0; AUTHENTICATOR_OCTETS]);
        draft
    }

    /// Keeps room free for so many attributes of so many octets together; may be more than there is, and then nothing fits
    /// any more.
    pub(crate) fn reserve(&mut self, octets: usize, attributes: usize) {
        self.reserved = (octets, attributes);
    }

    /// Octets that attributes may still take.
    pub(crate) const fn room(&self) -> usize {
        PACKET_OCTETS_MAX.saturating_sub(self.len).saturating_sub(self.reserved.0)
    }

    /// Attributes that may still be added.
    pub(crate) const fn places(&self) -> usize {
        ATTRIBUTE_COUNT_MAX.saturating_sub(self.count).saturating_sub(self.reserved.1)
    }

    /// One attribute from the parts of its value.
    pub(crate) fn attribute(&mut self, kind: u8, parts: &[&[u8]]) -> Result<(), Full> {
        let value = parts.iter().map(|part| part.len()).sum::<usize>();
        let whole = value.saturating_add(ATTRIBUTE_HEADER_OCTETS);
        let length = u8::try_from(whole).map_err(|_| Full)?;
        if value > VALUE_OCTETS_MAX || whole > self.room() || self.places() == 0 {
            return Err(Full);
        }
        self.count = self.count.saturating_add(1);
        self.put(&[kind, length]);
        for part in parts {
            self.put(part);
        }
        Ok(())
    }

    /// One attribute with `octets` of zeroes after `prefix`; gives the place of those zeroes.
    pub(crate) fn placeholder(&mut self, kind: u8, prefix: &[u8], octets: usize) -> Result<usize, Full> {
        let zeroes = [0; VALUE_OCTETS_MAX];
        self.attribute(kind, &[prefix, zeroes.get(..octets).ok_or(Full)?])?;
        Ok(self.len.saturating_sub(octets))
    }

    /// The octets that a placeholder stands for.
    pub(crate) fn place(&mut self, at: usize, octets: usize) -> &mut [u8] {
        self.datagram.bytes.get_mut(at..at.saturating_add(octets)).unwrap_or_default()
    }

    /// Whole attributes, checked before, into the room that was reserved for exactly them.
    pub(crate) fn raw(&mut self, attributes: &[u8]) -> Result<(), Full> {
        let (_, count) = std::mem::take(&mut self.reserved);
        if attributes.len() > self.room() || count > self.places() {
            return Err(Full);
        }
        self.count = self.count.saturating_add(count);
        self.put(attributes);
        Ok(())
    }

    /// Replaces the Authenticator field.
    pub(crate) fn set_authenticator(&mut self, authenticator: &Authenticator) {
        if let Some(field) = self.datagram.bytes.get_mut(4..HEADER_OCTETS) {
            field.copy_from_slice(authenticator);
        }
    }

    /// Writes Length and the Message-Authenticator for this request authenticator; nothing may be added after (RFC 3579 §3.2).
    pub(crate) fn seal(&mut self, secret: &SharedSecret, authenticator: &Authenticator) {
        let length = u16::try_from(self.len).unwrap_or(u16::MAX).to_be_bytes();
        if let Some(field) = self.datagram.bytes.get_mut(2..4) {
            field.copy_from_slice(&length);
        }
        let (header, attributes) = self.parts();
        let signed = Signed { header, authenticator };
        let before = [kind::MESSAGE_AUTHENTICATOR, 18];
        let after = attributes.get(MESSAGE_AUTHENTICATOR_OCTETS..).unwrap_or_default();
        let mac = message_authenticator(secret, signed, &before, after);
        let at = HEADER_OCTETS.saturating_add(ATTRIBUTE_HEADER_OCTETS);
        self.place(at, AUTHENTICATOR_OCTETS).copy_from_slice(&mac);
    }

    /// The same with Message-Authenticator behind all other attributes. Places that were given out before are no longer right.
    pub(crate) fn seal_last(&mut self, secret: &SharedSecret, authenticator: &Authenticator) {
        let length = u16::try_from(self.len).unwrap_or(u16::MAX).to_be_bytes();
        if let Some(field) = self.datagram.bytes.get_mut(2..4) {
            field.copy_from_slice(&length);
        }
        if let Some(attributes) = self.datagram.bytes.get_mut(HEADER_OCTETS..self.len) {
            attributes.rotate_left(MESSAGE_AUTHENTICATOR_OCTETS.min(attributes.len()));
        }
        let at = self.len.saturating_sub(AUTHENTICATOR_OCTETS);
        let (header, attributes) = self.parts();
        let before = attributes.get(..at.saturating_sub(HEADER_OCTETS)).unwrap_or_default();
        let mac = message_authenticator(secret, Signed { header, authenticator }, before, &[]);
        self.place(at, AUTHENTICATOR_OCTETS).copy_from_slice(&mac);
    }

    /// Takes the place of Message-Authenticator away and writes Length.
    pub(crate) fn strip(&mut self) {
        let (from, end) = (HEADER_OCTETS.saturating_add(MESSAGE_AUTHENTICATOR_OCTETS), self.len);
        if from <= end && end <= self.datagram.bytes.len() {
            self.datagram.bytes.copy_within(from..end, HEADER_OCTETS);
            self.len = end.saturating_sub(MESSAGE_AUTHENTICATOR_OCTETS);
        }
        let length = u16::try_from(self.len).unwrap_or(u16::MAX).to_be_bytes();
        if let Some(field) = self.datagram.bytes.get_mut(2..4) {
            field.copy_from_slice(&length);
        }
    }

    /// Code, Identifier and Length; and the attributes.
    pub(crate) fn parts(&self) -> ([u8; 4], &[u8]) {
        let header = self.datagram.bytes.first_chunk::<4>().copied().unwrap_or_default();
        (header, self.datagram.bytes.get(HEADER_OCTETS..self.len).unwrap_or_default())
    }

    /// The finished octets.
    pub(crate) fn finish(self) -> &'b [u8] {
        self.datagram.bytes.get(..self.len).unwrap_or_default()
    }

    /// Copies octets that the caller measured against [`Draft::room`].
    fn put(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        if let Some(place) = self.datagram.bytes.get_mut(self.len..end) {
            place.copy_from_slice(bytes);
            self.len = end;
        }
    }
}
