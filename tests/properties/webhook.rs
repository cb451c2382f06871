//! Requests to the webhook endpoint.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kling_omni::clock::Clock;
use kling_omni::clock::Sleep;
use kling_omni::polling::TaskState;
use kling_omni::reqwest::Url;
use kling_omni::reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use kling_omni::webhook::correlation::{self, Token};
use kling_omni::webhook::{
    Received, Secret, Verified, Verifier, WebhookErrorKind, WebhookReceiver,
};
use serde_json::Value;

/// The time in all of this.
pub const NOW: u64 = 1_800_000_000;

/// A request as text, after a line with the secret: `POST path?query`, headers, an empty line, and the body.
struct Request<'a> {
    secret: Secret,
    query: Option<&'a str>,
    headers: HeaderMap,
    body: &'a [u8],
}

impl<'a> Request<'a> {
    fn parse(data: &'a [u8]) -> Option<Self> {
        let end = data.windows(2).position(|pair| pair == b"\n\n")?;
        let (head, body) = (&data[..end], &data[end + 2..]);
        let mut lines = head.split(|byte| *byte == b'\n');
        let secret = Secret::new(std::str::from_utf8(lines.next()?).ok()?).ok()?;
        let target = std::str::from_utf8(lines.next()?).ok()?;
        let mut headers = HeaderMap::new();
        for line in lines {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = HeaderName::from_bytes(&line[..colon]).ok()?;
            let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
            headers.append(name, value);
        }
        Some(Self {
            secret,
            query: target.split_once('?').map(|(_, query)| query),
            headers,
            body,
        })
    }
}

/// Nothing is accepted but what the secret has signed, and of that everything; what is accepted is read as it stands.
pub fn webhook(data: &[u8]) {
    let Some(request) = Request::parse(data) else {
        return;
    };
    let now = UNIX_EPOCH + Duration::from_secs(NOW);
    let verifier = Verifier::new(request.secret.clone());
    if let Ok(verified) = verifier.verify(&request.headers, request.body, now) {
        stays_verified(&request, &verified);
    }
    let id = request.headers.get("webhook-id");
    let id = id.and_then(|id| id.to_str().ok()).unwrap_or("msg_1");
    if let Ok(headers) = request.secret.headers(id, now, request.body) {
        let verified = verifier.verify(&headers, request.body, now);
        assert_eq!(verified.expect("it is signed").id(), id);
        is_taken_in(&request, &headers);
    }
}

/// A verified delivery can be signed again, but not changed.
fn stays_verified(request: &Request<'_>, verified: &Verified) {
    let Request { secret, body, .. } = request;
    let verifier = Verifier::new(secret.clone()).tolerance(Duration::MAX);
    let (id, sent_at) = (verified.id(), verified.sent_at());
    let headers = secret.headers(id, sent_at, body);
    let headers = headers.expect("an id that came can be sent");
    assert_eq!(
        verifier.verify(&headers, body, sent_at).as_ref(),
        Ok(verified)
    );

    let refused = |headers: &HeaderMap, body: &[u8]| {
        let refusal = verifier
            .verify(headers, body, sent_at)
            .expect_err("it was changed");
        assert_eq!(refusal.kind(), WebhookErrorKind::BadSignature);
    };
    for at in [0, body.len() / 2, body.len().saturating_sub(1)] {
        let mut changed = body.to_vec();
        match changed.get_mut(at) {
            Some(byte) => *byte ^= 1 << (at % 8),
            None => changed.push(b' '),
        }
        refused(&headers, &changed);
    }
    for name in ["webhook-id", "webhook-timestamp"] {
        let mut changed = headers.clone();
        let value = changed[name].to_str().expect("it is printable");
        let value = format!("1{value}");
        // An id can be so long that one more letter makes it invalid, and a time so late that it is invalid.
        let Ok(value) = HeaderValue::from_str(&value) else {
            continue;
        };
        changed.insert(name, value);
        verifier
            .verify(&changed, body, sent_at)
            .expect_err("it was changed");
    }
    for off in [301, 86_400] {
        let strict = Verifier::new(secret.clone());
        for now in [
            sent_at.checked_add(Duration::from_secs(off)),
            sent_at.checked_sub(Duration::from_secs(off)),
        ] {
            let Some(now) = now else { continue };
            let refusal = strict
                .verify(&headers, body, now)
                .expect_err("it is not of now");
            assert!(matches!(
                refusal.kind(),
                WebhookErrorKind::TooOld | WebhookErrorKind::TooNew
            ));
        }
    }
}

