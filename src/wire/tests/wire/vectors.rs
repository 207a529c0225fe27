//! Known answers: RFC 2865 §7, RFC 5997 §6, RFC 6929 §9, and our own, which a second implementation computed.

use wire::{
    Attribute, Code, Datagram, Demand, Full, Malformed, PacketView, ReplyCode, RequestWriter, Salts, Secret,
    SentRequest, SharedSecret, Unverified, hide_password, hide_salted, kind, reveal_password, reveal_salted,
};

use crate::{array, hex, packet, rfc_secret, shared};

const PAP_REQUEST: &str = "010000380f403f9473978057bd83d5cb98f4227a01066e656d6f02120dbe708d
    93d413ce3196e43f782a0aee0406c0a80110050600000003";
const PAP_ACCEPT: &str = "0200002686fe220e7624ba2a1005f6bf9b55e0b20606000000010f0600000000
    0e06c0a80103";
const CHAP_REQUEST: &str = "010100472aee86f08d0d55969ca5978e0d3367a20108666c6f707379031316e9
    7557c316185895f293ff63440772750406c0a801100506000000140606000000
    02070600000001";
const CHAP_ACCEPT: &str = "0201003815efbc7dab26cfa3dc34d9c03c8601a4060600000002070600000001
    0806fffffffe0a06000000020d06000000010c06000005dc";
const CHAP_ACCEPT_CHANGED: &str = "0201003815efbc7dab26cfa3dc34d9c03c8601a4060600000002070600000001
    0806fffffffe0a06000000000d06000000010c06000005dc";
const CHALLENGED_REQUEST: &str = "01020039f3a47a1f6a6d76710b947ab93041a03901076d6f7073790212336575
    73778289b570885e15084825c50406c0a80110050600000007";
const CHALLENGE: &str = "0b02004e36f3c8764ae8c71157403c0c71ff9c4512304368616c6c656e676520
    33323736393433302e2020456e74657220726573706f6e73652061742070726f
    6d70742e180a3332373639343330";
const ANSWERED_REQUEST: &str = "01030043b122556d428a13d0d6253807c457ecf001076d6f7073790212692c1f
    205fc081b919b95195f561a5810406c0a8011005060000000718103332373639
    343330";
const REJECT: &str = "03030014a42f4fca45916c4e09c8340f9e746aa0";
const STATUS_AUTH: &str = "0cda00268a54f4686fb394c52866e302185d062350125a665e2e1e8411f3e243
    822097c84fa3";
const STATUS_AUTH_ACCEPT: &str = "02da0014ef0d552a4bf2d693ec2b6fe8b5411d66";
const STATUS_ACCT: &str = "0cb30026925f6b66dd5fed571fcb1db7ad3882605012e8d6eabda910875cd91f
    dade26367858";
const STATUS_ACCT_AS_PRINTED: &str = "02b300140f6f92145f107e2f504e860a4860669c";
const STATUS_ACCT_RESPONSE: &str = "05b300140f6f92145f107e2f504e860a4860669c";
const STATUS_NAS: &str = "0c47002cbf58de56ae408ad3b70c8513f9b03fbe0406c00002105012852d6fec
    61e7ed74b8e32dac2f2a5fb2";
const STATUS_NAS_ACCEPT: &str = "0247003446f43e62fd0354424cbbebfd6d214e06122052414449555320536572
    766572207570203220646179732c2031383a3430";
const EAP_IDENTITY: &str = "0105008becfe3d2fe4473ec6299095ee46aedf7704060a00000105060000c35c
    3d060000000f010e4a6f686e2e4d63477569726b1e1330302d31392d30362d45
    412d42382d38431f1330302d31342d32322d45392d35342d3545060600000002
    0c06000005dc4f1302000011014a6f686e2e4d63477569726b501228c5beb884
    2486da70db51316f9d7889";
const OUR_ACCEPT: &str = "0200002c0e28e13bb2ff9188f2b23e4412c2c6c25012385b899f61a9e7c802bb
    3546c10a2a8b060600000001";
const OUR_REJECT: &str = "030000268b2603f419910644078cefadd30786245012fd4912ddce426401b843
    085aff12f5da";
const OUR_STATUS_ACCEPT: &str = "02da00267e6d7a5f5dfa87b519bef260a6f15081501257566a4a4a4c690f8e18
    b73ae7a7f65f";
const SALTED_UNDER: &str = "0f403f9473978057bd83d5cb98f4227a";
const TESTING_UNDER: &str = "000102030405060708090a0b0c0d0e0f";

