//! Verification of signatures and timestamps.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::Mac;
use http::HeaderMap;

use crate::engine::webhook::refusal::{WebhookError, WebhookErrorKind};
use crate::engine::webhook::secret::{self, ID, SIGNATURE, Secret, TIMESTAMP, VERSION};

/// Checks that a delivery is signed with one of your secrets, and fresh.
///
/// The signature covers `webhook-id`, `webhook-timestamp` and the bytes of the body: pass the body unchanged, not parsed
/// and serialised again. Neither the URL nor the other headers are covered.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use kling_omni::reqwest::header::HeaderMap;
/// use kling_omni::webhook::{Secret, Verifier};
///
/// # fn example(headers: HeaderMap, body: Vec<u8>) -> Result<(), Box<dyn std::error::Error>> {
/// let verifier = Verifier::new(Secret::new("the new secret")?)
///     .or(Secret::new("the old secret, until it is gone")?)
///     .tolerance(Duration::from_secs(120));
/// let verified = verifier.verify(&headers, &body, SystemTime::now())?;
/// println!("{} is authentic", verified.id());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Verifier {
    secrets: Vec<Secret>,
    tolerance: Duration,
}

impl Verifier {
    /// How far a delivery's timestamp may be from now, in both directions, unless [`tolerance`](Self::tolerance) says
    /// otherwise.
    pub const DEFAULT_TOLERANCE: Duration = Duration::from_secs(5 * 60);

    /// Accepts deliveries signed with `secret`.
    pub fn new(secret: Secret) -> Self {
        Self {
            secrets: vec![secret],
            tolerance: Self::DEFAULT_TOLERANCE,
        }
    }

    /// Also accepts deliveries signed with `secret`, while secrets are rotated.
    #[must_use]
    pub fn or(mut self, secret: Secret) -> Self {
        self.secrets.push(secret);
        self
    }

    /// How far a delivery's timestamp may be from now; inclusive. It is also how long a recorded delivery can be
    /// replayed by others.
    #[must_use]
    pub fn tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Checks a delivery that came in at `now`.
    ///
    /// # Errors
    ///
    /// [`WebhookErrorKind::MissingHeader`], [`WebhookErrorKind::MalformedHeader`] and [`WebhookErrorKind::UnknownVersion`] for what is
    /// no delivery of this scheme, [`WebhookErrorKind::BadSignature`] if no secret fits, [`WebhookErrorKind::TooOld`] and
    /// [`WebhookErrorKind::TooNew`] for an authentic delivery at the wrong time.
    pub fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: SystemTime,
    ) -> Result<Verified, WebhookError> {
        let id = single_header(headers, ID)?;
        if !secret::is_id(id) {
            return Err(WebhookError::malformed(ID));
        }
        let timestamp = single_header(headers, TIMESTAMP)?;
        let sent_at = parse_timestamp(timestamp).ok_or_else(|| WebhookError::malformed(TIMESTAMP))?;
        let signatures = parse_signatures(single_header(headers, SIGNATURE)?)?;
        let is_signed = self.secrets.iter().any(|secret| {
            let mac = secret.mac(id, timestamp, body);
            signatures
                .iter()
                .any(|signature| mac.clone().verify_slice(signature).is_ok())
        });
        if !is_signed {
            return Err(WebhookError::new(
                WebhookErrorKind::BadSignature,
                "the delivery is signed with none of the secrets, or was changed on its way",
            ));
        }
        // After the signature: these errors are only returned for authentic deliveries.
        self.check_time(sent_at, now)?;
        Ok(Verified {
            id: id.to_owned(),
            sent_at,
        })
    }

    fn check_time(&self, sent_at: SystemTime, now: SystemTime) -> Result<(), WebhookError> {
        let (kind, off, what) = match now.duration_since(sent_at) {
            Ok(age) => (WebhookErrorKind::TooOld, age, "was sent long ago:"),
            Err(ahead) => (
                WebhookErrorKind::TooNew,
                ahead.duration(),
                "is ahead of the clock:",
            ),
        };
        if off <= self.tolerance {
            return Ok(());
        }
        Err(WebhookError::new(
            kind,
            format!(
                "the delivery {what} {:.1} s, where {} s are tolerated",
                off.as_secs_f64(),
                self.tolerance.as_secs_f64()
            ),
        ))
    }
}

impl From<Secret> for Verifier {
    fn from(secret: Secret) -> Self {
        Self::new(secret)
    }
}

/// The id and the time of a verified delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    id: String,
    sent_at: SystemTime,
}

impl Verified {
    /// Its id: the same for each repetition.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When it was sent, to the second.
    pub fn sent_at(&self) -> SystemTime {
        self.sent_at
    }
}

/// The value of a header that must occur once. With two values, other software might use the other one.
fn single_header<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, WebhookError> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or_else(|| {
        WebhookError::new(
            WebhookErrorKind::MissingHeader,
            format!("the request has no `{name}` header"),
        )
    })?;
    match (value.to_str(), values.next()) {
        (Ok(text), None) => Ok(text),
        _ => Err(WebhookError::malformed(name)),
    }
}

fn parse_timestamp(timestamp: &str) -> Option<SystemTime> {
    if !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    UNIX_EPOCH.checked_add(Duration::from_secs(timestamp.parse().ok()?))
}

/// The signatures of the known version. Those that are not base64 are skipped: they match no secret.
fn parse_signatures(header: &str) -> Result<Vec<Vec<u8>>, WebhookError> {
    let items: Vec<_> = header
        .split_ascii_whitespace()
        .filter_map(|item| item.split_once(','))
        .collect();
    if items.is_empty() {
        return Err(WebhookError::malformed(SIGNATURE));
    }
    let known: Vec<_> = items
        .into_iter()
        .filter(|(version, _)| *version == VERSION)
        .collect();
    if known.is_empty() {
        return Err(WebhookError::new(
            WebhookErrorKind::UnknownVersion,
            format!("the delivery has no signature of version {VERSION}"),
        ));
    }
    Ok(known
        .into_iter()
        .filter_map(|(_, signature)| BASE64.decode(signature).ok())
        .collect())
}
