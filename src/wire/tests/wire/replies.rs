//! Answers to appliances: shape, order, size and signature.

use wire::{
    ATTRIBUTE_COUNT_MAX, Attribute, Attributes, Datagram, Demand, PacketView, Placed, ReplyCode, ReplyContext,
    RequestWriter, Salts, Secret, VerifiedRequest, eap_failure, eap_join, reveal_salted,
};

use crate::{array, list, packet, request, rfc_secret};

const UNDER: [u8; 16] = [0x42; 16];

fn context(list: &[(u8, &[u8])]) -> ReplyContext {
    let sent = request(&rfc_secret(), UNDER, list);
    verified(sent.as_bytes()).context()
}

fn verified(bytes: &[u8]) -> VerifiedRequest<'_> {
    PacketView::parse(bytes).unwrap().verify(&rfc_secret(), Demand::Required).unwrap()
}

fn answer(context: &ReplyContext, code: ReplyCode, attributes: &[(u8, &[u8])]) -> Vec<u8> {
    let mut buffer = Datagram::new();
    let mut reply = context.reply(code, &mut buffer);
    attributes.iter().try_for_each(|(kind, value)| reply.push(Attribute::new(*kind, value))).unwrap();
    reply.sign(&rfc_secret()).unwrap().as_bytes().to_vec()
}

#[test]
fn every_reply_begins_with_message_authenticator() {
    let context = context(&[(1, b"alice"), (33, b"one")]);
    for code in [ReplyCode::Accept, ReplyCode::Reject, ReplyCode::Challenge] {
        let bytes = answer(&context, code, &[(18, b"hello"), (80, &[7; 16]), (33, b"not ours")]);
        assert_eq!(bytes[20..22], [80, 18]);
        let kinds: Vec<u8> = list(&bytes).iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [80, 18, 33], "a pushed Message-Authenticator or Proxy-State is left out");
        assert_eq!(bytes[0], wire::Code::from(code).octet());
    }
}

#[test]
fn message_authenticator_stands_last_where_a_client_can_not_bear_it_first_and_verifies_there() {
    for list_of in [&[][..], &[(33, &b"one"[..]), (33, b"two")]] {
        let sent = request(&rfc_secret(), UNDER, list_of);
        let context = verified(sent.as_bytes()).context();
        let mut buffer = Datagram::new();
        let mut reply = context.reply(ReplyCode::Accept, &mut buffer);
        reply.push(Attribute::new(18, b"hello")).unwrap();
        let mut salts = Salts::new([0x80, 1]);
        reply.push_hidden(69, 0, &Secret::new("tunnel"), &mut salts).unwrap();
        let bytes = reply.sign_with(&rfc_secret(), Placed::Last).unwrap().as_bytes().to_vec();
        let kinds: Vec<u8> = list(&bytes).iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds.first(), Some(&18), "{kinds:?}");
        assert_eq!((kinds.last(), kinds.iter().filter(|kind| **kind == 80).count()), (Some(&80), 1));
        let view = PacketView::parse(&bytes).unwrap();
        view.verify_reply(&rfc_secret(), &sent, Demand::Required).unwrap();
        for at in 20..bytes.len() {
            let mut forged = bytes.clone();
            forged[at] ^= 1;
            let forged =
                PacketView::parse(&forged).map(|view| view.verify_reply(&rfc_secret(), &sent, Demand::Required));
            assert!(!matches!(forged, Ok(Ok(_))), "octet {at}");
        }
    }
}

#[test]
fn a_reply_without_message_authenticator_holds_four_kinds_and_nothing_that_its_request_brought() {
    let kinds_of = |list_of: &[(u8, &[u8])], signed: bool| {
        let mut asked = Datagram::new();
        let mut writer = RequestWriter::new(wire::Code::AccessRequest, 7, UNDER, &mut asked);
        list_of.iter().for_each(|(kind, value)| writer.push(Attribute::new(*kind, value)).unwrap());
        let sent = writer.sign(&rfc_secret());
        // Message-Authenticator stands first in what we write: without it the packet is shorter by it.
        let mut octets = sent.as_bytes().to_vec();
        if !signed {
            octets.drain(20..38);
            let length = u16::try_from(octets.len()).unwrap().to_be_bytes();
            octets[2..4].copy_from_slice(&length);
        }
        let view = PacketView::parse(&octets).unwrap();
        let context = view.verify(&rfc_secret(), Demand::IfPresent).unwrap().context();
        let mut buffer = Datagram::new();
        let mut reply = context.reply(ReplyCode::Accept, &mut buffer);
        for (kind, value) in [
            (18, &b"hello"[..]),
            (8, &[10, 0, 0, 1]),
            (25, b"class"),
            (24, b"state"),
            (26, b"\0\0\x01\x37x"),
            (76, &[0; 4]),
        ] {
            reply.push(Attribute::new(kind, value)).unwrap();
        }
        let mut salts = Salts::new([0x80, 1]);
        reply.push_hidden(69, 0, &Secret::new("tunnel"), &mut salts).unwrap();
        let bytes = reply.sign_with(&rfc_secret(), Placed::Nowhere).unwrap().as_bytes().to_vec();
        assert_eq!(usize::from(u16::from_be_bytes([bytes[2], bytes[3]])), bytes.len());
        list(&bytes).iter().map(|(kind, _)| *kind).collect::<Vec<u8>>()
    };
    assert_eq!(kinds_of(&[(1, b"alice")], false), [18, 25, 24, 76]);
    // Signed, or with what a forger could hide octets in: signed first, as ever.
    assert_eq!(kinds_of(&[(1, b"alice")], true).first(), Some(&80));
    assert_eq!(kinds_of(&[(1, b"alice"), (33, b"1")], true).first(), Some(&80));
}

