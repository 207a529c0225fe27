//! Who is believed: requests of appliances, and replies of upstreams.

use md5::{Digest, Md5};
use wire::{
    ATTRIBUTE_COUNT_MAX, Attribute, Code, Datagram, Demand, PacketView, ReplyCode, RequestWriter, Secret, SentRequest,
    SharedSecret, Unverified, VerifiedRequest, kind,
};

use crate::{attributes, list, packet, request, rfc_secret, shared};

const UNDER: [u8; 16] = [0x42; 16];

fn verify<'a>(bytes: &'a [u8], demand: Demand) -> Result<VerifiedRequest<'a>, Unverified> {
    PacketView::parse(bytes).unwrap().verify(&rfc_secret(), demand)
}

fn bare(code: u8, list: &[(u8, &[u8])]) -> Vec<u8> {
    packet(code, 7, UNDER, &attributes(list))
}

/// A reply with a right Response Authenticator and no Message-Authenticator, as old servers send it.
fn bare_reply(code: u8, identifier: u8, secret: &str, list: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = packet(code, identifier, UNDER, &attributes(list));
    let authenticator = Md5::new().chain_update(&bytes).chain_update(secret).finalize();
    bytes[4..20].copy_from_slice(&authenticator);
    bytes
}

/// The reply of an upstream that signs as we do.
fn signed_reply(sent: &SentRequest, code: ReplyCode, list: &[(u8, &[u8])]) -> Vec<u8> {
    let context = verify(sent.as_bytes(), Demand::Required).unwrap().context();
    let mut buffer = Datagram::new();
    let mut writer = context.reply(code, &mut buffer);
    list.iter().try_for_each(|(kind, value)| writer.push(Attribute::new(*kind, value))).unwrap();
    writer.sign(&rfc_secret()).unwrap().as_bytes().to_vec()
}

fn judged(bytes: &[u8], sent: &SentRequest, demand: Demand) -> Result<(), Unverified> {
    PacketView::parse(bytes).unwrap().verify_reply(&rfc_secret(), sent, demand).map(|_| ())
}

#[test]
fn message_authenticator_comes_first_in_a_request_and_can_not_be_pushed() {
    let sent = request(&rfc_secret(), UNDER, &[(1, b"alice"), (80, &[9; 16]), (33, b"ours")]);
    let kinds: Vec<u8> = list(sent.as_bytes()).iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [80, 1, 33]);
    assert!(verify(sent.as_bytes(), Demand::Required).unwrap().had_message_authenticator());
}

#[test]
fn message_authenticator_is_verified_wherever_it_stands() {
    let sent = request(&rfc_secret(), UNDER, &[(1, b"alice"), (31, b"station")]);
    let mut signed = list(sent.as_bytes());
    for position in 0..3 {
        let (kind, _) = signed.remove(0);
        assert_eq!(kind, 80);
        signed.insert(position, (80, vec![0; 16]));
        let raw: Vec<(u8, &[u8])> = signed.iter().map(|(kind, value)| (*kind, &value[..])).collect();
        let mut bytes = bare(1, &raw);
        let at = 20 + attributes(&raw[..position]).len() + 2;
        let mac = hmac_md5(b"xyzzy5461", &bytes);
        bytes[at..at + 16].copy_from_slice(&mac);
        assert!(verify(&bytes, Demand::Required).is_ok(), "position {position}");
        signed.remove(position);
        signed.insert(0, (80, vec![0; 16]));
    }
}

/// HMAC from its definition (RFC 2104), apart from the crate that the wire uses.
fn hmac_md5(key: &[u8], message: &[u8]) -> [u8; 16] {
    let pad = |mask: u8| (0..64).map(|i| key.get(i).copied().unwrap_or(0) ^ mask).collect::<Vec<u8>>();
    let inner = Md5::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Md5::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into()
}

