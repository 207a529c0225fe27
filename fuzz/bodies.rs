//! What every fuzz target does with its octets, as plain functions: libFuzzer calls them, and so does `tests/wire` with each
//! file of the committed corpus and with octets that proptest draws.
//!
//! A body ends in peace for any octets. What it asserts holds for any octets too, so a panic is a finding, never bad luck.
//! Nothing here reads a clock, a file or a random number: the same octets do the same again.

use radius::core::code::Code as TheirCode;
use radius::core::packet::Packet as Theirs;
use wire::{
    ATTRIBUTE_COUNT_MAX, Attribute, Code, Datagram, Demand, Dictionary, Full, Malformed, PacketView, ReplyAttributes,
    ReplyCode, RequestWriter, Secret, SharedSecret, chap_response, eap_join, hide_password, hide_salted, kind,
    log_safe, reveal_password, reveal_salted,
};

/// The secret of RFC 2865 §7, so that the corpus holds packets that verify.
const SECRET: &str = "xyzzy5461";

/// What a target does with its octets.
pub type Body = fn(&[u8]);

/// Each target by its name, which is the name of its corpus directory too.
pub const ALL: &[(&str, Body)] =
    &[("view", view), ("roundtrip", roundtrip), ("codecs", codecs), ("differential", differential)];

/// Any octets parse or don't, and what parses can be read by everything that reads packets.
pub fn view(octets: &[u8]) {
    let Ok(view) = PacketView::parse(octets) else { return };
    let sum: usize = view.attributes().map(|attribute| attribute.encoded_len()).sum();
    assert_eq!(sum + 20, view.as_bytes().len(), "the attributes fill the packet");
    assert_eq!(view.attributes().count(), view.attribute_count());
    assert_eq!(view.proxy_states().count(), view.proxy_state_count());
    assert_eq!(view.user_name(), view.attribute(kind::USER_NAME));
    assert_eq!(view.user_password(), view.attribute(kind::USER_PASSWORD));
    assert_eq!(view.chap_password(), view.attribute(kind::CHAP_PASSWORD));
    assert_eq!(view.state(), view.attribute(kind::STATE));
    assert_eq!(view.message_authenticator().map(|value| &value[..]), view.attribute(kind::MESSAGE_AUTHENTICATOR));
    assert_eq!(view.eap_len().is_some(), view.attribute(kind::EAP_MESSAGE).is_some());
    let secret = secret();
    for demand in [Demand::Required, Demand::IfPresent] {
        let Ok(request) = view.verify(&secret, demand) else { continue };
        let _ = (request.password(&secret), request.chap(), request.mschap(), request.mschap2(), request.eap());
        assert!(request.context().overhead() >= 38);
    }
}

/// What parses is written anew: the same attributes in the same order, Message-Authenticator first, and it verifies.
pub fn roundtrip(octets: &[u8]) {
    let Ok(view) = PacketView::parse(octets) else { return };
    request_again(&view);
    answer(&view);
}

/// Passwords, salted values, EAP, vendor and RFC 6929 attributes, names and log lines, over the same octets.
pub fn codecs(octets: &[u8]) {
    let (under, rest) = match octets.split_first_chunk::<16>() {
        Some((under, rest)) => (*under, rest),
        None => ([0x5a; 16], octets),
    };
    password(rest, &under);
    salted(rest, &under);
    let framed = frame(1, rest);
    if let Ok(view) = PacketView::parse(&framed) {
        inner(&view);
    }
    if let Ok(rule) = ReplyAttributes::new([rest]) {
        assert_eq!(rule.encoded_len(), rest.len());
        assert!(rule.attributes().all(|attribute| !is_the_writers(attribute.kind)));
    }
    assert!(!log_safe(octets).chars().any(char::is_control), "a log line stays one line");
}

/// Our view beside crate `radius`: what we accept it accepts, with the same attributes; where we are stricter it is for one of
/// the reasons of [`stricter_for`], which is looked up in what `radius` made of the packet, not believed.
pub fn differential(octets: &[u8]) {
    match (PacketView::parse(octets), Theirs::decode(octets, SECRET.as_bytes())) {
        (Ok(ours), Ok(theirs)) => {
            same(&ours, &theirs);
            same_password(&ours, &theirs);
        }
        (Ok(ours), Err(error)) => panic!("we accept {ours:?}, radius says: {error}"),
        (Err(malformed), Ok(theirs)) => {
            assert!(stricter_for(malformed, octets[0], &theirs), "no listed reason: {malformed:?}");
        }
        (Err(_), Err(_)) => {}
    }
}

