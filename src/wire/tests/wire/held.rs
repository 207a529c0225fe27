//! An upstream's answer between two hops: what is kept, filtered, replaced and hidden anew.

use wire::{
    Attribute, Code, Datagram, Demand, Dictionary, Forbidden, HeldAttributes, PacketView, ReplyAttributes, ReplyCode,
    ReplyContext, ReplyWriter, Salts, Secret, SentRequest, SharedSecret, WrongSecret, hide_password, hide_salted,
    reveal_password, reveal_salted,
};

use crate::{list, request, rfc_secret, shared};

const UPSTREAM_UNDER: [u8; 16] = [0x42; 16];
const APPLIANCE_UNDER: [u8; 16] = [0x99; 16];

/// What an upstream hides with and what it says.
fn held(code: ReplyCode, say: impl FnOnce(&mut ReplyWriter<'_>)) -> HeldAttributes {
    try_held(code, &upstream(), say).unwrap()
}

fn try_held(
    code: ReplyCode,
    hides_with: &SharedSecret,
    say: impl FnOnce(&mut ReplyWriter<'_>),
) -> Result<HeldAttributes, WrongSecret> {
    let sent = request(&upstream(), UPSTREAM_UNDER, &[(1, b"alice"), (33, b"ours")]);
    let context = context(&sent, &upstream());
    let mut buffer = Datagram::new();
    let mut writer = context.reply(code, &mut buffer);
    say(&mut writer);
    let bytes = writer.sign(&upstream()).unwrap().as_bytes().to_vec();
    let reply = PacketView::parse(&bytes).unwrap().verify_reply(&upstream(), &sent, Demand::Required).unwrap();
    HeldAttributes::decode(&reply, hides_with)
}

fn upstream() -> SharedSecret {
    shared("upstream-secret")
}

fn context(sent: &SentRequest, secret: &SharedSecret) -> ReplyContext {
    PacketView::parse(sent.as_bytes()).unwrap().verify(secret, Demand::Required).unwrap().context()
}

/// What an appliance gets of it.
fn forwarded(held: &HeldAttributes, replaced_by: &ReplyAttributes) -> Vec<u8> {
    let asked = request(&rfc_secret(), APPLIANCE_UNDER, &[(1, b"alice"), (33, b"theirs")]);
    let (context, mut buffer) = (context(&asked, &rfc_secret()), Datagram::new());
    let mut writer = context.reply(ReplyCode::Accept, &mut buffer);
    let before = writer.room();
    held.write(&mut writer, replaced_by, &mut Salts::new([0x21, 0x43])).unwrap();
    assert_eq!(before - writer.room(), held.encoded_len_with(replaced_by), "the size that was foretold");
    let bytes = writer.sign(&rfc_secret()).unwrap().as_bytes().to_vec();
    let view = PacketView::parse(&bytes).unwrap();
    assert!(view.verify_reply(&rfc_secret(), &asked, Demand::Required).is_ok());
    bytes
}

fn push(writer: &mut ReplyWriter<'_>, list: &[(u8, &[u8])]) {
    list.iter().try_for_each(|(kind, value)| writer.push(Attribute::new(*kind, value))).unwrap();
}

fn vendor(vendor: u32, list: &[(u8, &[u8])]) -> Vec<u8> {
    [&vendor.to_be_bytes()[..], &crate::attributes(list)].concat()
}

/// The list without the Message-Authenticator before and the Proxy-State after.
fn inner(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let all = list(bytes);
    assert_eq!((all[0].0, all.last().unwrap()), (80, &(33, b"theirs".to_vec())));
    all[1..all.len() - 1].to_vec()
}

fn owned(list: &[(u8, &[u8])]) -> Vec<(u8, Vec<u8>)> {
    list.iter().map(|(kind, value)| (*kind, value.to_vec())).collect()
}

fn kinds(held: &HeldAttributes) -> Vec<u8> {
    held.plain_attributes().map(|attribute| attribute.kind).collect()
}

fn rule(list: &[(&str, &str)]) -> ReplyAttributes {
    ReplyAttributes::new(list.iter().map(|(name, text)| Dictionary::embedded().encode(name, text).unwrap())).unwrap()
}

#[test]
fn plain_attributes_pass_byte_for_byte_and_in_order() {
    let opaque = [0, 0, 0, 9, 1, 1];
    let vsa = vendor(9, &[(1, b"a=b"), (1, b"c=d")]);
    let said: [(u8, &[u8]); 7] =
        [(25, b"two"), (200, &[0xff]), (25, b"one"), (26, &opaque), (26, &vsa), (245, &[1, 0, 7]), (18, b"")];
    let kept = held(ReplyCode::Accept, |writer| push(writer, &said));
    assert_eq!(inner(&forwarded(&kept, &ReplyAttributes::default())), owned(&said));
    assert_eq!(kept.encoded_len(), crate::attributes(&said).len());
}

#[test]
fn keys_are_hidden_anew_for_the_appliance() {
    let (send, receive) = (Secret::new([1; 32]), Secret::new([2; 32]));
    let kept = held(ReplyCode::Accept, |writer| {
        let mut salts = Salts::new([0, 0]);
        writer.push_hidden_vendor(311, 16, &send, &mut salts).unwrap();
        writer.push_hidden_vendor(311, 17, &receive, &mut salts).unwrap();
        writer.push_hidden(69, 1, &Secret::new("foo"), &mut salts).unwrap();
        writer.push_hidden(69, 2, &Secret::new("barbar"), &mut salts).unwrap();
        writer.push_hidden_vendor(4874, 58, &Secret::new([0, 0, 0, 1]), &mut salts).unwrap();
    });
    assert_eq!(kept.revealed(Some(311), 16), Some(send.clone()));
    let bytes = forwarded(&kept, &ReplyAttributes::default());
    let view = PacketView::parse(&bytes).unwrap();
    let reveal = |hidden: &[u8]| reveal_salted(hidden, &rfc_secret(), &APPLIANCE_UNDER);
    assert_eq!(reveal(view.vendor(311, 16).unwrap()), Some(send));
    assert_eq!(reveal(view.vendor(311, 17).unwrap()), Some(receive));
    assert_eq!(reveal(view.vendor(4874, 58).unwrap()), Some(Secret::new([0, 0, 0, 1])));
    let tunnels: Vec<_> =
        view.attributes().filter(|a| a.kind == 69).map(|a| (a.value[0], reveal(&a.value[1..]))).collect();
    assert_eq!(tunnels, [(1, Some(Secret::new("foo"))), (2, Some(Secret::new("barbar")))]);
}

#[test]
fn every_hidden_value_has_its_own_salt() {
    let kept = held(ReplyCode::Accept, |writer| {
        let mut salts = Salts::new([0, 0]);
        for _ in 0..60 {
            writer.push_hidden_vendor(311, 16, &Secret::new([1; 16]), &mut salts).unwrap();
        }
    });
    let bytes = forwarded(&kept, &ReplyAttributes::default());
    let view = PacketView::parse(&bytes).unwrap();
    let salts: std::collections::BTreeSet<_> =
        view.vendor_attributes().map(|inner| inner.value[..2].to_vec()).collect();
    assert_eq!(salts.len(), 60);
}

#[test]
fn mppe_keys_of_mschap_are_hidden_like_a_password() {
    let keys = [[7; 24].as_slice(), &[0; 8]].concat();
    let hidden = hide_password(&Secret::new(keys.clone()), &upstream(), &UPSTREAM_UNDER).unwrap();
    let kept = held(ReplyCode::Accept, |writer| writer.push_vendor(311, 12, &hidden).unwrap());
    assert_eq!(kept.revealed(Some(311), 12), Some(Secret::new(keys)), "the zeroes at its end belong to it");
    let bytes = forwarded(&kept, &ReplyAttributes::default());
    let value = PacketView::parse(&bytes).unwrap().vendor(311, 12).unwrap();
    assert_eq!(value.len(), 32);
    assert_eq!(reveal_password(value, &rfc_secret(), &APPLIANCE_UNDER), Ok(Secret::new([7; 24])));
}

#[test]
fn a_vendor_specific_that_mixes_keys_and_others_is_taken_apart() {
    let hide =
        |plain: &[u8], salt| hide_salted(&Secret::new(plain), [0x80, salt], &upstream(), &UPSTREAM_UNDER).unwrap();
    let (send, receive) = (hide(&[1; 16], 1), hide(&[2; 16], 2));
    let mixed = vendor(311, &[(16, &send), (7, &[0, 0, 0, 1]), (17, &receive)]);
    let kept = held(ReplyCode::Accept, |writer| push(writer, &[(26, &mixed)]));
    let bytes = forwarded(&kept, &ReplyAttributes::default());
    let view = PacketView::parse(&bytes).unwrap();
    let kinds: Vec<u8> = view.vendor_attributes().map(|inner| inner.kind).collect();
    assert_eq!(kinds, [16, 7, 17]);
    assert_eq!(view.vendor(311, 7), Some(&[0, 0, 0, 1][..]));
    let revealed = reveal_salted(view.vendor(311, 17).unwrap(), &rfc_secret(), &APPLIANCE_UNDER);
    assert_eq!(revealed, Some(Secret::new([2; 16])));
}

#[test]
fn a_hidden_value_that_does_not_decode_ends_the_login() {
    let wrong = |kind, vendor| Err(WrongSecret { vendor, kind });
    let tunnel =
        |value: &[u8]| try_held(ReplyCode::Accept, &upstream(), |writer| push(writer, &[(69, value)])).map(|_| ());
    assert_eq!(tunnel(&[]), wrong(69, None));
    assert_eq!(tunnel(&[1, 0x80, 1]), wrong(69, None));
    assert_eq!(tunnel(&[1, 0x80]), wrong(69, None));
    let short = vendor(311, &[(12, &[1; 24])]);
    let keys = try_held(ReplyCode::Accept, &upstream(), |writer| push(writer, &[(26, &short)])).map(|_| ());
    assert_eq!(keys, wrong(12, Some(311)));
    // Under another secret one length in sixteen looks right, so twelve attributes are tried.
    let refused = (0..12).filter(|seed| {
        let key = |writer: &mut ReplyWriter<'_>| {
            writer.push_hidden_vendor(311, 16, &Secret::new([1; 15]), &mut Salts::new([*seed, 0])).unwrap();
        };
        try_held(ReplyCode::Accept, &shared("another"), key).is_err()
    });
    assert!(refused.count() > 6);
    let error = WrongSecret { vendor: Some(311), kind: 16 };
    assert_eq!(error.to_string(), "MS-MPPE-Send-Key does not decode: the secret shared with the upstream differs");
}

#[test]
fn nothing_of_an_accept_leaks_into_a_reject() {
    let error = vendor(311, &[(2, b"E=691 R=0 V=3"), (26, b"S=00")]);
    let mixed: [(u8, &[u8]); 9] = [
        (25, b"class"),
        (18, b"sorry"),
        (8, &[10, 0, 0, 1]),
        (79, &[3, 1, 0, 4]),
        (101, &[0, 0, 1, 0xf5]),
        (26, &error),
        (26, b"opaque"),
        (24, b"state"),
        (245, &[1, 0, 7]),
    ];
    let say = |writer: &mut ReplyWriter<'_>| {
        push(writer, &mixed);
        writer.push_hidden_vendor(311, 16, &Secret::new([1; 16]), &mut Salts::new([0, 0])).unwrap();
    };
    let from_accept = held(ReplyCode::Accept, say).for_reject();
    assert_eq!(kinds(&from_accept), [18, 101, 26], "the EAP-Success of an Accept is not for a Reject");
    let inner = from_accept.plain_attributes().last().unwrap();
    assert_eq!(inner.value, vendor(311, &[(2, b"E=691 R=0 V=3")]));
    assert_eq!(from_accept.encoded_len(), inner.encoded_len() + 7 + 6, "no key is left");
    let from_reject = held(ReplyCode::Reject, say).for_reject();
    assert_eq!(kinds(&from_reject), [79, 101, 26], "no Reply-Message beside EAP (RFC 3579 §2.6.5)");
}