#[test]
fn the_demand_decides_about_bare_requests_within_limits() {
    let missing = Err(Unverified::MissingMessageAuthenticator);
    let judge = |bytes: &[u8], demand| verify(bytes, demand).map(|verified| verified.had_message_authenticator());
    let pap = bare(1, &[(1, b"alice"), (2, &[1; 16])]);
    assert_eq!(judge(&pap, Demand::IfPresent), Ok(false));
    assert_eq!(judge(&pap, Demand::Required), missing);
    let proxied = bare(1, &[(1, b"alice"), (33, b"")]);
    assert_eq!(judge(&proxied, Demand::IfPresent), Err(Unverified::ProxyState));
    assert_eq!(judge(&proxied, Demand::Required), missing);
    let eap = bare(1, &[(79, &[2, 1, 0, 4])]);
    assert_eq!(judge(&eap, Demand::IfPresent), missing, "RFC 3579 §3.1");
    let status = bare(12, &[]);
    assert_eq!(judge(&status, Demand::IfPresent), missing, "RFC 5997 §3");
    let proxied_and_signed = request(&rfc_secret(), UNDER, &[(33, b"x")]);
    assert_eq!(judge(proxied_and_signed.as_bytes(), Demand::IfPresent), Ok(true));
}

#[test]
fn only_access_request_and_status_server_are_requests() {
    for code in [2, 3, 4, 5, 11, 13, 40, 41, 42, 43, 44, 45, 52] {
        let error = verify(&bare(code, &[]), Demand::IfPresent).unwrap_err();
        assert_eq!((error, error.reason()), (Unverified::NotARequest, "wrong_code"));
    }
}

#[test]
fn padding_changes_nothing() {
    let sent = request(&rfc_secret(), UNDER, &[(1, b"alice")]);
    let padded = [sent.as_bytes(), &[0xee; 7]].concat();
    assert_eq!(verify(&padded, Demand::Required).unwrap().as_bytes(), sent.as_bytes());
    let reply = [signed_reply(&sent, ReplyCode::Accept, &[]), vec![0; 7]].concat();
    assert_eq!(judged(&reply, &sent, Demand::Required), Ok(()));
}

#[test]
fn any_one_bit_that_flips_in_a_request_is_refused() {
    let sent = request(&rfc_secret(), UNDER, &[(1, b"alice"), (31, b"192.0.2.1"), (33, b"state")]);
    for_each_flip(sent.as_bytes(), |bytes| {
        let accepted = PacketView::parse(bytes).is_ok_and(|view| view.verify(&rfc_secret(), Demand::Required).is_ok());
        assert!(!accepted);
    });
}

#[test]
fn any_one_bit_that_flips_in_a_reply_is_refused() {
    let sent = request(&rfc_secret(), UNDER, &[(1, b"alice")]);
    let reply = signed_reply(&sent, ReplyCode::Accept, &[(25, b"ou=vpn"), (18, b"welcome")]);
    for_each_flip(&reply, |bytes| {
        let judge = |view: PacketView<'_>| view.verify_reply(&rfc_secret(), &sent, Demand::IfPresent).is_ok();
        assert!(!PacketView::parse(bytes).is_ok_and(judge));
    });
}

fn for_each_flip(bytes: &[u8], judge: impl Fn(&[u8])) {
    for (position, bit) in (0..bytes.len()).flat_map(|position| (0..8).map(move |bit| (position, bit))) {
        let mut changed = bytes.to_vec();
        changed[position] ^= 1 << bit;
        judge(&changed);
    }
}

#[test]
fn a_reply_must_answer_what_was_sent() {
    let sent = request(&rfc_secret(), UNDER, &[(1, b"alice")]);
    let right = bare_reply(2, 7, "xyzzy5461", &[]);
    assert_eq!(judged(&right, &sent, Demand::IfPresent), Ok(()));
    assert_eq!(judged(&right, &sent, Demand::Required), Err(Unverified::MissingMessageAuthenticator));
    let another = bare_reply(2, 8, "xyzzy5461", &[]);
    assert_eq!(judged(&another, &sent, Demand::IfPresent), Err(Unverified::WrongIdentifier));
    for code in [1, 4, 5, 12, 13, 40, 41, 44] {
        let wrong = bare_reply(code, 7, "xyzzy5461", &[]);
        assert_eq!(judged(&wrong, &sent, Demand::IfPresent), Err(Unverified::WrongCode), "{code}");
    }
    let wrong_secret = bare_reply(2, 7, "xyzzy5462", &[]);
    assert_eq!(judged(&wrong_secret, &sent, Demand::IfPresent), Err(Unverified::BadResponseAuthenticator));
    let eap = bare_reply(2, 7, "xyzzy5461", &[(79, &[3, 1, 0, 4])]);
    assert_eq!(judged(&eap, &sent, Demand::IfPresent), Err(Unverified::MissingMessageAuthenticator), "RFC 3579 §3.1");
}

