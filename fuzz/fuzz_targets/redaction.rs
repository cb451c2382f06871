//! Secrets in any text.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kling_omni_properties::redaction(data));