#[test]
fn a_challenge_carries_what_a_challenge_may() {
    let success = vendor(311, &[(26, b"S=00")]);
    let cisco = vendor(9, &[(1, b"a=b")]);
    let kept = held(ReplyCode::Challenge, |writer| {
        push(writer, &[(18, b"code?"), (24, b"upstream"), (76, &[0; 4]), (27, &[0; 4]), (28, &[0; 4])]);
        push(writer, &[(25, b"class"), (26, &success), (26, &cisco), (11, b"filter")]);
    });
    let kept = kept.for_challenge();
    assert_eq!(kinds(&kept), [18, 24, 76, 27, 28, 26]);
    assert_eq!(kept.state(), Some(&b"upstream"[..]));
    let with_eap =
        held(ReplyCode::Challenge, |writer| push(writer, &[(18, b"code?"), (79, &[1, 1, 0, 4]), (24, b"s")]));
    assert_eq!(kinds(&with_eap.for_challenge()), [79, 24]);
}

#[test]
fn an_accept_keeps_everything_but_a_message_beside_eap() {
    let said: [(u8, &[u8]); 4] = [(18, b"welcome"), (25, b"class"), (79, &[3, 1, 0, 4]), (24, b"state")];
    assert_eq!(kinds(&held(ReplyCode::Accept, |writer| push(writer, &said)).for_accept()), [25, 79, 24]);
    assert_eq!(kinds(&held(ReplyCode::Accept, |writer| push(writer, &said[..2])).for_accept()), [18, 25]);
}

