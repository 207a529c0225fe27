//! Passwords, salts and CHAP, over every length.

use wire::{
    BadPassword, Demand, PacketView, Salts, Secret, chap_response, hide_password, hide_salted, reveal_password,
    reveal_salted,
};

use crate::{attributes, packet, rfc_secret, shared};

const UNDER: [u8; 16] = [0x3c; 16];

#[test]
fn passwords_of_every_length_come_back() {
    let secret = rfc_secret();
    for length in 0..=128_usize {
        let password: Vec<u8> = (0..length).map(|i| u8::try_from(i + 1).unwrap()).collect();
        let hidden = hide_password(&Secret::new(password.clone()), &secret, &UNDER).unwrap();
        assert_eq!(hidden.len(), length.max(1).next_multiple_of(16));
        assert_eq!(reveal_password(&hidden, &secret, &UNDER).unwrap().expose(), password);
    }
}

#[test]
fn only_trailing_nuls_are_padding() {
    let secret = rfc_secret();
    let through = |password: &[u8]| {
        let hidden = hide_password(&Secret::new(password), &secret, &UNDER).unwrap();
        reveal_password(&hidden, &secret, &UNDER).unwrap().expose().to_vec()
    };
    assert_eq!(through(b"ab\0cd"), b"ab\0cd");
    assert_eq!(through(b"\0ab"), b"\0ab");
    assert_eq!(through(b"ab\0\0"), b"ab");
    assert_eq!(through(&[0; 40]), b"");
}

#[test]
fn a_hidden_password_of_a_wrong_length_is_refused() {
    for octets in [0, 1, 15, 17, 20, 127, 129, 144, 253] {
        assert_eq!(reveal_password(&vec![1; octets], &rfc_secret(), &UNDER), Err(BadPassword { octets }));
    }
}

#[test]
fn a_salted_value_of_every_length_comes_back() {
    let secret = rfc_secret();
    for length in 0..=239_usize {
        let plain = Secret::new(vec![0xa5; length]);
        let hidden = hide_salted(&plain, [0x80, 1], &secret, &UNDER).unwrap();
        assert_eq!((hidden.len() - 2) % 16, 0);
        assert_eq!(reveal_salted(&hidden, &secret, &UNDER), Some(plain));
    }
}

#[test]
fn a_salted_value_that_is_too_short_reveals_nothing() {
    for octets in 0..3 {
        assert_eq!(reveal_salted(&vec![1; octets], &rfc_secret(), &UNDER), None);
    }
}

#[test]
fn a_salted_value_under_the_wrong_secret_is_seldom_taken_for_right() {
    // One block holds lengths 0 to 15 of 256: what slips through is about one in sixteen, and never the value itself.
    let hidden = |salt: u8| hide_salted(&Secret::new("hunter2"), [0x80, salt], &rfc_secret(), &UNDER).unwrap();
    let wrong = shared("another");
    let taken = (0..=255).filter_map(|salt| reveal_salted(&hidden(salt), &wrong, &UNDER)).collect::<Vec<_>>();
    assert!(taken.len() < 40, "{}", taken.len());
    assert!(!taken.contains(&Secret::new("hunter2")));
}

#[test]
fn two_hundred_and_fifty_six_salts_differ_from_any_seed() {
    for seed in [[0, 0], [0x7f, 0xff], [0x80, 0], [0xff, 0xff], [0x12, 0x34]] {
        let mut salts = Salts::new(seed);
        let drawn: std::collections::BTreeSet<[u8; 2]> = (0..256).map(|_| salts.draw()).collect();
        assert_eq!(drawn.len(), 256);
        assert!(drawn.iter().all(|salt| salt[0] & 0x80 != 0), "RFC 2868 §3.5: the most significant bit is set");
    }
}

#[test]
fn a_chap_challenge_attribute_comes_before_the_authenticator() {
    let password = Secret::new("arctangent");
    let response = |challenge: &[u8]| [&[9][..], &chap_response(9, &password, challenge)].concat();
    let verified = |list: &[(u8, &[u8])]| {
        let bytes = packet(1, 0, UNDER, &attributes(list));
        let request = PacketView::parse(&bytes).unwrap().verify(&rfc_secret(), Demand::IfPresent).unwrap();
        request.chap().unwrap().unwrap().verify(&password)
    };
    assert!(verified(&[(3, &response(b"challenge")), (60, b"challenge")]));
    assert!(verified(&[(3, &response(&UNDER))]));
    assert!(!verified(&[(3, &response(&UNDER)), (60, b"challenge")]));
}

#[test]
fn a_chap_password_of_a_wrong_length_is_refused() {
    for octets in [0, 1, 16, 18] {
        let bytes = packet(1, 0, UNDER, &attributes(&[(3, &vec![1; octets])]));
        let request = PacketView::parse(&bytes).unwrap().verify(&rfc_secret(), Demand::IfPresent).unwrap();
        assert_eq!(request.chap(), Err(BadPassword { octets }));
    }
}

#[test]
fn mschap_credentials_are_read_whole_or_not_at_all() {
    let response: Vec<u8> = (0..50).collect();
    let vsa =
        |kind: u8, value: &[u8]| [&[0, 0, 1, 0x37, kind, u8::try_from(value.len() + 2).unwrap()][..], value].concat();
    let read = |list: &[(u8, &[u8])], version: u8| {
        let bytes = packet(1, 0, UNDER, &attributes(list));
        let request = PacketView::parse(&bytes).unwrap().verify(&rfc_secret(), Demand::IfPresent).unwrap();
        match version {
            1 => request.mschap().map(|m| (m.identifier, m.challenge.to_vec(), m.nt_response.to_vec())),
            _ => request.mschap2().map(|m| (m.identifier, m.peer_challenge.to_vec(), m.nt_response.to_vec())),
        }
    };
    let (challenge, first, second) = (vsa(11, b"8 octets"), vsa(1, &response), vsa(25, &response));
    let nt: Vec<u8> = (26..50).collect();
    assert_eq!(read(&[(26, &challenge), (26, &first)], 1), Some((0, b"8 octets".to_vec(), nt.clone())));
    assert_eq!(read(&[(26, &second), (26, &challenge)], 2), Some((0, (2..18).collect(), nt)));
    assert_eq!(read(&[(26, &first)], 1), None, "no challenge");
    assert_eq!(read(&[(26, &challenge), (26, &vsa(1, &response[1..]))], 1), None, "49 octets");
    assert_eq!(read(&[(26, &challenge), (26, &first)], 2), None, "the other version");
}