/// A request of ours with the code, Identifier and authenticator of a printed one: a reply is measured by no more.
fn asked(printed: &str) -> SentRequest {
    let bytes = hex(printed);
    let view = PacketView::parse(&bytes).unwrap();
    let mut buffer = Datagram::new();
    RequestWriter::new(view.code(), view.identifier(), *view.authenticator(), &mut buffer).sign(&rfc_secret())
}

fn judged(reply: &str, request: &str, demand: Demand) -> Result<(), Unverified> {
    let bytes = hex(reply);
    PacketView::parse(&bytes).unwrap().verify_reply(&rfc_secret(), &asked(request), demand).map(|_| ())
}

#[test]
fn rfc_2865_7_1_request_reveals_its_password() {
    let bytes = hex(PAP_REQUEST);
    let request = PacketView::parse(&bytes).unwrap().verify(&rfc_secret(), Demand::IfPresent).unwrap();
    assert_eq!((request.code(), request.identifier()), (Code::AccessRequest, 0));
    assert_eq!(request.user_name(), Some(&b"nemo"[..]));
    assert_eq!(request.password(&rfc_secret()).unwrap(), Some(Secret::new("arctangent")));
    assert_eq!(request.attribute_count(), 4);
    assert!(!request.had_message_authenticator());
}

#[test]
fn rfc_2865_7_2_request_verifies_its_chap_password_against_the_authenticator() {
    let bytes = hex(CHAP_REQUEST);
    let request = PacketView::parse(&bytes).unwrap().verify(&rfc_secret(), Demand::IfPresent).unwrap();
    let chap = request.chap().unwrap().unwrap();
    assert_eq!(chap.identifier, 22);
    assert_eq!(chap.challenge, request.authenticator());
    assert!(chap.verify(&Secret::new("arctangent")));
    assert!(!chap.verify(&Secret::new("arctangenT")));
}

#[test]
fn rfc_2865_7_3_requests_reveal_their_passwords() {
    let first = hex(CHALLENGED_REQUEST);
    let first = PacketView::parse(&first).unwrap().verify(&rfc_secret(), Demand::IfPresent).unwrap();
    assert_eq!(first.password(&rfc_secret()).unwrap(), Some(Secret::new("challenge")));
    let mut second = hex(ANSWERED_REQUEST);
    assert_eq!(
        PacketView::parse(&second).unwrap_err(),
        Malformed::AttributeOverrun(24),
        "a known erratum of the print"
    );
    let length = second.len() - 9;
    second[length] = 0x0a;
    let second = PacketView::parse(&second).unwrap().verify(&rfc_secret(), Demand::IfPresent).unwrap();
    assert_eq!(second.password(&rfc_secret()).unwrap(), Some(Secret::new("99101462")));
    assert_eq!(second.state(), Some(&b"32769430"[..]));
}

#[test]
fn printed_replies_verify_under_their_requests() {
    for (reply, request) in [
        (PAP_ACCEPT, PAP_REQUEST),
        (CHAP_ACCEPT, CHAP_REQUEST),
        (CHALLENGE, CHALLENGED_REQUEST),
        (REJECT, ANSWERED_WITH_ITS_LENGTH_MENDED),
        (STATUS_AUTH_ACCEPT, STATUS_AUTH),
        (STATUS_ACCT_RESPONSE, STATUS_ACCT),
        (STATUS_NAS_ACCEPT, STATUS_NAS),
    ] {
        assert_eq!(judged(reply, request, Demand::IfPresent), Ok(()), "{reply}");
        assert_eq!(judged(reply, request, Demand::Required), Err(Unverified::MissingMessageAuthenticator), "{reply}");
    }
}

const ANSWERED_WITH_ITS_LENGTH_MENDED: &str = "01030043b122556d428a13d0d6253807c457ecf001076d6f7073790212692c1f
    205fc081b919b95195f561a5810406c0a80110050600000007180a3332373639
    343330";

#[test]
fn printed_replies_that_were_changed_do_not_verify() {
    let wrong = Err(Unverified::BadResponseAuthenticator);
    assert_eq!(judged(CHAP_ACCEPT_CHANGED, CHAP_REQUEST, Demand::IfPresent), wrong);
    assert_eq!(judged(STATUS_ACCT_AS_PRINTED, STATUS_ACCT, Demand::IfPresent), wrong);
}

#[test]
fn rfc_5997_status_servers_verify() {
    for status in [STATUS_AUTH, STATUS_ACCT, STATUS_NAS] {
        let bytes = hex(status);
        let view = PacketView::parse(&bytes).unwrap();
        assert!(view.verify(&rfc_secret(), Demand::IfPresent).unwrap().had_message_authenticator());
        let error = view.verify(&shared("xyzzy5462"), Demand::IfPresent).unwrap_err();
        assert_eq!(error, Unverified::BadMessageAuthenticator);
    }
}