#[test]
fn a_rule_replaces_the_same_type_and_nothing_else() {
    let kept = held(ReplyCode::Accept, |writer| {
        push(writer, &[(25, b"theirs"), (11, b"filter"), (25, b"theirs too")]);
        push(writer, &[(64, &[1, 0, 0, 13]), (64, &[2, 0, 0, 13]), (81, b"\x0142"), (81, b"untagged")]);
        push(writer, &[(26, &vendor(9, &[(1, b"a=b"), (2, b"port")])), (26, &vendor(10, &[(1, b"other")]))]);
    });
    let rule = rule(&[
        ("Class", "ours"),
        ("Tunnel-Type:1", "PPTP"),
        ("Tunnel-Private-Group-Id:1", "7"),
        ("Cisco-AVPair", "x=y"),
    ]);
    let written = inner(&forwarded(&kept, &rule));
    let expected: [(u8, &[u8]); 9] = [
        (11, b"filter"),
        (64, &[2, 0, 0, 13]),
        (81, b"untagged"),
        (26, &vendor(9, &[(2, b"port")])),
        (26, &vendor(10, &[(1, b"other")])),
        (25, b"ours"),
        (64, &[1, 0, 0, 1]),
        (81, b"\x017"),
        (26, &vendor(9, &[(1, b"x=y")])),
    ];
    assert_eq!(written, owned(&expected));
}

