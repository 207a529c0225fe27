//! The view allocates nothing: parsing a packet, verifying it and asking it everything that borrows. A heap profiler that is
//! the allocator of this whole test binary counts, and so the binary holds one test.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that can't go on should stop")]

use std::hint::black_box;

use wire::{Code, Datagram, Demand, PacketView, ReplyCode, RequestWriter, SharedSecret, kind};

#[path = "../benches/request.rs"]
#[allow(dead_code, unreachable_pub, reason = "the benches use the rest")]
mod request;

#[global_allocator]
static HEAP: dhat::Alloc = dhat::Alloc;

#[test]
fn a_request_of_150_octets_is_parsed_verified_and_read_without_an_allocation() {
    let secret = request::secret();
    let request = request::request(&secret).as_bytes().to_vec();
    let reply = reply(&request, &secret);
    let sent = sent(&secret);
    let profiler = dhat::Profiler::builder().testing().build();
    let before = dhat::HeapStats::get();
    for _ in 0..100 {
        read(&request, &secret);
        assert!(PacketView::parse(&request[..149]).is_err());
        black_box(PacketView::parse(&reply).unwrap().verify_reply(&secret, &sent, Demand::Required)).ok();
    }
    let after = dhat::HeapStats::get();
    assert_eq!(after.total_blocks - before.total_blocks, 0);
    // The counter counts: a password is owned, because it is wiped.
    let view = PacketView::parse(&request).unwrap().verify(&secret, Demand::Required).unwrap();
    black_box(view.password(&secret).unwrap());
    assert!(dhat::HeapStats::get().total_blocks > after.total_blocks);
    drop(profiler);
}

/// Parse, verify, and every accessor that borrows.
fn read(octets: &[u8], secret: &SharedSecret) {
    let view = PacketView::parse(octets).unwrap();
    let request = view.verify(secret, Demand::Required).unwrap();
    black_box((view.code(), view.identifier(), view.authenticator(), view.as_bytes(), view.attribute_count()));
    black_box((view.user_name(), view.user_password(), view.chap_password(), view.state(), view.eap_len()));
    black_box((view.message_authenticator(), view.proxy_state_count(), view.attribute(kind::CALLING_STATION_ID)));
    view.attributes().for_each(|attribute| {
        black_box(attribute);
    });
    view.proxy_states().for_each(|value| {
        black_box(value);
    });
    view.vendor_attributes().for_each(|inner| {
        black_box(inner);
    });
    black_box(view.vendor(9, 1));
    black_box((request.chap(), request.mschap().is_some(), request.mschap2().is_some())).0.ok();
}

fn sent(secret: &SharedSecret) -> wire::SentRequest {
    let mut buffer = Datagram::new();
    RequestWriter::new(Code::AccessRequest, 7, [0x5a; 16], &mut buffer).sign(secret)
}

fn reply(request: &[u8], secret: &SharedSecret) -> Vec<u8> {
    let context = PacketView::parse(request).unwrap().verify(secret, Demand::Required).unwrap().context();
    let mut buffer = Datagram::new();
    context.reply(ReplyCode::Accept, &mut buffer).sign(secret).unwrap().as_bytes().to_vec()
}
