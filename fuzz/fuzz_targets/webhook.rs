//! Webhook requests of any bytes.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kling_omni_properties::webhook(data));