#[test]
fn a_rule_can_not_set_what_belongs_to_others() {
    let set = |raw: &[u8]| ReplyAttributes::new([raw]).map(|_| ());
    for kind in [24, 33, 79, 80] {
        assert_eq!(set(&[kind, 3, 1]), Err(Forbidden::Owned(kind)));
    }
    for kind in [2, 3, 69] {
        assert_eq!(set(&[kind, 3, 1]), Err(Forbidden::Key { vendor: None, kind }));
    }
    for kind in [12, 16, 17, 25] {
        let raw = crate::attributes(&[(26, &vendor(311, &[(kind, b"x")]))]);
        assert_eq!(set(&raw), Err(Forbidden::Key { vendor: Some(311), kind }));
    }
    for raw in [&[25][..], &[25, 1], &[25, 9, 1], &[0, 3, 1], &[26, 3, 1]] {
        assert_eq!(set(raw), Err(Forbidden::NotAnAttribute), "{raw:?}");
    }
    assert!(set(&[6, 6, 0, 0, 0, 6]).is_ok(), "Service-Type is the policy's own question");
    assert!(rule(&[("Service-Type", "Administrative")]).service_types().eq([6]));
}

#[test]
fn the_facts_of_an_answer_are_read() {
    let kept = held(ReplyCode::Accept, |writer| {
        push(writer, &[(1, b"Alice@EXAMPLE"), (6, &[0, 0, 0, 2]), (18, b"one "), (18, b"two")]);
    });
    assert_eq!(kept.code(), Code::AccessAccept);
    assert_eq!(kept.user_name(), Some(&b"Alice@EXAMPLE"[..]));
    assert_eq!(kept.service_type(), Some(2));
    let two = held(ReplyCode::Accept, |writer| push(writer, &[(6, &[0, 0, 0, 2]), (6, &[0, 0, 0, 6])]));
    assert!(two.service_types().eq([2, 6]), "a privilege can't hide behind the first");
    assert_eq!(kept.reply_message(), Some(b"one two".to_vec()));
    let none = HeldAttributes::none(Code::AccessAccept);
    assert_eq!(
        (none.user_name(), none.service_type(), none.reply_message(), none.encoded_len()),
        (None, None, None, 0)
    );
}