/// An authentic delivery is a task or none, and a task is taken in once.
fn is_taken_in(request: &Request<'_>, headers: &HeaderMap) {
    let receiver = WebhookReceiver::builder(Verifier::new(request.secret.clone()))
        .clock(Fixed)
        .build();
    let receive = || receiver.receive(headers, request.query, request.body);
    match receive() {
        Ok(Received::Accepted(delivery)) => {
            let state = read(request.body).expect("only a task is accepted");
            assert_eq!(delivery.state(), &state);
            assert_eq!(receiver.state(state.id()), Some(state));
            assert_eq!(
                delivery.correlation().map(Token::as_str),
                token(request.query).as_deref()
            );
            assert!(matches!(receive(), Ok(Received::Duplicate(again)) if again == delivery));
            if let Some(token) = delivery.correlation() {
                marks(token, request.query);
            }
        }
        Ok(other) => panic!("the first delivery is {other:?}"),
        Err(refusal) if refusal.kind() == WebhookErrorKind::BodyTooLarge => {
            assert!(request.body.len() > 64 * 1024);
        }
        Err(refusal) => {
            assert_eq!(refusal.kind(), WebhookErrorKind::BodyUnreadable);
            assert_eq!(read(request.body), None, "a task is accepted");
        }
    }
}

/// The task in a body, with or without its wrapper.
fn read(body: &[u8]) -> Option<TaskState> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let task = match value.get("task_id") {
        Some(_) => value,
        None => value.get("data")?.clone(),
    };
    let state: TaskState = serde_json::from_value(task).ok()?;
    (1..=1024).contains(&state.id().len()).then_some(state)
}

/// The token in a query, as another reader of queries finds it.
fn token(query: Option<&str>) -> Option<String> {
    let mut url = Url::parse("http://receiver.example/").expect("this is a URL");
    let pairs: Vec<_> = query?
        .split('&')
        .filter_map(|pair| {
            // A URL would end the query there, or drop these.
            let escaped = pair
                .replace('#', "%23")
                .replace('\t', "%09")
                .replace('\n', "%0A")
                .replace('\r', "%0D");
            url.set_query(Some(&escaped));
            url.query_pairs()
                .next()
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
        })
        .collect();
    let mut tokens = pairs
        .into_iter()
        .filter(|(name, _)| name == correlation::PARAMETER);
    let (_, first) = tokens.next()?;
    let is_token = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let is_one = (1..=64).contains(&first.len()) && first.chars().all(is_token);
    (is_one && tokens.all(|(_, other)| other == first)).then_some(first)
}

/// A URL that is marked brings the token back, whatever else its query has.
fn marks(mark: &Token, query: Option<&str>) {
    let url = format!(
        "https://receiver.example/hook?{}",
        query.unwrap_or_default()
    );
    let marked = correlation::attach(&url, mark).expect("this is a URL");
    let marked = Url::parse(&marked).expect("this is a URL");
    assert_eq!(
        token(marked.query()).as_deref(),
        Some(mark.as_str()),
        "{marked}"
    );
}

#[derive(Debug)]
struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn system_time(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(NOW)
    }

    fn sleep_until(&self, _: Instant) -> Sleep<'_> {
        Box::pin(std::future::ready(()))
    }
}
