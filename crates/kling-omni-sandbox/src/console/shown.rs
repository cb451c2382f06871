//! How times, durations and states are shown.

use std::time::{Duration, SystemTime};

use http::StatusCode;
use kling_omni_api::enums::TaskStatus;

use super::mask::{Mask, MaskedText};
use crate::record::{Delivery, DeliveryOutcome, Host, ReceivedRequest};

/// How many characters of a path are in a row.
const TARGET_LIMIT: usize = 120;

/// A state as a short text, with the class of its colour.
#[derive(Debug)]
pub(super) struct Badge {
    pub(super) text: MaskedText,
    pub(super) class: &'static str,
}

/// A time of day, in UTC.
#[derive(Debug)]
pub(super) struct Moment {
    /// The complete time, in the format of RFC 3339.
    pub(super) full: String,
    /// Hours, minutes, seconds and milliseconds.
    pub(super) short: String,
}

impl Moment {
    pub(super) fn new(time: SystemTime) -> Self {
        let full = humantime::format_rfc3339_millis(time).to_string();
        // 2027-01-15T08:00:00.000Z
        let short = full.get(11..23).unwrap_or(&full).to_owned();
        Self { full, short }
    }
}

/// Returns the class of a task status.
pub(super) fn status_class(status: &TaskStatus) -> &'static str {
    match status {
        TaskStatus::Created => "idle",
        TaskStatus::InProgress => "busy",
        TaskStatus::Completed => "good",
        TaskStatus::Failed => "bad",
        _ => "odd",
    }
}

/// Returns the badge of a task status.
pub(super) fn status_badge(mask: &Mask, status: &TaskStatus) -> Badge {
    Badge {
        text: mask.line(status.as_str(), 40),
        class: status_class(status),
    }
}

/// Returns the badge of a response: its status, or what became of it.
pub(super) fn response_badge(mask: &Mask, request: &ReceivedRequest) -> Badge {
    let Some(status) = request.status() else {
        return Badge {
            text: mask.text("no response yet"),
            class: "busy",
        };
    };
    let code = status.as_u16();
    let (text, class) = match request.response() {
        Some(sent) if sent.ended_at().is_none() => (format!("{code}, not sent yet"), "busy"),
        Some(sent) if !sent.is_complete() && sent.length() == 0 => {
            (format!("{code}, not received"), "bad")
        }
        Some(sent) if !sent.is_complete() => (format!("{code}, incomplete"), "bad"),
        _ => (code.to_string(), code_class(status)),
    };
    Badge {
        text: mask.text(&text),
        class,
    }
}

/// Returns the badge of a delivery: its outcome.
pub(super) fn outcome_badge(mask: &Mask, delivery: &Delivery) -> Badge {
    let (text, class) = match delivery.outcome() {
        DeliveryOutcome::Accepted(status) => (format!("accepted, {}", status.as_u16()), "good"),
        DeliveryOutcome::Rejected(status) => (format!("rejected, {}", status.as_u16()), "bad"),
        DeliveryOutcome::Failed(reason) => (format!("not delivered: {reason}"), "bad"),
        DeliveryOutcome::Skipped(reason) => (format!("not sent: {reason}"), "odd"),
    };
    Badge {
        text: mask.line(&text, 160),
        class,
    }
}

fn code_class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200..300 => "good",
        300..400 => "idle",
        _ => "bad",
    }
}

/// Returns the name of a host.
pub(super) fn host_name(host: Host) -> &'static str {
    match host {
        Host::Api => "API",
        Host::Results => "results",
        Host::Storage => "storage",
    }
}

/// Returns the path of a request, and its query without values.
pub(super) fn target(mask: &Mask, request: &ReceivedRequest) -> MaskedText {
    let target = mask.target(request.path(), request.query());
    mask.line(&target.to_string(), TARGET_LIMIT)
}

/// Returns the time from the arrival of a request to the end of its response.
pub(super) fn response_time(request: &ReceivedRequest) -> Option<String> {
    let ended = request.response()?.ended_at()?;
    Some(duration(request.received_at(), ended))
}

/// Returns the time between two times, such as `12 ms`, `1.25 s` or `2 min 5 s`.
pub(super) fn duration(from: SystemTime, to: SystemTime) -> String {
    let duration = to.duration_since(from).unwrap_or_default();
    let seconds = duration.as_secs();
    match seconds {
        0 if duration < Duration::from_millis(10) => {
            let text = format!("{:.1}", duration.as_secs_f64() * 1000.0);
            format!("{} ms", text.trim_end_matches(".0"))
        }
        0 => format!("{} ms", duration.as_millis()),
        1..60 => {
            let text = format!("{:.2}", duration.as_secs_f64());
            format!("{} s", text.trim_end_matches('0').trim_end_matches('.'))
        }
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// Returns a number of bytes.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{} kB", bytes / 1000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

/// Returns the position of a time in a span, in thousandths, at most 1000.
pub(super) fn thousandths(time: SystemTime, from: SystemTime, span: Duration) -> u64 {
    let since = time.duration_since(from).unwrap_or_default();
    let span = span.as_secs_f64().max(0.001);
    // At most 1000, so the number is exact.
    (since.as_secs_f64() / span * 1000.0).min(1000.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let start = SystemTime::UNIX_EPOCH;
        for (micros, expected) in [
            (0, "0 ms"),
            (320, "0.3 ms"),
            (4000, "4 ms"),
            (12_345, "12 ms"),
            (999_000, "999 ms"),
            (1_000_000, "1 s"),
            (1_250_000, "1.25 s"),
            (10_000_000, "10 s"),
            (125_000_000, "2 min 5 s"),
            (3_725_000_000, "1 h 2 min"),
        ] {
            let end = start + Duration::from_micros(micros);
            assert_eq!(duration(start, end), expected);
        }
        assert_eq!(duration(start + Duration::from_secs(1), start), "0 ms");
    }

    #[test]
    fn moments_are_in_utc() {
        let moment = Moment::new(SystemTime::UNIX_EPOCH + Duration::from_millis(1_800_000_000_007));
        assert_eq!(moment.full, "2027-01-15T08:00:00.007Z");
        assert_eq!(moment.short, "08:00:00.007");
    }
}