#[test]
fn a_wrong_message_authenticator_under_a_right_response_authenticator_is_refused() {
    // What a forger of MD5 collisions could make: everything verifies but the HMAC.
    let sent = request(&rfc_secret(), UNDER, &[(1, b"alice")]);
    let forged = bare_reply(2, 7, "xyzzy5461", &[(80, &[0; 16])]);
    for demand in [Demand::Required, Demand::IfPresent] {
        assert_eq!(judged(&forged, &sent, demand), Err(Unverified::BadMessageAuthenticator));
    }
}

#[test]
fn a_proxy_state_that_was_not_sent_is_refused() {
    let sent = request(&rfc_secret(), UNDER, &[(1, b"alice"), (33, b"ours")]);
    let reply = |list: &[(u8, &[u8])]| bare_reply(2, 7, "xyzzy5461", list);
    assert_eq!(judged(&reply(&[]), &sent, Demand::IfPresent), Ok(()));
    assert_eq!(judged(&reply(&[(33, b"ours")]), &sent, Demand::IfPresent), Ok(()));
    assert_eq!(judged(&reply(&[(33, b"theirs")]), &sent, Demand::IfPresent), Err(Unverified::ProxyState));
    let twice = reply(&[(33, b"ours"), (33, b"ours")]);
    assert_eq!(judged(&twice, &sent, Demand::IfPresent), Err(Unverified::ProxyState), "more than were sent");
}

#[test]
fn a_status_server_is_answered_by_accept_only() {
    let mut buffer = Datagram::new();
    let sent = RequestWriter::new(Code::StatusServer, 7, UNDER, &mut buffer).sign(&rfc_secret());
    assert!(verify(sent.as_bytes(), Demand::Required).is_ok());
    assert_eq!(judged(&signed_reply(&sent, ReplyCode::Accept, &[]), &sent, Demand::Required), Ok(()));
    let reject = signed_reply(&sent, ReplyCode::Reject, &[]);
    assert_eq!(judged(&reject, &sent, Demand::Required), Err(Unverified::WrongCode));
}

#[test]
fn an_accounting_request_hashes_itself() {
    let mut buffer = Datagram::new();
    let mut writer = RequestWriter::new(Code::AccountingRequest, 9, UNDER, &mut buffer);
    writer.push(Attribute::new(kind::ACCT_STATUS_TYPE, &[0, 0, 0, 1])).unwrap();
    let sent = writer.sign(&rfc_secret());
    let mut zeroed = sent.as_bytes().to_vec();
    zeroed[4..20].fill(0);
    let hash = Md5::new().chain_update(&zeroed).chain_update("xyzzy5461").finalize();
    assert_eq!(sent.authenticator()[..], hash[..], "RFC 2866 §3");
    assert_eq!(sent.as_bytes()[4..20], hash[..]);
}

#[test]
fn a_password_travels_to_the_upstream_under_its_own_secret() {
    let (upstream, mut buffer): (SharedSecret, _) = (shared("upstream-secret"), Datagram::new());
    let mut writer = RequestWriter::new(Code::AccessRequest, 1, UNDER, &mut buffer);
    writer.push_password(&Secret::new("arctangent"), &upstream).unwrap();
    let sent = writer.sign(&upstream);
    let received = PacketView::parse(sent.as_bytes()).unwrap().verify(&upstream, Demand::Required).unwrap();
    assert_eq!(received.password(&upstream).unwrap(), Some(Secret::new("arctangent")));
    assert!(!format!("{sent:?} {received:?}").contains("arctangent"));
}

#[test]
fn what_does_not_fit_in_a_request_is_refused_and_nothing_is_written() {
    let mut buffer = Datagram::new();
    let mut writer = RequestWriter::new(Code::AccessRequest, 1, UNDER, &mut buffer);
    while writer.push(Attribute::new(200, &[1; 253])).is_ok() {}
    let room = writer.room();
    assert!(writer.push_eap(&vec![1; room]).is_err(), "its header does not fit");
    assert_eq!(writer.room(), room);
    writer.push(Attribute::new(201, &vec![1; room - 2])).unwrap();
    assert_eq!(writer.room(), 0);
    assert!(writer.push(Attribute::new(201, &[])).is_err());
    let sent = writer.sign(&rfc_secret());
    assert_eq!(sent.as_bytes().len(), 4096);
    assert!(verify(sent.as_bytes(), Demand::Required).is_ok());
}

