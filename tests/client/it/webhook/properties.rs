//! Only deliveries that were signed with the secret are accepted.

use std::time::Duration;

use kling_omni::reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use kling_omni::webhook::{Verifier, WebhookErrorKind, WebhookReceiver};
use kling_omni_test_support::virtual_clock::VirtualClock;
use proptest::prelude::*;

use super::{SECRET, START, at, receiver, secret, signed};

const NAMES: [&str; 4] = [
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "content-type",
];

fn header() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    let value = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        "[0-9]{0,22}".prop_map(String::into_bytes),
        "(v[0-9],[A-Za-z0-9+/]{0,44}={0,2} ?){0,3}".prop_map(String::into_bytes),
    ];
    (proptest::sample::select(NAMES.to_vec()), value)
}

proptest! {
    #[test]
    fn unsigned_deliveries_are_rejected(
        fields in proptest::collection::vec(header(), 0..6),
        query in proptest::option::of(".{0,60}"),
        body in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
        let receiver: WebhookReceiver = receiver(&VirtualClock::new()).build();
        let error = receiver.receive(&headers, query.as_deref(), &body).unwrap_err();
        prop_assert!(error.status() >= 400, "{}", error);
    }

    #[test]
    fn authentic_bodies_are_read_or_rejected(body in json_like(), query in ".{0,60}") {
        let receiver = receiver(&VirtualClock::new()).build();
        match receiver.receive(&signed("msg", START, &body), Some(&query), body.as_bytes()) {
            Ok(received) => {
                let state = received.delivery().state();
                prop_assert_eq!(receiver.state(state.id()), Some(state.clone()));
            }
            Err(error) => prop_assert_eq!(error.kind(), WebhookErrorKind::BodyUnreadable),
        }
    }

    #[test]
    fn one_changed_bit_is_rejected(
        id in "[!-~]{1,40}",
        age in 0..300_u64,
        body in proptest::collection::vec(any::<u8>(), 0..200),
        part in 0..4_usize,
        position in any::<proptest::sample::Index>(),
    ) {
        let sent_at = START - age;
        let signature = secret(SECRET).sign(&id, at(sent_at), &body);
        let mut parts = [id.into_bytes(), sent_at.to_string().into_bytes(), signature.into_bytes(), body];
        let verifier = Verifier::new(secret(SECRET)).tolerance(Duration::MAX);
        prop_assert_eq!(accepts(&verifier, &parts), Some(true));
        let part = if parts[part].is_empty() { 0 } else { part };
        let bit = position.index(parts[part].len() * 8);
        parts[part][bit / 8] ^= 1 << (bit % 8);
        // Some changes result in bytes that a header cannot contain.
        prop_assert_ne!(accepts(&verifier, &parts), Some(true));
    }
}

/// Whether a delivery with id, timestamp, signature and body is accepted; `None` if a request cannot have these
/// headers.
fn accepts(verifier: &Verifier, [id, timestamp, signature, body]: &[Vec<u8>; 4]) -> Option<bool> {
    let mut headers = HeaderMap::new();
    for (name, value) in NAMES.into_iter().zip([id, timestamp, signature]) {
        let value = HeaderValue::from_bytes(value).ok()?;
        headers.insert(HeaderName::from_static(name), value);
    }
    Some(verifier.verify(&headers, body, at(START)).is_ok())
}

fn json_like() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        Just("7".to_owned()),
        Just("\"COMPLETED\"".to_owned()),
        "\"[a-z./?=]{0,9}\"",
    ];
    let list = proptest::collection::vec(scalar.clone(), 0..3)
        .prop_map(|items| format!("[{}]", items.join(",")));
    let name = proptest::sample::select(vec!["task_id", "status", "generated", "error", "data"]);
    let object =
        proptest::collection::vec((name, prop_oneof![scalar, list]), 0..6).prop_map(|fields| {
            let fields: Vec<_> = fields
                .iter()
                .map(|(name, value)| format!("\"{name}\":{value}"))
                .collect();
            format!("{{{}}}", fields.join(","))
        });
    (object, any::<bool>()).prop_map(|(object, wrapped)| {
        if wrapped {
            format!("{{\"data\":{object}}}")
        } else {
            object
        }
    })
}
