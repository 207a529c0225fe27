//! libFuzzer's way into [`bodies::codecs`]: what it does and asserts is said there.

#![no_main]
#![allow(dead_code, reason = "each target uses one body of the shared file")]

#[path = "../bodies.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| bodies::codecs(octets));
