//! Correlation tokens in webhook URLs.

use std::collections::HashSet;

use kling_omni::ErrorKind;
use kling_omni::webhook::correlation::{self, PARAMETER, Token};
use kling_omni_test_support::virtual_clock::VirtualClock;

use super::{START, receiver, signed, task};

#[test]
fn token_is_added_to_the_query() {
    let token = Token::new("tok_1").unwrap();
    let old = format!("{PARAMETER}=old");
    for (url, expected) in [
        ("https://h.example", "https://h.example/?P=tok_1"),
        ("https://h.example/hook?", "https://h.example/hook?P=tok_1"),
        (
            "http://h.example:8443/hook?a=%2F+b&&c#part",
            "http://h.example:8443/hook?a=%2F+b&c&P=tok_1#part",
        ),
        (
            &format!("https://h.example/?{old}&a=1&kling%2Domni-correlation=x"),
            "https://h.example/?a=1&P=tok_1",
        ),
    ] {
        let attached = correlation::attach(url, &token).unwrap();
        assert_eq!(attached, expected.replace('P', PARAMETER));
        assert_eq!(correlation::attach(&attached, &token).unwrap(), attached);
    }
    for url in ["", "h.example/hook", "ftp://h.example/?t=canary", "http://"] {
        let error = correlation::attach(url, &token).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Validation, "{url}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}

#[test]
fn delivery_returns_the_token() {
    let ours = |value: &str| format!("{PARAMETER}={value}");
    let long = "x".repeat(65);
    for (query, expected) in [
        (None, None),
        (Some(String::new()), None),
        (Some("other=1".to_owned()), None),
        (Some(ours("tok-1")), Some("tok-1")),
        (Some(format!("a=1&{}&b", ours("tok%2D1"))), Some("tok-1")),
        (Some(format!("{0}&{0}", ours("same"))), Some("same")),
        (Some(format!("{}&{}", ours("one"), ours("two"))), None),
        (Some(ours("")), None),
        (Some(ours("a b")), None),
        (Some(ours("%ff")), None),
        (Some(ours(&long)), None),
    ] {
        let receiver = receiver(&VirtualClock::new()).build();
        let body = task("a", "CREATED", &[]);
        let headers = signed("msg", START, &body);
        let received = receiver
            .receive(&headers, query.as_deref(), body.as_bytes())
            .unwrap();
        let token = received.delivery().correlation().map(Token::as_str);
        assert_eq!(token, expected, "{query:?}");
    }
}

#[test]
fn random_tokens_differ_and_serialise() {
    let tokens: HashSet<_> = (0..100).map(|_| Token::random().unwrap()).collect();
    assert_eq!(tokens.len(), 100);
    for token in tokens {
        assert_eq!(token.as_str().len(), 32);
        assert_eq!(Token::new(token.to_string()).unwrap(), token);
    }
    for text in ["", "a b", "a&b", "ä"] {
        let error = Token::new(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Validation, "{text:?}");
    }
}
