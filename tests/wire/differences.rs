//! The closed list of differences between our view and crate `radius` 0.4.0, an example of each.

use radius::core::avp::AVP;
use radius::core::code::Code as TheirCode;
use radius::core::packet::Packet;
use wire::{ATTRIBUTE_COUNT_MAX, Code, Malformed, PacketView, Secret, hide_password, reveal_password};

use crate::{SECRET, attributes, bodies, packet, secret};

/// We refuse, it takes.
#[track_caller]
fn stricter(octets: &[u8], malformed: Malformed) {
    assert_eq!(PacketView::parse(octets).unwrap_err(), malformed);
    assert!(Packet::decode(octets, SECRET.as_bytes()).is_ok());
    bodies::differential(octets);
}

/// Both refuse.
#[track_caller]
fn refused(octets: &[u8]) {
    assert!(PacketView::parse(octets).is_err());
    assert!(Packet::decode(octets, SECRET.as_bytes()).is_err());
}

#[test]
fn we_alone_refuse_type_zero() {
    stricter(&packet(1, &[0, 2]), Malformed::AttributeZero);
}

#[test]
fn we_alone_refuse_a_code_that_nobody_registered() {
    for code in [0, 53, 254, 255] {
        stricter(&packet(code, &[]), Malformed::UnknownCode(code));
    }
}

#[test]
fn we_alone_refuse_twice_what_may_stand_once() {
    for kind in [1, 2, 3, 24, 80] {
        let twice = attributes(&[(kind, &[1; 16]), (kind, &[2; 16])]);
        stricter(&packet(1, &twice), Malformed::DuplicateAttribute(kind));
    }
}

#[test]
fn we_alone_refuse_a_message_authenticator_of_another_length() {
    for octets in [0, 15, 17] {
        let one = attributes(&[(80, &vec![1; octets])]);
        stricter(&packet(1, &one), Malformed::MessageAuthenticatorLength(octets));
    }
}

#[test]
fn we_alone_refuse_two_kinds_of_credentials() {
    let both = attributes(&[(2, &[1; 16]), (79, &[2, 1, 0, 4])]);
    stricter(&packet(1, &both), Malformed::MixedCredentials);
}

#[test]
fn we_alone_refuse_more_than_two_hundred_attributes() {
    stricter(&packet(1, &[200, 2].repeat(ATTRIBUTE_COUNT_MAX + 1)), Malformed::TooManyAttributes);
}

#[test]
fn both_refuse_every_wrong_length() {
    refused(&[]);
    refused(&packet(1, &[])[..19]);
    refused(&[&[1, 7, 0, 19][..], &[0; 16]].concat());
    refused(&[&[1, 7, 0, 100][..], &[0; 16]].concat());
    refused(&[&[1, 7, 0x10, 1][..], &[0; 5000]].concat());
    refused(&packet(1, &[255]));
    refused(&packet(1, &[1, 0]));
    refused(&packet(1, &[1, 1]));
    refused(&packet(1, &[1, 200, 0, 0]));
}

#[test]
fn both_ignore_padding() {
    let padded = [packet(1, &attributes(&[(1, b"alice")])), vec![0xff; 9]].concat();
    assert_eq!(PacketView::parse(&padded).unwrap().user_name(), Some(&b"alice"[..]));
    bodies::differential(&padded);
}

#[test]
fn protocol_error_is_a_code_to_us_alone() {
    let octets = packet(52, &[]);
    assert_eq!(PacketView::parse(&octets).unwrap().code(), Code::ProtocolError);
    assert_eq!(Packet::decode(&octets, SECRET.as_bytes()).unwrap().get_code(), TheirCode::Invalid);
    bodies::differential(&octets);
}

#[test]
fn a_password_keeps_its_nul_with_us_alone() {
    let under = [9; 16];
    let hidden = hide_password(&Secret::new(&b"ab\0cd"[..]), &secret(), &under).unwrap();
    assert_eq!(reveal_password(&hidden, &secret(), &under).unwrap().expose(), b"ab\0cd");
    let theirs = AVP::from_bytes(2, &hidden).encode_user_password(SECRET.as_bytes(), &under).unwrap();
    assert_eq!(theirs, b"ab");
}

#[test]
fn a_password_that_is_not_in_blocks_is_refused_by_us_alone() {
    let under = [9; 16];
    assert!(reveal_password(&[7; 20], &secret(), &under).is_err());
    assert!(AVP::from_bytes(2, &[7; 20]).encode_user_password(SECRET.as_bytes(), &under).is_ok());
}

/// R3: a Tunnel-Password has a Data-Length octet before its text (RFC 2868 §3.5), which `radius` neither writes nor reads.
#[test]
fn a_tunnel_password_is_written_with_its_length_by_us_alone() {
    let under = [9; 16];
    let hidden = wire::hide_salted(&Secret::new("hunter2"), [0x80, 1], &secret(), &under).unwrap();
    let tagged = [&[0][..], &hidden].concat();
    let theirs = AVP::from_bytes(69, &tagged).encode_tunnel_password(SECRET.as_bytes(), &under).unwrap().0;
    assert_eq!(theirs[..8], *b"\x07hunter2");
}

/// R2: it calls any Access-Request authentic, whatever secret signed it.
#[test]
fn a_request_under_another_secret_is_believed_by_radius_alone() {
    let octets = packet(1, &attributes(&[(1, b"alice"), (80, &[1; 16])]));
    assert!(Packet::is_authentic_request(&octets, b"another"));
    let view = PacketView::parse(&octets).unwrap();
    assert!(view.verify(&secret(), wire::Demand::IfPresent).is_err());
}
