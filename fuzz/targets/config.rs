//! libFuzzer's way into the configuration's parser: any text at all ends in a configuration or in mistakes that can be shown,
//! without a panic and without a look at any file. `tests/wire` feeds it the committed files, cut anywhere.

#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    if let Ok(text) = std::str::from_utf8(octets) {
        vestibule::config::fuzz_parse(text);
    }
});
