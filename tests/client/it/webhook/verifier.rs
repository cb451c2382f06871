//! Verification of signatures, and parsing of secrets.

use std::time::Duration;

use kling_omni::ErrorKind;
use kling_omni::reqwest::header::{HeaderMap, HeaderValue};
use kling_omni::webhook::{Secret, Verifier, WebhookError, WebhookErrorKind};

use super::{SECRET, START, at, headers, secret, signed};

/// Signatures of other implementations of HMAC and base64, following the description of the scheme.
#[test]
fn known_signatures_are_accepted() {
    const LIBRARY_KEY: &str = "C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const LIBRARY_ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
    const LIBRARY_BODY: &str = r#"{"email":"test@example.com","username":"test_user"}"#;
    let prefixed = format!("whsec_{LIBRARY_KEY}");
    let cases = [
        (
            "UTF-8 bytes",
            secret("sandbox-webhook-secret"),
            "msg_1",
            START,
            r#"{"task_id":"a","status":"IN_PROGRESS","generated":[]}"#,
            "v1,x90iQ6nIgQ9QNMM6huQ3XcqS00XGKxVh4erE9KgksVA=",
        ),
        (
            "letters beyond ASCII in the secret and the body",
            secret("schlüssel\n"),
            "msg_2",
            START,
            r#"{"task_id":"a","status":"FAILED","generated":[],"error":"zu groß"}"#,
            "v1,vac3oaV3Gdf1vSOafH34+hI7aIDVHHEfONIlANx+Xx4=",
        ),
        (
            "an empty body",
            Secret::from_bytes(*b"s3cret").unwrap(),
            "msg_3",
            START,
            "",
            "v1,y0NGJoB9XmZ25oIKgWJHMeXLYf7xa1D0VGZO6BA65TA=",
        ),
        (
            "base64 by its prefix, as published with the scheme",
            secret(&prefixed),
            LIBRARY_ID,
            1_649_367_553,
            LIBRARY_BODY,
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        ),
        (
            "explicit base64",
            Secret::from_base64(LIBRARY_KEY).unwrap(),
            LIBRARY_ID,
            1_649_367_553,
            LIBRARY_BODY,
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        ),
        (
            "the same text as UTF-8 bytes",
            secret(LIBRARY_KEY),
            LIBRARY_ID,
            1_649_367_553,
            LIBRARY_BODY,
            "v1,h4qX9FKaAseJeepyR4bu2aQDOFPAVQpYe6yuWRsWhwE=",
        ),
    ];
    for (case, secret, id, sent_at, body, signature) in cases {
        let body = body.as_bytes();
        assert_eq!(secret.sign(id, at(sent_at), body), signature, "{case}");
        let headers = headers(id, &sent_at.to_string(), signature);
        let verified = Verifier::new(secret)
            .verify(&headers, body, at(sent_at))
            .unwrap_or_else(|error| panic!("{case}: {error}"));
        assert_eq!((verified.id(), verified.sent_at()), (id, at(sent_at)));
    }
}

/// A verifier accepts the headers for sending. Both reject an id that a request cannot contain.
#[test]
fn sign_creates_headers_for_valid_ids() {
    let longest = "x".repeat(256);
    for (id, is_one) in [
        ("msg_1", true),
        ("a b.c", true),
        (longest.as_str(), true),
        ("", false),
        (" msg", false),
        ("msg\t", false),
        ("m\nsg", false),
        ("nachricht-ä", false),
        (&format!("{longest}x"), false),
    ] {
        match secret(SECRET).headers(id, at(START), b"{}") {
            Ok(headers) => {
                assert!(is_one, "{id:?}");
                assert_eq!(headers.len(), 3, "{id:?}");
                let verified = Verifier::new(secret(SECRET)).verify(&headers, b"{}", at(START));
                assert_eq!(verified.unwrap().id(), id);
            }
            Err(error) => {
                assert!(!is_one, "{id:?}");
                assert_eq!(error.kind(), ErrorKind::Validation, "{id:?}");
            }
        }
    }
}