#[test]
fn proxy_states_come_back_all_and_in_order() {
    for count in [0, 1, 5, 40] {
        let states: Vec<Vec<u8>> = (0..count).map(|i| vec![i; usize::from(i) + 1]).collect();
        let sent: Vec<(u8, &[u8])> = states.iter().map(|state| (33, &state[..])).collect();
        let context = context(&sent);
        let bytes = answer(&context, ReplyCode::Accept, &[(25, b"class")]);
        assert_eq!(context.overhead() + 7, bytes.len());
        let back: Vec<Vec<u8>> = PacketView::parse(&bytes).unwrap().proxy_states().map(<[u8]>::to_vec).collect();
        assert_eq!(back, states);
        let last = list(&bytes).split_off(2);
        assert!(last.iter().all(|(kind, _)| *kind == 33), "Proxy-States come last");
    }
}

#[test]
fn attributes_of_one_type_keep_their_order() {
    let pushed: [(u8, &[u8]); 5] = [(25, b"b"), (18, b"1"), (25, b"a"), (18, b"2"), (25, b"c")];
    let bytes = answer(&context(&[]), ReplyCode::Accept, &pushed);
    let written: Vec<(u8, Vec<u8>)> = pushed.iter().map(|(kind, value)| (*kind, value.to_vec())).collect();
    assert_eq!(list(&bytes)[1..], written);
}

#[test]
fn a_reply_is_sized_before_it_is_written() {
    let context = context(&[(33, &[1; 200]), (33, &[2; 200])]);
    let mut buffer = Datagram::new();
    let mut reply = context.reply(ReplyCode::Accept, &mut buffer);
    assert_eq!(reply.room(), context.room());
    assert_eq!(context.room(), 4096 - 20 - 18 - 404);
    while reply.push(Attribute::new(25, &[9; 253])).is_ok() {}
    let rest = reply.room() - 2;
    reply.push(Attribute::new(25, &vec![9; rest])).unwrap();
    assert!(reply.push(Attribute::new(25, &[])).is_err(), "the Proxy-States' room is kept");
    assert_eq!(reply.sign(&rfc_secret()).unwrap().as_bytes().len(), 4096);
}

#[test]
fn a_reply_holds_no_more_attributes_than_our_own_parser_takes() {
    let proxies: Vec<(u8, &[u8])> = vec![(33, b"1"); 100];
    let context = context(&proxies);
    let mut buffer = Datagram::new();
    let mut reply = context.reply(ReplyCode::Accept, &mut buffer);
    (0..98).for_each(|_| reply.push(Attribute::new(25, b"c")).unwrap());
    assert!(reply.push_eap(&[1; 300]).is_err(), "two pieces, where one more may be");
    reply.push(Attribute::new(25, b"c")).unwrap();
    assert!(reply.push(Attribute::new(25, &[])).is_err(), "the Proxy-States' places are kept");
    let bytes = reply.sign(&rfc_secret()).unwrap().as_bytes().to_vec();
    assert_eq!(list(&bytes).len(), ATTRIBUTE_COUNT_MAX);
    assert_eq!(list(&bytes)[100..], vec![(33, b"1".to_vec()); 100]);
}

#[test]
fn a_request_whose_proxy_states_take_every_place_still_gets_its_reply() {
    let context = context(&vec![(33, &b"1"[..]); ATTRIBUTE_COUNT_MAX - 1]);
    assert_eq!(list(&answer(&context, ReplyCode::Reject, &[])).len(), ATTRIBUTE_COUNT_MAX);
}

#[test]
fn a_request_whose_proxy_states_fill_the_packet_still_gets_its_reply() {
    let state = [7; 253];
    let mut states = vec![(33, &state[..]); 15];
    states.push((33, &state[..230]));
    let context = context(&states);
    assert_eq!(context.overhead(), 38 + 15 * 255 + 232);
    // The request held them beside its own Message-Authenticator, so the reply has room for them too.
    assert!(answer(&context, ReplyCode::Reject, &[]).len() <= 4096);
    let bare: Vec<u8> = [vec![33, 255], vec![7; 253]].concat().repeat(15);
    let bare = packet(12, 7, UNDER, &[bare, vec![33, 251], vec![7; 249]].concat());
    let view = PacketView::parse(&bare).unwrap();
    assert_eq!(view.as_bytes().len(), 4096);
    assert!(view.verify(&rfc_secret(), Demand::IfPresent).is_err(), "only a bare request could leave no room");
}

