//! Packets that every decoder must refuse without a panic, and what must not be refused.

use wire::{ATTRIBUTE_COUNT_MAX, Malformed, PACKET_OCTETS_MAX, PacketView};

use crate::{attributes, packet};

const AUTHENTICATOR: [u8; 16] = [0x5a; 16];

fn error(bytes: &[u8]) -> Malformed {
    PacketView::parse(bytes).unwrap_err()
}

/// A header with this Length, followed by the authenticator and these octets.
fn claiming(length: u16, rest: &[u8]) -> Vec<u8> {
    [&[1, 0][..], &length.to_be_bytes(), &AUTHENTICATOR, rest].concat()
}

fn with(list: &[(u8, &[u8])]) -> Vec<u8> {
    packet(1, 0, AUTHENTICATOR, &attributes(list))
}

#[test]
fn a_length_that_is_wrong_is_refused() {
    assert_eq!(error(&[]), Malformed::TooShort(0));
    assert_eq!(error(&claiming(0x13, &[])[..19]), Malformed::TooShort(19));
    assert_eq!(error(&claiming(0x13, &[])), Malformed::Length(19));
    assert_eq!(error(&claiming(0x0a, &[])), Malformed::Length(10));
    assert_eq!(error(&claiming(0x64, &[])), Malformed::Truncated(100));
    assert_eq!(error(&claiming(4097, &[0; 5000])), Malformed::Length(4097));
}

#[test]
fn an_attribute_that_is_wrong_is_refused() {
    assert_eq!(error(&claiming(0x15, &[0xff])), Malformed::AttributeHeader);
    assert_eq!(error(&claiming(0x16, &[0, 2])), Malformed::AttributeZero);
    assert_eq!(error(&claiming(0x16, &[1, 0])), Malformed::AttributeLength(1));
    assert_eq!(error(&claiming(0x16, &[1, 1])), Malformed::AttributeLength(1));
    assert_eq!(error(&claiming(0x18, &[1, 0xc8, 0, 0])), Malformed::AttributeOverrun(1));
    // The length that the walk guesses: an octet short, right, an octet over.
    assert_eq!(error(&claiming(0x19, &[5, 6, 0, 0, 0])), Malformed::AttributeOverrun(5));
    assert_eq!(PacketView::parse(&claiming(0x1a, &[5, 6, 0, 0, 0, 7])).unwrap().attribute(5), Some(&[0, 0, 0, 7][..]));
    assert_eq!(error(&claiming(0x1b, &[5, 6, 0, 0, 0, 7, 5])), Malformed::AttributeHeader);
}

#[test]
fn a_code_that_nobody_registered_is_refused() {
    for code in [0, 53, 255] {
        assert_eq!(error(&packet(code, 0, AUTHENTICATOR, &[])), Malformed::UnknownCode(code));
    }
}

#[test]
fn message_authenticator_is_one_and_has_sixteen_octets() {
    assert_eq!(error(&with(&[(80, &[1; 6])])), Malformed::MessageAuthenticatorLength(6));
    assert_eq!(error(&with(&[(80, &[])])), Malformed::MessageAuthenticatorLength(0));
    assert_eq!(error(&with(&[(80, &[1; 17])])), Malformed::MessageAuthenticatorLength(17));
    assert_eq!(error(&with(&[(80, &[1; 16]), (80, &[1; 16])])), Malformed::DuplicateAttribute(80));
}

#[test]
fn what_may_stand_once_is_refused_twice() {
    for kind in [1, 2, 3, 24] {
        let twice = with(&[(kind, &[1; 16]), (18, b"between"), (kind, &[2; 16])]);
        assert_eq!(error(&twice), Malformed::DuplicateAttribute(kind));
        assert_eq!(error(&twice).reason(), "duplicate_attribute");
    }
    // Beside what may stand more than once, the one that may not is named.
    for many in [33, 70, 79] {
        let both = with(&[(many, &[1]), (80, &[1; 16]), (many, &[2]), (80, &[1; 16])]);
        assert_eq!(error(&both), Malformed::DuplicateAttribute(80));
    }
}

#[test]
fn two_kinds_of_credentials_are_refused() {
    let credentials: [(u8, &[u8]); 4] = [(2, &[1; 16]), (3, &[1; 17]), (70, &[1; 16]), (79, &[2, 1, 0, 4])];
    for (position, one) in credentials.iter().enumerate() {
        assert!(PacketView::parse(&with(&[*one])).is_ok());
        for other in &credentials[position + 1..] {
            assert_eq!(error(&with(&[*one, *other])), Malformed::MixedCredentials);
            assert_eq!(error(&with(&[*other, *one])).reason(), "malformed");
        }
    }
}

#[test]
fn too_many_attributes_are_refused() {
    let many = |count| packet(1, 0, AUTHENTICATOR, &[200, 2].repeat(count));
    assert_eq!(PacketView::parse(&many(ATTRIBUTE_COUNT_MAX)).unwrap().attribute_count(), ATTRIBUTE_COUNT_MAX);
    assert_eq!(error(&many(ATTRIBUTE_COUNT_MAX + 1)), Malformed::TooManyAttributes);
    assert_eq!(error(&many(2038)), Malformed::TooManyAttributes);
}

#[test]
fn the_largest_packet_is_accepted() {
    let value = [7; 253];
    let full = attributes(&[(200, &value[..]); 15]);
    let rest = attributes(&[(201, &vec![7; PACKET_OCTETS_MAX - 20 - full.len() - 2])]);
    let bytes = packet(1, 0, AUTHENTICATOR, &[full, rest].concat());
    assert_eq!(bytes.len(), PACKET_OCTETS_MAX);
    assert_eq!(PacketView::parse(&bytes).unwrap().attribute_count(), 16);
}

#[test]
fn an_empty_packet_is_accepted() {
    assert_eq!(PacketView::parse(&claiming(20, &[])).unwrap().attributes().count(), 0);
}

#[test]
fn a_vendor_attribute_with_a_bad_inside_is_opaque_and_kept() {
    for value in [&[0][..], &[0, 0, 0, 9, 1, 1], &[0, 0, 0, 9, 1, 9], &[0, 0, 0, 9]] {
        let bytes = with(&[(26, value), (1, b"alice")]);
        let view = PacketView::parse(&bytes).unwrap();
        assert_eq!(view.vendor_attributes().count(), 0);
        assert_eq!(view.attribute(26), Some(value));
        assert_eq!(view.user_name(), Some(&b"alice"[..]));
    }
}

#[test]
fn every_error_has_a_reason_and_a_sentence() {
    for bad in [
        Malformed::TooShort(1),
        Malformed::Length(1),
        Malformed::Truncated(100),
        Malformed::UnknownCode(0),
        Malformed::AttributeHeader,
        Malformed::AttributeZero,
        Malformed::AttributeLength(1),
        Malformed::AttributeOverrun(1),
        Malformed::TooManyAttributes,
        Malformed::MessageAuthenticatorLength(6),
        Malformed::MixedCredentials,
    ] {
        assert_eq!(bad.reason(), "malformed");
        assert!(bad.to_string().len() > 10);
    }
}
