//! What we write, beside what crate `radius` writes and believes.

use radius::core::avp::AVP;
use radius::core::code::Code as TheirCode;
use radius::core::packet::Packet;
use wire::{
    Attribute, Code, Datagram, Demand, PacketView, ReplyCode, RequestWriter, Secret, SentRequest, hide_password, kind,
};

use crate::{SECRET, secret};

fn asked() -> SentRequest {
    let mut buffer = Datagram::new();
    let mut writer = RequestWriter::new(Code::AccessRequest, 7, [0x5a; 16], &mut buffer);
    writer.push(Attribute::new(kind::USER_NAME, b"alice")).unwrap();
    writer.push_password(&Secret::new("hunter2"), &secret()).unwrap();
    writer.push(Attribute::new(kind::PROXY_STATE, b"hop")).unwrap();
    writer.sign(&secret())
}

fn codes() -> [(ReplyCode, TheirCode); 3] {
    [
        (ReplyCode::Accept, TheirCode::AccessAccept),
        (ReplyCode::Reject, TheirCode::AccessReject),
        (ReplyCode::Challenge, TheirCode::AccessChallenge),
    ]
}

#[test]
fn passwords_are_hidden_as_radius_hides_them() {
    for length in 0..=128 {
        let plain: Vec<u8> = (1..=255).cycle().take(length).collect();
        let under = [u8::try_from(length).unwrap(); 16];
        let theirs = AVP::from_user_password(2, &plain, SECRET.as_bytes(), &under).unwrap();
        assert_eq!(hide_password(&Secret::new(plain), &secret(), &under).unwrap(), theirs.encode_bytes());
    }
    assert!(AVP::from_user_password(2, &[1; 129], SECRET.as_bytes(), &[0; 16]).is_err());
    assert!(hide_password(&Secret::new([1; 129]), &secret(), &[0; 16]).is_err());
}

#[test]
fn replies_are_signed_as_radius_signs_them() {
    let request = asked();
    let context = PacketView::parse(request.as_bytes()).unwrap().verify(&secret(), Demand::Required).unwrap().context();
    for (code, theirs) in codes() {
        let mut buffer = Datagram::new();
        let mut reply = context.reply(code, &mut buffer);
        reply.push(Attribute::new(kind::REPLY_MESSAGE, b"hello")).unwrap();
        let signed = reply.sign(&secret()).unwrap();
        // Message-Authenticator is opaque to radius (R2): given ours, its Response Authenticator must be ours.
        let view = PacketView::parse(signed.as_bytes()).unwrap();
        let asked = Packet::decode(request.as_bytes(), SECRET.as_bytes()).unwrap();
        let mut built = asked.make_response_packet(theirs);
        view.attributes().for_each(|attribute| built.add(AVP::from_bytes(attribute.kind, attribute.value)));
        assert_eq!(built.encode().unwrap(), signed.as_bytes());
        assert!(Packet::is_authentic_response(signed.as_bytes(), request.as_bytes(), SECRET.as_bytes()));
        assert!(view.verify_reply(&secret(), &request, Demand::Required).is_ok());
    }
}

#[test]
fn message_authenticator_is_the_first_attribute_of_all_that_we_write() {
    let first = |octets: &[u8]| octets[20..22].to_vec();
    let request = asked();
    assert_eq!(first(request.as_bytes()), [80, 18]);
    let context = PacketView::parse(request.as_bytes()).unwrap().verify(&secret(), Demand::Required).unwrap().context();
    for (code, _) in codes() {
        let mut buffer = Datagram::new();
        let mut reply = context.reply(code, &mut buffer);
        // One that is pushed is left out: the writer's own is the only one.
        reply.push(Attribute::new(kind::MESSAGE_AUTHENTICATOR, &[1; 16])).unwrap();
        let signed = reply.sign(&secret()).unwrap();
        assert_eq!(first(signed.as_bytes()), [80, 18]);
        let count = PacketView::parse(signed.as_bytes()).unwrap().attributes().filter(|a| a.kind == 80).count();
        assert_eq!(count, 1);
    }
}

/// R6: it hashes the padding too, and so refuses a reply that RFC 2865 §3 wants taken.
#[test]
fn a_padded_reply_is_believed_by_us_alone() {
    let request = asked();
    let context = PacketView::parse(request.as_bytes()).unwrap().verify(&secret(), Demand::Required).unwrap().context();
    let mut buffer = Datagram::new();
    let signed = context.reply(ReplyCode::Accept, &mut buffer).sign(&secret()).unwrap();
    let padded = [signed.as_bytes(), &[0, 0]].concat();
    assert!(PacketView::parse(&padded).unwrap().verify_reply(&secret(), &request, Demand::Required).is_ok());
    assert!(!Packet::is_authentic_response(&padded, request.as_bytes(), SECRET.as_bytes()));
}