#[test]
fn hidden_values_are_hidden_under_the_request_that_is_answered() {
    let (secret, key) = (rfc_secret(), Secret::new((0..32).collect::<Vec<u8>>()));
    let context = context(&[]);
    let (mut buffer, mut salts) = (Datagram::new(), Salts::new([0x13, 0x37]));
    let mut reply = context.reply(ReplyCode::Accept, &mut buffer);
    reply.push_hidden_vendor(311, 16, &key, &mut salts).unwrap();
    reply.push_hidden_vendor(311, 17, &key, &mut salts).unwrap();
    reply.push_hidden(69, 3, &Secret::new("hunter2"), &mut salts).unwrap();
    let shown = format!("{reply:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("104, 117"), "{shown}");
    let signed = reply.sign(&secret).unwrap();
    let view = PacketView::parse(signed.as_bytes()).unwrap();
    let (send, receive) = (view.vendor(311, 16).unwrap(), view.vendor(311, 17).unwrap());
    assert_ne!(send, receive, "two equal keys look different");
    for hidden in [send, receive] {
        assert_eq!(reveal_salted(hidden, &secret, &UNDER), Some(key.clone()));
        assert_ne!(reveal_salted(hidden, &secret, &array("00112233445566778899aabbccddeeff")), Some(key.clone()));
    }
    let (tag, hidden) = view.attribute(69).unwrap().split_first().unwrap();
    assert_eq!((*tag, reveal_salted(hidden, &secret, &UNDER)), (3, Some(Secret::new("hunter2"))));
}

#[test]
fn a_context_is_small_and_outlives_its_request() {
    assert!(size_of::<ReplyContext>() <= 40, "a hundred thousand held logins keep one each");
    let kept = context(&[(79, &[2, 77, 0, 5, 1])]);
    assert_eq!((kept.identifier(), kept.authenticator(), kept.eap_identifier()), (7, &UNDER, Some(77)));
    assert_eq!(context(&[(2, &[1; 16])]).eap_identifier(), None);
}

#[test]
fn an_eap_message_is_cut_and_joined() {
    for length in [4, 253, 254, 506, 507, 1400] {
        let mut message = vec![0xab; length];
        message[..4].copy_from_slice(&[2, 9, u8::try_from(length >> 8).unwrap(), u8::try_from(length & 0xff).unwrap()]);
        let context = context(&[]);
        let mut buffer = Datagram::new();
        let mut reply = context.reply(ReplyCode::Challenge, &mut buffer);
        reply.push_eap(&message).unwrap();
        let signed = reply.sign(&rfc_secret()).unwrap();
        let view = PacketView::parse(signed.as_bytes()).unwrap();
        assert_eq!(view.attribute_count(), 1 + length.div_ceil(253));
        assert_eq!(view.eap_len(), Some(length));
        assert_eq!(eap_join(&view).unwrap(), Some(message));
    }
}

#[test]
fn eap_messages_must_lie_together_and_have_their_length() {
    let join = |list: &[(u8, &[u8])]| {
        let bytes = packet(11, 0, UNDER, &crate::attributes(list));
        eap_join(&PacketView::parse(&bytes).unwrap())
    };
    assert_eq!(join(&[]), Ok(None));
    assert_eq!(join(&[(79, &[])]), Ok(Some(vec![])), "EAP-Start (RFC 3579 §2.1)");
    assert_eq!(join(&[(79, &[1, 2]), (79, &[0, 4])]), Ok(Some(vec![1, 2, 0, 4])));
    assert_eq!(join(&[(79, &[1, 2]), (18, b"x"), (79, &[0, 4])]), Err(wire::BadEap::Scattered));
    assert_eq!(join(&[(79, &[1, 2, 0])]), Err(wire::BadEap::TooShort));
    for claimed in [3, 5] {
        let error = wire::BadEap::Length { claimed, joined: 4 };
        assert_eq!(join(&[(79, &[1, 2, 0, u8::try_from(claimed).unwrap()])]), Err(error));
    }
    assert_eq!(eap_failure(0x42), [4, 0x42, 0, 4]);
}

#[test]
fn a_buffer_can_be_used_again() {
    let (mut buffer, context) = (Datagram::new(), context(&[]));
    let mut long = context.reply(ReplyCode::Accept, &mut buffer);
    long.push(Attribute::new(25, &[0xff; 200])).unwrap();
    drop(long);
    let short = context.reply(ReplyCode::Reject, &mut buffer).sign(&rfc_secret()).unwrap().as_bytes().to_vec();
    assert_eq!(short, answer(&context, ReplyCode::Reject, &[]));
    let none: Attributes<'_> = Attributes::default();
    assert_eq!(none.count(), 0);
}
