//! Reading and writing one Access-Request of 150 octets, beside crate `radius` 0.4.0 doing what it can of the same.
//!
//! Read the columns as ratios within one run. Not the same work: `radius` neither makes nor checks a Message-Authenticator,
//! so its `decode` stands beside our parse alone, and our HMAC comes on top. Allocations are counted beside the times.

#![allow(clippy::expect_used, unreachable_pub, reason = "a bench that can't go on should stop")]

use divan::{AllocProfiler, Bencher, black_box};
use radius::core::avp::AVP;
use radius::core::code::Code as TheirCode;
use radius::core::packet::Packet;
use wire::{Datagram, Demand, PacketView, ReplyCode, Secret, kind};

mod request;

#[global_allocator]
static HEAP: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

#[divan::bench_group(name = "1 read", sample_size = 1000)]
mod read {
    use super::*;

    #[divan::bench]
    fn our_parse(bencher: Bencher<'_, '_>) {
        let request = request::request(&request::secret());
        bencher.bench(|| PacketView::parse(black_box(request.as_bytes())).expect("it was written here"));
    }

    #[divan::bench]
    fn radius_decode(bencher: Bencher<'_, '_>) {
        let request = request::request(&request::secret());
        bencher.bench(|| Packet::decode(black_box(request.as_bytes()), request::SECRET.as_bytes()));
    }

    /// As `radius_decode`, with the packet dropped at once, as in use: what a bench returns is kept until its sample ends, and
    /// a thousand owned packets kept make `radius` look slower than it is.
    #[divan::bench]
    fn radius_decode_and_drop(bencher: Bencher<'_, '_>) {
        let request = request::request(&request::secret());
        bencher.bench(|| Packet::decode(black_box(request.as_bytes()), request::SECRET.as_bytes()).is_ok());
    }

    #[divan::bench]
    fn our_parse_and_verify(bencher: Bencher<'_, '_>) {
        let secret = request::secret();
        let request = request::request(&secret);
        bencher.bench(|| request::verified(black_box(request.as_bytes()), &secret));
    }

    #[divan::bench]
    fn our_parse_and_every_attribute(bencher: Bencher<'_, '_>) {
        let request = request::request(&request::secret());
        bencher.bench(|| {
            let view = PacketView::parse(black_box(request.as_bytes())).expect("it was written here");
            view.attributes().map(|attribute| usize::from(attribute.kind) + attribute.value.len()).sum::<usize>()
        });
    }

    #[divan::bench]
    fn our_parse_verify_and_password(bencher: Bencher<'_, '_>) {
        let secret = request::secret();
        let request = request::request(&secret);
        bencher.bench(|| request::verified(black_box(request.as_bytes()), &secret).password(&secret));
    }

    #[divan::bench]
    fn radius_decode_and_password(bencher: Bencher<'_, '_>) {
        let request = request::request(&request::secret());
        bencher.bench(|| {
            let packet = Packet::decode(black_box(request.as_bytes()), request::SECRET.as_bytes()).expect("a packet");
            let hidden = packet.lookup(kind::USER_PASSWORD).expect("it has one");
            hidden.encode_user_password(request::SECRET.as_bytes(), packet.get_authenticator())
        });
    }
}

#[divan::bench_group(name = "2 write", sample_size = 1000)]
mod write {
    use super::*;

    #[divan::bench]
    fn our_request_signed(bencher: Bencher<'_, '_>) {
        let (secret, password) = (request::secret(), Secret::new("hunter2"));
        let mut buffer = Datagram::new();
        bencher.bench_local(|| request::signed(black_box(&password), &secret, &mut buffer));
    }

    #[divan::bench]
    fn radius_request_encoded() -> Vec<u8> {
        let secret = request::SECRET.as_bytes();
        let mut packet = Packet::new_with_identifier(TheirCode::AccessRequest, secret, 7);
        packet.add(AVP::from_bytes(kind::MESSAGE_AUTHENTICATOR, &[0; 16]));
        request::BEFORE.iter().for_each(|attribute| packet.add(AVP::from_bytes(attribute.kind, attribute.value)));
        let password = AVP::from_user_password(kind::USER_PASSWORD, b"hunter2", secret, packet.get_authenticator());
        packet.add(password.expect("a short password"));
        let vendor = [&[0, 0, 0, 9, 1, 28][..], request::CISCO_AV_PAIR].concat();
        packet.add(AVP::from_bytes(kind::VENDOR_SPECIFIC, &vendor));
        packet.add(AVP::from_bytes(request::PROXY_STATE.kind, request::PROXY_STATE.value));
        packet.encode().expect("150 octets")
    }

    #[divan::bench]
    fn our_reply_signed(bencher: Bencher<'_, '_>) {
        let secret = request::secret();
        let request = request::request(&secret);
        let context = request::verified(request.as_bytes(), &secret).context();
        let mut buffer = Datagram::new();
        bencher.bench_local(|| {
            let reply = black_box(&context).reply(ReplyCode::Accept, &mut buffer);
            reply.sign(&secret).map(|signed| signed.as_bytes().len())
        });
    }

    #[divan::bench]
    fn radius_reply_encoded(bencher: Bencher<'_, '_>) {
        let request = request::request(&request::secret());
        let asked = Packet::decode(request.as_bytes(), request::SECRET.as_bytes()).expect("a packet");
        bencher.bench(|| {
            let mut reply = black_box(&asked).make_response_packet(TheirCode::AccessAccept);
            reply.add(AVP::from_bytes(kind::MESSAGE_AUTHENTICATOR, &[0; 16]));
            reply.add(AVP::from_bytes(request::PROXY_STATE.kind, request::PROXY_STATE.value));
            reply.encode().expect("a reply")
        });
    }

    /// The reply as the primary's lane reads it: Identifier, code, both authenticators.
    #[divan::bench]
    fn our_reply_verified(bencher: Bencher<'_, '_>) {
        let secret = request::secret();
        let request = request::request(&secret);
        let context = request::verified(request.as_bytes(), &secret).context();
        let mut buffer = Datagram::new();
        let signed = context.reply(ReplyCode::Accept, &mut buffer).sign(&secret).expect("it fits");
        bencher.bench_local(|| {
            let view = PacketView::parse(black_box(signed.as_bytes())).expect("it was written here");
            view.verify_reply(&secret, &request, Demand::Required).is_ok()
        });
    }
}
