//! EAP as RADIUS carries it: joined from its pieces, never interpreted beyond its four-octet header.
//!
//! A proxy needs three things of EAP: the whole message with a length that is right, the Identifier that a Failure must repeat,
//! and that Failure. No method is implemented here.

use std::fmt;

use crate::kind;
use crate::view::{Attributes, PacketView};

/// EAP's Failure code (RFC 3748 §4.2).
const FAILURE: u8 = 4;

/// Joins the EAP-Messages of a packet: nothing if there is none, an empty message for an EAP-Start (RFC 3579 §2.1).
///
/// # Errors
/// [`BadEap`] when the pieces are not next to each other, or EAP's own length is not the sum of the pieces (RFC 3579 §3.1).
pub fn eap_join(view: &PacketView<'_>) -> Result<Option<Vec<u8>>, BadEap> {
    let note = view.eap_note();
    let Some(length) = note.len() else {
        return Ok(None);
    };
    if !note.contiguous() {
        return Err(BadEap::Scattered);
    }
    let mut joined = Vec::with_capacity(length);
    for attribute in view.attributes().filter(|attribute| attribute.kind == kind::EAP_MESSAGE) {
        joined.extend_from_slice(attribute.value);
    }
    check_length(&joined)?;
    Ok(Some(joined))
}

/// The EAP-Failure with this Identifier: the one of the Response that is answered (RFC 3748 §4.2).
pub const fn eap_failure(identifier: u8) -> [u8; 4] {
    [FAILURE, identifier, 0, 4]
}

/// Why EAP-Messages make no EAP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadEap {
    /// Another attribute stands between them (RFC 3579 §3.1).
    Scattered,
    /// EAP's own Length is not the sum of the pieces.
    Length {
        /// What EAP's header says.
        claimed: u16,
        /// What the pieces hold.
        joined: usize,
    },
    /// Fewer octets than an EAP header, but not none.
    TooShort,
}

impl fmt::Display for BadEap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scattered => f.write_str("the EAP-Message attributes are not next to each other"),
            Self::Length { claimed, joined } => {
                write!(f, "EAP says it has {claimed} octets, the EAP-Message attributes hold {joined}")
            }
            Self::TooShort => f.write_str("the EAP-Message attributes hold less than an EAP header"),
        }
    }
}

impl std::error::Error for BadEap {}

/// What a packet's EAP-Messages are, without joining them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EapNote {
    octets: usize,
    pieces: usize,
    /// Positions of the first and the last piece among the attributes.
    first: usize,
    last: usize,
    /// The second octet of the message: EAP's Identifier.
    identifier: Option<u8>,
}

impl EapNote {
    pub(crate) fn of(attributes: Attributes<'_>) -> Self {
        let mut note = Self::default();
        for (position, attribute) in attributes.enumerate().filter(|(_, attribute)| attribute.kind == kind::EAP_MESSAGE)
        {
            note.piece(position, attribute.value);
        }
        note
    }

    fn piece(&mut self, position: usize, value: &[u8]) {
        if self.pieces == 0 {
            self.first = position;
            self.identifier = value.get(1).copied();
        }
        self.last = position;
        self.pieces = self.pieces.saturating_add(1);
        self.octets = self.octets.saturating_add(value.len());
    }

    pub(crate) const fn len(&self) -> Option<usize> {
        if self.pieces == 0 { None } else { Some(self.octets) }
    }

    pub(crate) const fn identifier(&self) -> Option<u8> {
        self.identifier
    }

    const fn contiguous(&self) -> bool {
        self.last.saturating_sub(self.first).saturating_add(1) == self.pieces
    }
}

fn check_length(joined: &[u8]) -> Result<(), BadEap> {
    match *joined {
        // EAP-Start (RFC 3579 §2.1).
        [] => Ok(()),
        [_, _, high, low, ..] => {
            let claimed = u16::from_be_bytes([high, low]);
            if usize::from(claimed) == joined.len() {
                Ok(())
            } else {
                Err(BadEap::Length { claimed, joined: joined.len() })
            }
        }
        _ => Err(BadEap::TooShort),
    }
}
