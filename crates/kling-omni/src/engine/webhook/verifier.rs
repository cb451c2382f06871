//! Verification of signatures and timestamps.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::Mac;
use http::HeaderMap;

use crate::engine::webhook::error::{WebhookError, WebhookErrorKind};
use crate::engine::webhook::secret::{self, ID, SIGNATURE, Secret, TIMESTAMP, VERSION};

/// Verifies that a delivery is signed with one of the secrets, and that its timestamp is within the tolerance.
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
///     .add_secret(Secret::new("the old secret, until it is retired")?)
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
    /// How far the timestamp of a delivery may be from the current time, in both directions, by default.
    pub const DEFAULT_TOLERANCE: Duration = Duration::from_secs(5 * 60);

    /// Accepts deliveries signed with `secret`.
    pub fn new(secret: Secret) -> Self {
        Self {
            secrets: vec![secret],
            tolerance: Self::DEFAULT_TOLERANCE,
        }
    }

    /// Accepts deliveries signed with `secret`, too. For the rotation of secrets.
    #[must_use]
    pub fn add_secret(mut self, secret: Secret) -> Self {
        self.secrets.push(secret);
        self
    }

    /// Sets how far the timestamp of a delivery may be from the current time, inclusive. It is also how long a recorded delivery
    /// can be replayed by others. Default: [`DEFAULT_TOLERANCE`](Self::DEFAULT_TOLERANCE).
    #[must_use]
    pub fn tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Verifies a delivery that was received at `now`.
    ///
    /// # Errors
    ///
    /// [`WebhookErrorKind::MissingHeader`], [`WebhookErrorKind::MalformedHeader`] and [`WebhookErrorKind::UnknownVersion`] for a
    /// request that is not a delivery of this scheme, [`WebhookErrorKind::BadSignature`] if no secret matches,
    /// [`WebhookErrorKind::TooOld`] and [`WebhookErrorKind::TooNew`] for an authentic delivery outside the tolerance.
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
        let sent_at =
            parse_timestamp(timestamp).ok_or_else(|| WebhookError::malformed(TIMESTAMP))?;
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
                "the signature does not match any secret",
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
            Ok(age) => (WebhookErrorKind::TooOld, age, "is too old"),
            Err(ahead) => (
                WebhookErrorKind::TooNew,
                ahead.duration(),
                "is in the future",
            ),
        };
        if off <= self.tolerance {
            return Ok(());
        }
        Err(WebhookError::new(
            kind,
            format!(
                "the delivery {what}: {:.1} s (tolerance {} s)",
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
    /// The id of the delivery. A repetition has the same id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When the delivery was sent, in whole seconds.
    pub fn sent_at(&self) -> SystemTime {
        self.sent_at
    }
}

/// Returns the value of a header that must occur once. With two values, other software might use the other one.
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

/// Parses the signatures of the known version. Those that are not base64 match no secret, and are skipped.
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
            format!("no signature of version {VERSION}"),
        ));
    }
    Ok(known
        .into_iter()
        .filter_map(|(_, signature)| BASE64.decode(signature).ok())
        .collect())
}