#[test]
fn hexadecimal_key_is_explicit() {
    let key = Secret::from_bytes(*b"s3cret").unwrap();
    let text = Secret::from_bytes(*b"733363726574").unwrap();
    let signed = |secret: &Secret| secret.sign("msg_1", at(START), b"{}");
    for (secret, same) in [
        (Secret::new("hex:733363726574"), &key),
        (Secret::new(" hex:73336372657 4".replace(' ', "")), &key),
        (Secret::from_hex("733363726574\n"), &key),
        (Secret::from_hex("hex:733363726574"), &key),
        // A text that only looks hexadecimal is a text.
        (Secret::new("733363726574"), &text),
    ] {
        assert_eq!(signed(&secret.unwrap()), signed(same));
    }
}

#[test]
fn invalid_secrets_are_rejected() {
    type Make = fn(&str) -> kling_omni::Result<Secret>;
    let new: Make = |text| Secret::new(text);
    let base64: Make = |text| Secret::from_base64(text);
    let hex: Make = |text| Secret::from_hex(text);
    for (make, text) in [
        (new, ""),
        (new, " \n"),
        (new, "whsec_"),
        (new, "whsec_canary*"),
        (new, "whsec_bmVlZGxl="),
        (new, "\"whsec_bmVlZGxl\""),
        (new, "'canary'"),
        (new, "v1,whsec_bmVlZGxl"),
        (new, "v1,canary"),
        (new, "v1a=canary"),
        (new, "WHSEC_bmVlZGxl"),
        (new, "SECRET=whsec_bmVlZGxl"),
        (new, "KLING_OMNI_WEBHOOK_SECRET=canary"),
        (new, "canary canary"),
        (new, "canary\r\ncanary"),
        (new, "\u{feff}canary"),
        (new, "hex:canary"),
        (new, "hex:"),
        (hex, "6e6"),
        (hex, "0x6e65"),
        (hex, "+6e"),
        (hex, "６e"),
        (hex, ""),
        (base64, "canary canary"),
        (base64, ""),
        // Trailing bits: another text for the same key.
        (base64, "bmVlZGx="),
    ] {
        let error = make(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{text:?}");
        assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    }
}

fn verify(headers: &HeaderMap, now: u64) -> Result<(), WebhookError> {
    let verifier = Verifier::new(secret(SECRET));
    verifier.verify(headers, b"{}", at(now)).map(drop)
}

#[test]
fn tolerance_is_inclusive_in_both_directions() {
    let headers = signed("msg", START, "{}");
    let nano = Duration::from_nanos(1);
    let cases = [
        (300, START, Ok(())),
        (300, START + 300, Ok(())),
        (300, START - 300, Ok(())),
        (300, START + 301, Err(WebhookErrorKind::TooOld)),
        (300, START - 301, Err(WebhookErrorKind::TooNew)),
        (300, 0, Err(WebhookErrorKind::TooNew)),
        (0, START, Ok(())),
        (0, START + 1, Err(WebhookErrorKind::TooOld)),
        (0, START - 1, Err(WebhookErrorKind::TooNew)),
        (u64::MAX, 0, Ok(())),
    ];
    for (tolerance, now, expected) in cases {
        let verifier = Verifier::new(secret(SECRET)).tolerance(Duration::from_secs(tolerance));
        let verified = verifier.verify(&headers, b"{}", at(now));
        let verified = verified.map(drop).map_err(|error| error.kind());
        assert_eq!(verified, expected, "{tolerance} s, at {now}");
    }
    let verifier = Verifier::new(secret(SECRET));
    for (now, kind) in [
        (at(START + 300) + nano, WebhookErrorKind::TooOld),
        (at(START - 300) - nano, WebhookErrorKind::TooNew),
    ] {
        let error = verifier.verify(&headers, b"{}", now).unwrap_err();
        assert_eq!(error.kind(), kind);
    }
}

#[test]
fn any_signature_may_match_any_secret() {
    let (old, new, other) = (secret("old"), secret("new"), secret("other"));
    let verifier = Verifier::new(new.clone()).add_secret(old.clone());
    let sign = |secret: &Secret| secret.sign("msg", at(START), b"{}");
    let (old, new, other) = (sign(&old), sign(&new), sign(&other));
    let cases = [
        (old.clone(), true),
        (new.clone(), true),
        (other.clone(), false),
        (format!("{other} {old}"), true),
        (format!("{new} {other}"), true),
        (format!("v2,future  {other}\tv1a,x= {new}"), true),
        (format!("v1,not-base64 v1, {old}"), true),
        (format!("{other} {other} v1,"), false),
        // One signature must match completely, not parts of several.
        (format!("{old},{old}"), false),
        (old.replace("v1,", "v1,v1,"), false),
        (old.trim_end_matches('=').to_owned(), false),
    ];
    for (signatures, fits) in cases {
        let headers = headers("msg", &START.to_string(), &signatures);
        let verified = verifier.verify(&headers, b"{}", at(START));
        assert_eq!(verified.is_ok(), fits, "{signatures}");
        if let Err(error) = verified {
            assert_eq!(error.kind(), WebhookErrorKind::BadSignature, "{signatures}");
        }
    }
}

#[test]
fn missing_or_malformed_headers_are_rejected() {
    let good = signed("msg", START, "{}");
    let signature = good["webhook-signature"].to_str().unwrap().to_owned();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let mut missing = good.clone();
        missing.remove(name);
        let error = verify(&missing, START).unwrap_err();
        assert_eq!(error.kind(), WebhookErrorKind::MissingHeader, "{name}");
        assert!(error.summary().contains(name), "{error}");

        let mut twice = good.clone();
        twice.append(name, good[name].clone());
        let mut binary = good.clone();
        binary.insert(name, HeaderValue::from_bytes(b"\xff").unwrap());
        for headers in [twice, binary] {
            let error = verify(&headers, START).unwrap_err();
            assert_eq!(error.kind(), WebhookErrorKind::MalformedHeader, "{name}");
        }
    }
    let malformed = WebhookErrorKind::MalformedHeader;
    let long = "x".repeat(257);
    let seconds = START.to_string();
    for (id, timestamp, signature, kind) in [
        ("", seconds.as_str(), signature.as_str(), malformed),
        (&long, &seconds, &signature, malformed),
        ("msg", "", &signature, malformed),
        ("msg", "now", &signature, malformed),
        ("msg", "-1", &signature, malformed),
        ("msg", "+1800000000", &signature, malformed),
        ("msg", "1800000000.0", &signature, malformed),
        ("msg", "18446744073709551615", &signature, malformed),
        ("msg", "99999999999999999999", &signature, malformed),
        ("msg", &seconds, "", malformed),
        ("msg", &seconds, "v1", malformed),
        ("msg", &seconds, "v2,x", WebhookErrorKind::UnknownVersion),
        ("msg", &seconds, ",", WebhookErrorKind::UnknownVersion),
        ("msg", &seconds, "v1,", WebhookErrorKind::BadSignature),
        (
            "msg",
            "01800000000",
            &signature,
            WebhookErrorKind::BadSignature,
        ),
        ("msh", &seconds, &signature, WebhookErrorKind::BadSignature),
    ] {
        let error = verify(&headers(id, timestamp, signature), START).unwrap_err();
        assert_eq!(error.kind(), kind, "{id:?} {timestamp:?} {signature:?}");
    }
}

#[test]
fn errors_have_help_and_no_secrets() {
    let texts: Vec<_> = [
        (signed("msg", START, "other body"), START),
        (signed("msg", START, "{}"), START + 412),
        (signed("msg", START, "{}"), START - 412),
        (headers("msg", "1800000000", "v9,canary"), START),
        (HeaderMap::new(), START),
    ]
    .iter()
    .map(|(headers, now)| {
        let error = verify(headers, *now).unwrap_err();
        let debug = format!("{error:?} {:?}", Verifier::new(secret(SECRET)));
        assert!(!format!("{error} {debug}").contains("canary"), "{debug}");
        format!("{} {error}", error.status())
    })
    .collect();
    assert_eq!(
        texts,
        [
            "401 the signature does not match any secret",
            "401 the delivery is too old: 412.0 s (tolerance 300 s)",
            "401 the delivery is in the future: 412.0 s (tolerance 300 s)",
            "400 no signature of version v1",
            "400 the request has no `webhook-id` header",
        ]
    );
}