/// The closed list of what we refuse and `radius` takes. Every other error of ours must be one of its errors too.
fn stricter_for(malformed: Malformed, code: u8, theirs: &Theirs) -> bool {
    let count = |kind| theirs.lookup_all(kind).len();
    let total = || (0..=u8::MAX).map(count).sum::<usize>();
    match malformed {
        // R11: it takes type 0, and makes every code that it does not know `Invalid`.
        Malformed::AttributeZero => count(0) > 0,
        Malformed::UnknownCode(unknown) => {
            unknown == code && matches!(theirs.get_code(), TheirCode::Invalid | TheirCode::Reserved)
        }
        // What may stand once (RFC 2865 §5.44, RFC 3579 §3.3).
        Malformed::DuplicateAttribute(kind) => matches!(kind, 1 | 2 | 3 | 24 | 80) && count(kind) > 1,
        Malformed::MessageAuthenticatorLength(octets) => {
            octets != 16 && theirs.lookup_all(80).iter().any(|value| value.encode_bytes().len() == octets)
        }
        Malformed::MixedCredentials => [2, 3, 70, 79].into_iter().filter(|kind| count(*kind) > 0).count() > 1,
        Malformed::TooManyAttributes => total() > ATTRIBUTE_COUNT_MAX,
        Malformed::TooShort(_)
        | Malformed::Length(_)
        | Malformed::Truncated(_)
        | Malformed::AttributeHeader
        | Malformed::AttributeLength(_)
        | Malformed::AttributeOverrun(_) => false,
    }
}

/// The same code, Identifier, authenticator and attributes, octet for octet and in order.
fn same(ours: &PacketView<'_>, theirs: &Theirs) {
    // Listed: `radius` does not know Protocol-Error (RFC 7930), and loses the number.
    let known = if ours.code() == Code::ProtocolError { 0 } else { ours.code().octet() };
    assert_eq!(theirs.get_code() as u8, known);
    assert_eq!(theirs.get_identifier(), ours.identifier());
    assert_eq!(theirs.get_authenticator(), ours.authenticator());
    // Its list is private. Encoded as an Access-Request, which it does not hash, the list comes out as it went in.
    let mut asked = ours.as_bytes().to_vec();
    asked[0] = Code::AccessRequest.octet();
    let again = Theirs::decode(&asked, SECRET.as_bytes()).and_then(|packet| packet.encode());
    assert_eq!(again.as_ref(), Ok(&asked), "the list of attributes");
    for attribute in ours.attributes() {
        let first = theirs.lookup(attribute.kind).map(|value| value.encode_bytes());
        assert_eq!(first.as_deref(), ours.attribute(attribute.kind));
    }
}

/// The same password, or one of the listed differences of R4.
fn same_password(ours: &PacketView<'_>, theirs: &Theirs) {
    let (Some(hidden), Some(value)) = (ours.user_password(), theirs.lookup(kind::USER_PASSWORD)) else { return };
    let revealed = reveal_password(hidden, &secret(), ours.authenticator());
    let theirs = value.encode_user_password(SECRET.as_bytes(), ours.authenticator());
    match (revealed, theirs) {
        // It cuts at the first NUL; we take off those at the end, because a password may hold one (RFC 2865 §5.2).
        (Ok(ours), Ok(theirs)) => {
            let cut = ours.expose().split(|octet| *octet == 0).next().unwrap_or_default();
            assert_eq!(theirs, cut);
        }
        (Ok(_), Err(error)) => panic!("we reveal what radius does not: {error}"),
        // It takes any length from 16 to 128; we want blocks.
        (Err(bad), Ok(_)) => assert!(bad.octets % 16 != 0),
        (Err(bad), Err(_)) => assert!(!(16..=128).contains(&bad.octets) || bad.octets % 16 != 0),
    }
}

