//! Whether a video that streams past is whole, for any bytes.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kling_omni_properties::completeness(data));