#[test]
fn a_request_holds_no_more_attributes_than_our_own_parser_takes() {
    let mut buffer = Datagram::new();
    let mut writer = RequestWriter::new(Code::AccessRequest, 1, UNDER, &mut buffer);
    (0..ATTRIBUTE_COUNT_MAX - 3).for_each(|_| writer.push(Attribute::new(200, &[1])).unwrap());
    assert!(writer.push_eap(&[1; 600]).is_err(), "three pieces, where two more may be");
    writer.push_eap(&[1; 300]).unwrap();
    let room = writer.room();
    assert!(writer.push(Attribute::new(200, &[])).is_err() && writer.push_vendor(9, 1, &[]).is_err());
    assert!(writer.push_password(&Secret::new("arctangent"), &rfc_secret()).is_err());
    assert_eq!(writer.room(), room, "nothing was written");
    assert_eq!(list(writer.sign(&rfc_secret()).as_bytes()).len(), ATTRIBUTE_COUNT_MAX);
}

#[test]
fn a_bare_request_of_two_hundred_attributes_does_not_go_on() {
    let asked = bare(1, &vec![(200, &b"x"[..]); ATTRIBUTE_COUNT_MAX]);
    let (asked, mut buffer) = (verify(&asked, Demand::IfPresent).unwrap(), Datagram::new());
    let mut writer = RequestWriter::new(Code::AccessRequest, 1, UNDER, &mut buffer);
    assert!(writer.forward(&asked, |_| true).is_err(), "with our Message-Authenticator it would be one too many");
}

#[test]
fn a_value_over_253_octets_is_refused() {
    let mut buffer = Datagram::new();
    let mut writer = RequestWriter::new(Code::AccessRequest, 1, UNDER, &mut buffer);
    assert!(writer.push(Attribute::new(200, &[1; 254])).is_err());
    assert!(writer.push_vendor(9, 1, &[1; 248]).is_err());
    assert!(writer.push_password(&Secret::new([1; 129]), &rfc_secret()).is_err());
    assert_eq!(list(writer.sign(&rfc_secret()).as_bytes()).len(), 1);
}

/// What an upstream gets of an appliance's request.
fn forwarded(asked: &[u8], keep: impl Fn(&Attribute<'_>) -> bool) -> SentRequest {
    let asked = verify(asked, Demand::IfPresent).unwrap();
    let mut buffer = Datagram::new();
    let mut writer = RequestWriter::new(Code::AccessRequest, 1, [0x77; 16], &mut buffer);
    writer.forward(&asked, keep).unwrap();
    writer.sign(&rfc_secret())
}

#[test]
fn a_forwarded_request_keeps_its_attributes_in_order_and_leaves_its_hop_behind() {
    let asked = [(200, &b"b"[..]), (1, b"alice"), (200, b"a"), (33, b"theirs"), (26, b"opaque"), (24, b"state")];
    let sent = request(&rfc_secret(), UNDER, &asked);
    let kinds = list(forwarded(sent.as_bytes(), |attribute| attribute.kind != 24).as_bytes());
    let expected = [(200, &b"b"[..]), (1, b"alice"), (200, b"a"), (26, b"opaque")];
    let expected: Vec<_> = expected.iter().map(|(kind, value)| (*kind, value.to_vec())).collect();
    assert_eq!(kinds[1..], expected);
    let with_password = bare(1, &[(1, b"alice"), (2, &[1; 16])]);
    assert_eq!(list(forwarded(&with_password, |_| true).as_bytes()).len(), 2, "its password is hidden for its own hop");
}

#[test]
fn a_forwarded_chap_response_still_verifies() {
    let password = Secret::new("arctangent");
    let response = |challenge: &[u8]| [&[9][..], &wire::chap_response(9, &password, challenge)].concat();
    let own = [(3, &response(&UNDER)[..])];
    let given = [(60, &b"challenge"[..]), (3, &response(b"challenge"))];
    for asked in [&own[..], &given] {
        let sent = forwarded(&bare(1, asked), |_| true);
        assert_eq!(list(sent.as_bytes()).len(), 3);
        let received = verify(sent.as_bytes(), Demand::Required).unwrap();
        assert!(received.chap().unwrap().unwrap().verify(&password));
    }
}