#[test]
fn hidden_values_are_never_printed() {
    let kept = held(ReplyCode::Accept, |writer| {
        push(writer, &[(25, b"ou=vpn")]);
        writer.push_hidden(69, 1, &Secret::new("hunter2"), &mut Salts::new([0, 0])).unwrap();
    });
    assert_eq!(format!("{kept:?}"), "HeldAttributes(Access-Accept, [25, 69])");
}

#[test]
fn a_first_octet_above_31_is_no_tag() {
    // RFC 2868 §3.1: "untagged" and "7" begin with letters and digits, not with tags.
    let kept = held(ReplyCode::Accept, |writer| push(writer, &[(81, b"untagged"), (81, b"\x01tagged")]));
    let written = inner(&forwarded(&kept, &rule(&[("Tunnel-Private-Group-Id", "7")])));
    assert_eq!(written, owned(&[(81, b"\x01tagged"), (81, b"7")]));
}

#[test]
fn an_answer_of_too_many_attributes_is_not_half_written() {
    let kept = held(ReplyCode::Accept, |writer| {
        (0..197).for_each(|_| writer.push(Attribute::new(25, b"c")).unwrap());
    });
    let asked = request(&rfc_secret(), APPLIANCE_UNDER, &[(33, b"1"), (33, b"2")]);
    let (context, mut buffer) = (context(&asked, &rfc_secret()), Datagram::new());
    let mut writer = context.reply(ReplyCode::Accept, &mut buffer);
    let (room, extra) = (writer.room(), rule(&[("Reply-Message", "hello")]));
    assert_eq!((kept.attribute_count_with(&extra), writer.places()), (198, 197));
    assert!(kept.write(&mut writer, &extra, &mut Salts::new([0, 0])).is_err());
    assert_eq!((writer.room(), writer.places()), (room, 197));
    kept.write(&mut writer, &rule(&[]), &mut Salts::new([0, 0])).unwrap();
    assert_eq!(list(writer.sign(&rfc_secret()).unwrap().as_bytes()).len(), 200);
}

#[test]
fn an_answer_that_does_not_fit_is_not_half_written() {
    let kept = held(ReplyCode::Accept, |writer| while writer.push(Attribute::new(25, &[9; 253])).is_ok() {});
    let asked = request(&rfc_secret(), APPLIANCE_UNDER, &[(33, &[1; 200])]);
    let (context, mut buffer) = (context(&asked, &rfc_secret()), Datagram::new());
    let mut writer = context.reply(ReplyCode::Reject, &mut buffer);
    let room = writer.room();
    let extra = rule(&[("Reply-Message", &"x".repeat(200))]);
    assert!(
        kept.encoded_len_with(&extra) > context.room(),
        "which the caller could have known before it asked anybody"
    );
    assert!(kept.write(&mut writer, &extra, &mut Salts::new([0, 0])).is_err());
    assert_eq!(writer.room(), room);
    assert_eq!(list(writer.sign(&rfc_secret()).unwrap().as_bytes()).len(), 2);
}