fn request_again(view: &PacketView<'_>) {
    let kept = || view.attributes().filter(|attribute| attribute.kind != kind::MESSAGE_AUTHENTICATOR);
    let mut buffer = Datagram::new();
    let mut writer = RequestWriter::new(view.code(), view.identifier(), *view.authenticator(), &mut buffer);
    if kept().try_for_each(|attribute| writer.push(attribute)).is_err() {
        let octets = kept().map(|attribute| attribute.encoded_len()).sum::<usize>();
        // Message-Authenticator is one attribute more than came in.
        assert!(octets + 38 > 4096 || kept().count() == ATTRIBUTE_COUNT_MAX, "it fitted");
        return;
    }
    let sent = writer.sign(&secret());
    let again = PacketView::parse(sent.as_bytes()).expect("what we write parses");
    assert_eq!(sent.as_bytes()[20..22], [kind::MESSAGE_AUTHENTICATOR, 18]);
    assert!(again.attributes().skip(1).eq(kept()), "the same attributes in the same order");
    if matches!(view.code(), Code::AccessRequest | Code::StatusServer) {
        assert!(again.verify(&secret(), Demand::Required).is_ok(), "our own signature verifies");
    }
}

fn answer(view: &PacketView<'_>) {
    let Ok(asked) = view.verify(&secret(), Demand::IfPresent) else { return };
    let kept = || view.attributes().filter(|attribute| !is_the_writers(attribute.kind));
    let context = asked.context();
    let mut buffer = Datagram::new();
    let mut reply = context.reply(ReplyCode::Accept, &mut buffer);
    let fitted: Vec<Attribute<'_>> = kept().take_while(|attribute| reply.push(*attribute) != Err(Full)).collect();
    let Ok(signed) = reply.sign(&secret()) else {
        assert!(context.overhead() > 4096);
        return;
    };
    assert_eq!(signed.as_bytes()[20..22], [kind::MESSAGE_AUTHENTICATOR, 18]);
    let again = PacketView::parse(signed.as_bytes()).expect("what we write parses");
    assert!(again.proxy_states().eq(view.proxy_states()), "Proxy-States come back in order");
    assert!(again.attributes().filter(|attribute| !is_the_writers(attribute.kind)).eq(fitted));
    // What crate radius takes for authentic must be what we signed (R6: without padding, of which we write none).
    assert!(Theirs::is_authentic_response(signed.as_bytes(), view.as_bytes(), SECRET.as_bytes()));
}

fn password(octets: &[u8], under: &[u8; 16]) {
    if let Ok(plain) = reveal_password(octets, &secret(), under) {
        // A block of NULs at the end is padding that nobody needs, so it may come back shorter.
        let hidden = hide_password(&plain, &secret(), under);
        assert!(hidden.is_ok_and(|hidden| octets.starts_with(&hidden)));
    }
    let plain = Secret::new(octets);
    match hide_password(&plain, &secret(), under) {
        Ok(hidden) => assert_eq!(reveal_password(&hidden, &secret(), under), Ok(Secret::new(trimmed(octets)))),
        Err(Full) => assert!(octets.len() > 128),
    }
    let _ = chap_response(under[0], &plain, under);
}

fn salted(octets: &[u8], under: &[u8; 16]) {
    if let Some(plain) = reveal_salted(octets, &secret(), under) {
        assert!(plain.len() < octets.len());
    }
    let salt = [under[0] | 0x80, under[1]];
    if let Ok(hidden) = hide_salted(&Secret::new(octets), salt, &secret(), under) {
        assert_eq!(reveal_salted(&hidden, &secret(), under), Some(Secret::new(octets)));
    }
}

fn inner(view: &PacketView<'_>) {
    let _ = view.vendor_attributes().map(|inner| inner.value.len()).sum::<usize>();
    let joined: usize = view.extended_attributes().filter_map(|each| each.value).map(|value| value.len()).sum();
    assert!(joined < 4096);
    if let Ok(Some(message)) = eap_join(view) {
        assert_eq!(Some(message.len()), view.eap_len());
    }
    for attribute in view.attributes() {
        let line = Dictionary::embedded().describe(attribute);
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
}

/// These octets as the attributes of a packet, as many as fit.
fn frame(code: u8, attributes: &[u8]) -> Vec<u8> {
    let attributes = &attributes[..attributes.len().min(4076)];
    let [high, low] = u16::try_from(attributes.len() + 20).unwrap_or(4096).to_be_bytes();
    [&[code, 7, high, low][..], &[0x5a; 16], attributes].concat()
}

fn trimmed(octets: &[u8]) -> &[u8] {
    let end = octets.iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1);
    &octets[..end]
}

/// Message-Authenticator and Proxy-State are never a caller's to write.
fn is_the_writers(kind: u8) -> bool {
    matches!(kind, kind::MESSAGE_AUTHENTICATOR | kind::PROXY_STATE)
}

fn secret() -> SharedSecret {
    SharedSecret::new(Secret::new(SECRET))
}
