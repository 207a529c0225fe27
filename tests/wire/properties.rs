//! The fuzz targets' functions over octets that proptest draws: packets, packets with octets changed, and noise.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::{attributes, bodies, packet};

/// Octets that look like a packet often enough to get past the header, and break each rule of the list now and then.
fn datagrams() -> impl Strategy<Value = Vec<u8>> {
    let kind =
        prop_oneof![any::<u8>(), prop::sample::select(vec![0_u8, 1, 2, 3, 24, 26, 33, 69, 70, 79, 80, 241, 245])];
    let length = prop_oneof![0..40_usize, Just(16_usize), Just(0_usize)];
    let value = length.prop_flat_map(|length| vec(any::<u8>(), length));
    let list = prop_oneof![9 => vec((kind, value), 0..12), 1 => vec((any::<u8>(), Just(Vec::new())), 190..210)];
    let code = prop_oneof![4 => Just(1_u8), 4 => 0..=53_u8, 1 => any::<u8>()];
    let whole = (code, list).prop_map(|(code, list)| {
        let list: Vec<(u8, &[u8])> = list.iter().map(|(kind, value)| (*kind, &value[..])).collect();
        packet(code, &attributes(&list))
    });
    let changed =
        (whole.clone(), vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)).prop_map(|(mut bytes, list)| {
            for (at, octet) in list {
                let at = at.index(bytes.len());
                bytes[at] = octet;
            }
            bytes
        });
    let padded = (whole.clone(), vec(any::<u8>(), 1..9)).prop_map(|(bytes, padding)| [bytes, padding].concat());
    prop_oneof![1 => vec(any::<u8>(), 0..200), 4 => whole, 3 => changed, 1 => padded]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn radius_reads_what_we_read_or_the_difference_is_listed(octets in datagrams()) {
        bodies::differential(&octets);
    }

    #[test]
    fn what_is_read_is_written_again(octets in datagrams()) {
        bodies::view(&octets);
        bodies::roundtrip(&octets);
    }

    #[test]
    fn every_codec_bears_any_octets(octets in datagrams()) {
        bodies::codecs(&octets);
        bodies::codecs(octets.get(20..).unwrap_or_default());
    }
}