#[test]
fn a_captured_eap_request_parses_and_does_not_verify_under_another_secret() {
    let bytes = hex(EAP_IDENTITY);
    let view = PacketView::parse(&bytes).unwrap();
    assert_eq!(view.user_name(), Some(&b"John.McGuirk"[..]));
    assert_eq!(wire::eap_join(&view).unwrap().unwrap()[..5], [2, 0, 0, 17, 1]);
    assert_eq!(view.verify(&rfc_secret(), Demand::IfPresent).unwrap_err(), Unverified::BadMessageAuthenticator);
}

/// The reply of ours to a printed request.
fn answer(printed: &str, code: ReplyCode, attributes: &[Attribute<'_>]) -> Vec<u8> {
    let bytes = hex(printed);
    let request = PacketView::parse(&bytes).unwrap().verify(&rfc_secret(), Demand::IfPresent).unwrap();
    let (context, mut buffer) = (request.context(), Datagram::new());
    let mut reply = context.reply(code, &mut buffer);
    attributes.iter().try_for_each(|attribute| reply.push(*attribute)).unwrap();
    reply.sign(&rfc_secret()).unwrap().as_bytes().to_vec()
}

#[test]
fn our_replies_are_the_ones_that_were_computed_apart() {
    let login = Attribute::new(kind::SERVICE_TYPE, &[0, 0, 0, 1]);
    assert_eq!(answer(PAP_REQUEST, ReplyCode::Accept, &[login]), hex(OUR_ACCEPT));
    assert_eq!(answer(PAP_REQUEST, ReplyCode::Reject, &[]), hex(OUR_REJECT));
    assert_eq!(answer(STATUS_AUTH, ReplyCode::Accept, &[]), hex(OUR_STATUS_ACCEPT));
    for (reply, request) in [(OUR_ACCEPT, PAP_REQUEST), (OUR_REJECT, PAP_REQUEST), (OUR_STATUS_ACCEPT, STATUS_AUTH)] {
        assert_eq!(judged(reply, request, Demand::Required), Ok(()));
    }
}

#[test]
fn salted_values_are_the_ones_that_were_computed_apart() {
    let (secret, under) = (rfc_secret(), array(SALTED_UNDER));
    let key: Vec<u8> = (0..32).collect();
    for (plain, salt, hidden) in [
        (&b"hunter2"[..], [0x81, 0x02], "81024f86790599dbba7da90b71cd94fda019"),
        (&key[..16], [0x9c, 0x01], "9c01df06d93e9ad3bc771b92820dac665b9d655f6953f9c925b2c68ab30387282b31"),
        (
            &key,
            [0x9c, 0x02],
            "9c025118e41a649f9734d55282a622044c1f10de896c07795516c372922f01a758630aab6ac3e813a3fddad801d8adce2044",
        ),
    ] {
        assert_eq!(hide_salted(&Secret::new(plain), salt, &secret, &under), Ok(hex(hidden)));
        assert_eq!(reveal_salted(&hex(hidden), &secret, &under), Some(Secret::new(plain)));
    }
}

#[test]
fn a_key_of_the_upstream_is_wrapped_anew_for_the_appliance() {
    let from_upstream = hex("80017da3da91e659ca4abf38e229a7e4ba1a7ed6b7ab5409e0f7e1a34870db9b47a9");
    let key = reveal_salted(&from_upstream, &shared("upstream-secret"), &array("00112233445566778899aabbccddeeff"));
    let key = key.unwrap();
    assert_eq!(key.expose(), (0..16).collect::<Vec<u8>>());
    let (secret, under) = (rfc_secret(), array(SALTED_UNDER));
    let for_appliance = hide_salted(&key, Salts::new([1, 2]).draw(), &secret, &under).unwrap();
    assert_eq!(reveal_salted(&for_appliance, &secret, &under), Some(key));
}

#[test]
fn freeradius_values_are_read_and_written_alike() {
    let (secret, under) = (shared("testing123"), array(TESTING_UNDER));
    let bob = hex("f4816bca74fd7a1a104607240014828b");
    assert_eq!(hide_password(&Secret::new("bob"), &secret, &under), Ok(bob.clone()));
    assert_eq!(reveal_password(&bob, &secret, &under), Ok(Secret::new("bob")));
    let reveal = |text: &str| reveal_salted(&hex(text), &secret, &under);
    assert_eq!(reveal("9973051de6c557307dacd5daa599f4e26e7e"), Some(Secret::new("foo")));
    assert_eq!(reveal("c06f255f09b7dc0e4a1a465605f48f7c0ba4"), Some(Secret::new("barbar")));
}

#[test]
fn values_too_long_to_hide_are_refused() {
    let (secret, under): (SharedSecret, _) = (rfc_secret(), [0; 16]);
    assert!(hide_password(&Secret::new([1; 128]), &secret, &under).is_ok());
    assert_eq!(hide_password(&Secret::new([1; 129]), &secret, &under), Err(Full));
    assert!(hide_salted(&Secret::new([1; 239]), [0x80, 0], &secret, &under).is_ok());
    assert_eq!(hide_salted(&Secret::new([1; 240]), [0x80, 0], &secret, &under), Err(Full));
}

/// The extended attributes of a packet with these attributes: type, Extended-Type, value.
fn extended(attributes: &[u8]) -> Vec<(u8, u8, Option<Vec<u8>>)> {
    let bytes = packet(1, 0, [0; 16], attributes);
    let view = PacketView::parse(&bytes).unwrap();
    view.extended_attributes().map(|a| (a.kind, a.extended_type, a.value.map(std::borrow::Cow::into_owned))).collect()
}

#[test]
fn rfc_6929_9_attributes_are_walked() {
    for (raw, kind, extended_type, value) in [
        ("f10601626f62", 241, 1, "626f62"),
        ("f1070201042345", 241, 2, "01042345"),
        ("f10b020104234502046789", 241, 2, "0104234502046789"),
        ("f10d020104234503060104abcd", 241, 2, "0104234503060104abcd"),
        ("f1120201042345030b0104abcd0205666f6f", 241, 2, "01042345030b0104abcd0205666f6f"),
        ("f10f01010c020a030804060504cdef", 241, 1, "010c020a030804060504cdef"),
        ("f10c1a000000010474657374", 241, 26, "000000010474657374"),
        ("f10e1a0000000105030674657374", 241, 26, "0000000105030674657374"),
        ("f5070100626f62", 245, 1, "626f62"),
        ("f508020001042345", 245, 2, "01042345"),
        ("f50d1a00000000010474657374", 245, 26, "000000010474657374"),
        ("f50f1a000000000105030674657374", 245, 26, "0000000105030674657374"),
    ] {
        assert_eq!(extended(&hex(raw)), [(kind, extended_type, Some(hex(value)))], "{raw}");
    }
}

#[test]
fn rfc_6929_9_2_long_attributes_are_joined() {
    // 245.4 with 251 octets and 15 more; 245.26 likewise with 20.
    for (extended_type, last) in [(4, 15), (26, 20)] {
        let first = [&[0xf5, 0xff, extended_type, 0x80][..], &[0xaa; 251]].concat();
        let second = [&[0xf5, last + 4, extended_type, 0][..], &vec![0xbb; last.into()]].concat();
        let joined = [vec![0xaa; 251], vec![0xbb; last.into()]].concat();
        let both = [first.clone(), second.clone()].concat();
        assert_eq!(extended(&both), [(0xf5, extended_type, Some(joined))]);
        let broken = [&first[..], &[1, 3, b'a'], &second].concat();
        let bbb = vec![0xbb; last.into()];
        assert_eq!(extended(&broken), [(0xf5, extended_type, None), (0xf5, extended_type, Some(bbb))]);
        assert_eq!(extended(&first), [(0xf5, extended_type, None)], "no fragment follows");
    }
}

#[test]
fn an_extended_attribute_without_a_value_is_invalid_and_kills_nothing() {
    assert_eq!(
        extended(&hex("f102 f10301 f50401 00 f1040107")),
        [(241, 0, None), (241, 1, None), (245, 1, None), (241, 1, Some(vec![7]))]
    );
}

#[test]
fn a_fragment_that_promises_more_must_be_255_octets_long() {
    let short_first = hex("f506048061 62 f505040063");
    assert_eq!(extended(&short_first), [(245, 4, None)], "RFC 6929 §2.2");
    let long = [&[0xf5, 0xff, 4, 0x80][..], &[0xaa; 251]].concat();
    let short_middle = [&long[..], &hex("f5060480 6162"), &hex("f505040063")].concat();
    assert_eq!(extended(&short_middle), [(245, 4, None)]);
    let three = [&long[..], &long, &hex("f505040063")].concat();
    let joined = [vec![0xaa; 502], vec![0x63]].concat();
    assert_eq!(extended(&three), [(245, 4, Some(joined))]);
}
