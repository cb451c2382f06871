//! Checks of the service: its clock, the key, and uploads.

use std::time::{Duration, SystemTime};

use kling_omni::{ErrorKind, Mode};

use super::check::Check;
use super::machine::has_proxy;
use crate::connect::{Connection, user_agent};
use crate::duration;
use crate::exit::Exit;
use crate::failure::Failure;

/// Clocks that differ more than this make expiry times wrong.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(60);

/// What one request with the key has shown.
pub(super) struct KeyChecks {
    pub(super) check: Check,
    /// Whether the service can be reached; what is broken if it cannot.
    pub(super) service: Result<(), Check>,
    pub(super) is_accepted: bool,
}

/// Tries the key by reading one row of a list, which is free.
pub(super) async fn check_key(connection: &Connection) -> KeyChecks {
    let list = connection.client.list().mode(Mode::Reference).page_size(1);
    let error = match list.await {
        Ok(_) => {
            return KeyChecks {
                check: Check::ok("key", "the service accepts it"),
                service: Ok(()),
                is_accepted: true,
            };
        }
        Err(error) => error,
    };
    let kind = error.kind();
    let failure = connection.explain(error, None);
    match kind {
        ErrorKind::Authentication
        | ErrorKind::Permission
        | ErrorKind::InsufficientCredits
        | ErrorKind::PlanLimit => KeyChecks {
            check: Check::from_failure("key", &failure),
            service: Ok(()),
            is_accepted: false,
        },
        _ => KeyChecks {
            check: Check::warning(
                "key",
                "it is set, and the service did not say whether it accepts it",
                "correct what is broken below, and try again",
            ),
            service: Err(check_failure(connection.client.base_url(), kind, &failure)),
            is_accepted: false,
        },
    }
}

/// What is broken if a list cannot be read, apart from the key.
fn check_failure(url: &str, kind: ErrorKind, failure: &Failure) -> Check {
    match kind {
        // A list exists in every account, so this is not the API.
        ErrorKind::NotFound | ErrorKind::UnexpectedResponse => {
            let text = format!("{url}: {}", failure.message());
            Check::broken("service", failure.exit(), text)
                .with_help("check whether the base URL is that of the API")
        }
        ErrorKind::Transport if has_proxy() => Check::from_failure("service", failure)
            .with_help("check the proxy above, the network and the base URL"),
        _ => Check::from_failure("service", failure),
    }
}

/// Checks whether the key may upload local files, by reading the list of uploads, which is free.
pub(super) async fn check_uploads(connection: &Connection) -> Check {
    match connection.client.service_uploader().check().await {
        Ok(()) => Check::ok("uploads", "the key may upload files"),
        Err(error) => Check::warning(
            "uploads",
            format!("local files cannot be uploaded: {}", error.summary()),
            "use URLs instead of local files, or a bucket of your own with --upload",
        ),
    }
}

/// Returns how many seconds the clock of a service is ahead, by the `Date` of a response. The request carries no key.
pub(in crate::command) async fn clock_ahead(base_url: &str) -> Result<Option<i64>, reqwest::Error> {
    let client = kling_omni::accept_malformed_headers(reqwest::Client::builder())
        .user_agent(user_agent())
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(10))
        .build()?;
    let sent = SystemTime::now();
    let response = client.get(base_url).send().await?;
    let received = SystemTime::now();
    let date = response.headers().get("date");
    let date = date.and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    Ok(date.map(|date| seconds_ahead(date, sent, received)))
}

/// Returns how many seconds a clock is ahead that showed `date` at some time between `sent` and `received`.
fn seconds_ahead(date: SystemTime, sent: SystemTime, received: SystemTime) -> i64 {
    // The header has whole seconds, so the clock showed up to a second more.
    let latest = date + Duration::from_secs(1);
    if let Ok(ahead) = date.duration_since(received) {
        ahead.as_secs().cast_signed()
    } else if let Ok(behind) = sent.duration_since(latest) {
        -behind.as_secs().cast_signed()
    } else {
        0
    }
}

pub(in crate::command) fn check_clock(
    url: &str,
    ahead: Result<Option<i64>, reqwest::Error>,
) -> Check {
    let text = match ahead {
        Err(error) => {
            let error = error.without_url();
            let text = format!("{url} cannot be reached: {error}");
            return Check::broken("service", Exit::Network, text);
        }
        Ok(Some(ahead)) if ahead.unsigned_abs() > MAX_CLOCK_DIFFERENCE.as_secs() => {
            let side = if ahead > 0 { "behind" } else { "ahead of" };
            let difference = duration::text(Duration::from_secs(ahead.unsigned_abs()));
            let text = format!(
                "{url}: the clock of this machine is {difference} {side} that of the service"
            );
            let check = Check::broken("service", Exit::Unexpected, text);
            return check.with_help("synchronize it with NTP");
        }
        Ok(Some(0)) => "its clock agrees with this machine's".to_owned(),
        Ok(Some(ahead @ 1..)) => format!("its clock is {ahead} s ahead"),
        Ok(Some(behind)) => format!("its clock is {} s behind", behind.unsigned_abs()),
        Ok(None) => "its clock is not known".to_owned(),
    };
    Check::ok("service", format!("{url}, {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_response_is_not_a_clock_difference() {
        let second = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds);
        for (date, sent, received, expected) in [
            (100.0, 100.2, 100.3, 0),
            (100.0, 100.9, 101.1, 0),
            (100.0, 100.9, 109.0, 0),
            (100.0, 99.0, 109.0, 0),
            (100.0, 101.5, 101.6, 0),
            (100.0, 103.5, 109.0, -2),
            (100.0, 90.0, 95.5, 4),
        ] {
            let ahead = seconds_ahead(second(date), second(sent), second(received));
            assert_eq!(ahead, expected, "{date} between {sent} and {received}");
        }
    }
}
