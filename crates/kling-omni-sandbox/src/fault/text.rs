//! The text form of faults.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use test_card::{FrameSize, MAX_SECONDS};

use super::{Fault, InvalidFault, escape};
use crate::config::MAX_DURATION;
use crate::redact;
use crate::secret::Secret;

const ACCEPTED: &str = "accept-";
const HTML: &str = "-html";

impl FromStr for Fault {
    type Err = InvalidFault;

    fn from_str(text: &str) -> Result<Self, InvalidFault> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        if let Some(status) = parse_status(name, value)? {
            return Ok(status);
        }
        let given = || match value {
            Some("") | None => Err(InvalidFault(format!(
                "fault `{name}` needs a value: {name}=…"
            ))),
            Some(value) => Ok(value),
        };
        let owned = || given().map(str::to_owned);
        let bytes = || value.map(parse_number).transpose();
        let fault = match name {
            "slow-headers" => Self::SlowHeaders(parse_duration(given()?)?),
            "slow-body" => Self::SlowBody(parse_duration(given()?)?),
            "truncate" => Self::Truncate(bytes()?),
            "cut" => Self::Cut(bytes()?),
            "length" => Self::Length(parse_number(given()?)?),
            "oversize" => Self::Oversize(parse_number(given()?)?),
            "content-type" => Self::ContentType(parse_header(given()?)?),
            "content-encoding" => Self::ContentEncoding(match value {
                Some("") => String::new(),
                _ => parse_header(given()?)?,
            }),
            "header" => Self::Header(escape::decode(given()?)?),
            "success" => Self::Success(parse_success(given()?)?),
            "prefix" => Self::Prefix(escape::decode(given()?)?),
            "body" => Self::Body(escape::decode(value.unwrap_or_default())?),
            "message" => Self::Message(escape::decode_text(given()?)?),
            "drip" => parse_drip(given()?)?,
            "hide-newest" => Self::HideNewest(parse_number(given()?)?),
            "id" => Self::Id(escape::decode_text(given()?)?),
            "silent-failure" => Self::SilentFailure(value.map(parse_duration).transpose()?),
            "clip-seconds" => parse_clip_seconds(given()?)?,
            "clip-size" => parse_clip_size(given()?)?,
            "clip-sound" => parse_clip_sound(given()?)?,
            "redirect" => Self::Redirect(value.map(parse_header).transpose()?),
            "unknown-status" => Self::UnknownStatus(owned()?),
            "null" => Self::Null(owned()?),
            "missing" => Self::Missing(owned()?),
            "late" => Self::Late(parse_duration(given()?)?),
            "replay" => Self::Replay(parse_duration(given()?)?),
            "rotated" | "rotating" => Self::Rotated {
                secret: parse_secret(given()?)?,
                both: name == "rotating",
            },
            _ => {
                let fault = without_value(name)
                    .ok_or_else(|| InvalidFault(format!("unknown fault `{name}`")))?;
                if value.is_some() {
                    return Err(InvalidFault(format!("fault `{name}` has no value")));
                }
                fault
            }
        };
        Ok(fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sized = |f: &mut fmt::Formatter<'_>, name, bytes: &Option<u64>| match bytes {
            Some(bytes) => write!(f, "{name}={bytes}"),
            None => f.write_str(name),
        };
        match self {
            Self::Status {
                code,
                accepted,
                html,
                retry_after,
            } => {
                let before = if *accepted { ACCEPTED } else { "" };
                let after = if *html { HTML } else { "" };
                write!(f, "{before}{}{after}", code.as_u16())?;
                match retry_after {
                    Some(text) => write!(f, "={text}"),
                    None => Ok(()),
                }
            }
            Self::SlowHeaders(time) => write!(f, "slow-headers={}", format_duration(*time)),
            Self::SlowBody(time) => write!(f, "slow-body={}", format_duration(*time)),
            Self::Truncate(bytes) => sized(f, "truncate", bytes),
            Self::Cut(bytes) => sized(f, "cut", bytes),
            Self::Length(off) => write!(f, "length={off}"),
            Self::Oversize(bytes) => write!(f, "oversize={bytes}"),
            Self::ContentType(kind) => write!(f, "content-type={kind}"),
            Self::ContentEncoding(token) => write!(f, "content-encoding={token}"),
            Self::Header(line) => write!(f, "header={}", escape::encode(line)),
            Self::Success(code) => write!(f, "success={}", code.as_u16()),
            Self::Prefix(bytes) => write!(f, "prefix={}", escape::encode(bytes)),
            Self::Body(bytes) => write!(f, "body={}", escape::encode(bytes)),
            Self::Message(text) => write!(f, "message={}", escape::encode(text.as_bytes())),
            Self::Drip { bytes, every } => write!(f, "drip={bytes}/{}", format_duration(*every)),
            Self::HideNewest(rows) => write!(f, "hide-newest={rows}"),
            Self::Id(text) => write!(f, "id={}", escape::encode(text.as_bytes())),
            Self::SilentFailure(Some(time)) => {
                write!(f, "silent-failure={}", format_duration(*time))
            }
            Self::SilentFailure(None) => f.write_str("silent-failure"),
            Self::ClipSeconds(seconds) => write!(f, "clip-seconds={seconds}"),
            Self::ClipSize { width, height } => write!(f, "clip-size={width}x{height}"),
            Self::ClipSound(has_sound) => {
                write!(f, "clip-sound={}", if *has_sound { "yes" } else { "no" })
            }
            Self::Redirect(Some(url)) => write!(f, "redirect={url}"),
            Self::Redirect(None) => f.write_str("redirect"),
            Self::UnknownStatus(name) => write!(f, "unknown-status={name}"),
            Self::Null(field) => write!(f, "null={field}"),
            Self::Missing(field) => write!(f, "missing={field}"),
            Self::Late(time) => write!(f, "late={}", format_duration(*time)),
            Self::Replay(time) => write!(f, "replay={}", format_duration(*time)),
            Self::Rotated { secret, both } => {
                let name = if *both { "rotating" } else { "rotated" };
                write!(f, "{name}={secret}")
            }
            fault => {
                let name = WITHOUT_VALUE.iter().find(|(_, known)| known == fault);
                f.write_str(name.map_or("", |(name, _)| name))
            }
        }
    }
}

impl fmt::Debug for Fault {
    /// Formats the text form, without values that may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redirect(Some(url)) => write!(f, "redirect={}", redact::origin(url)),
            Self::Header(_) => f.write_str("header=…"),
            Self::Prefix(_) => f.write_str("prefix=…"),
            Self::Body(_) => f.write_str("body=…"),
            Self::Message(_) => f.write_str("message=…"),
            Self::Rotated { both: true, .. } => f.write_str("rotating=…"),
            Self::Rotated { both: false, .. } => f.write_str("rotated=…"),
            fault => write!(f, "{fault}"),
        }
    }
}

/// The faults without a value.
const WITHOUT_VALUE: [(&str, Fault); 15] = [
    ("lost", Fault::Lost),
    ("drop", Fault::Drop),
    ("hang", Fault::Hang),
    ("empty", Fault::Empty),
    ("expired-url", Fault::ExpiredUrl),
    ("fresh-url", Fault::FreshUrl),
    ("epoch-reset", Fault::EpochReset),
    ("duplicate", Fault::Duplicate),
    ("reordered", Fault::Reordered),
    ("forged", Fault::Forged),
    ("bom", Fault::Bom),
    ("plan-limit", Fault::PlanLimit),
    ("has-more", Fault::HasMore),
    ("lenient", Fault::Lenient),
    ("moderated", Fault::Moderated),
];

fn without_value(name: &str) -> Option<Fault> {
    let mut all = WITHOUT_VALUE.into_iter();
    all.find_map(|(known, fault)| (known == name).then_some(fault))
}

/// Parses `CODE` with its prefix and suffix. Returns `None` if it is not a number.
fn parse_status(name: &str, retry_after: Option<&str>) -> Result<Option<Fault>, InvalidFault> {
    let (accepted, rest) = match name.strip_prefix(ACCEPTED) {
        Some(rest) => (true, rest),
        None => (false, name),
    };
    let (html, code) = match rest.strip_suffix(HTML) {
        Some(code) => (true, code),
        None => (false, rest),
    };
    let Ok(number) = code.parse::<u16>() else {
        return Ok(None);
    };
    let code = StatusCode::from_u16(number)
        .ok()
        .filter(|code| code.is_client_error() || code.is_server_error())
        .ok_or_else(|| {
            InvalidFault(format!(
                "invalid error status {number}, expected 400 to 599"
            ))
        })?;
    Ok(Some(Fault::Status {
        code,
        accepted,
        html,
        retry_after: retry_after.map(parse_header).transpose()?,
    }))
}

fn parse_success(text: &str) -> Result<StatusCode, InvalidFault> {
    StatusCode::from_bytes(text.as_bytes())
        .ok()
        .filter(StatusCode::is_success)
        .ok_or_else(|| {
            InvalidFault(format!(
                "invalid success status `{text}`, expected 200 to 299"
            ))
        })
}

/// Parses `BYTES/TIME`.
fn parse_drip(text: &str) -> Result<Fault, InvalidFault> {
    let (bytes, every) = text
        .split_once('/')
        .ok_or_else(|| InvalidFault(format!("`{text}` must be BYTES/TIME, such as 1/20s")))?;
    let bytes: NonZeroU64 = parse_number(bytes)?;
    Ok(Fault::Drip {
        bytes: bytes.get(),
        every: parse_duration(every)?,
    })
}

fn parse_clip_seconds(text: &str) -> Result<Fault, InvalidFault> {
    let seconds = parse_number(text)?;
    match (1..=MAX_SECONDS).contains(&seconds) {
        true => Ok(Fault::ClipSeconds(seconds)),
        false => Err(InvalidFault(format!(
            "invalid clip length `{text}`, expected 1 to {MAX_SECONDS} seconds"
        ))),
    }
}

/// Parses `WIDTHxHEIGHT`.
fn parse_clip_size(text: &str) -> Result<Fault, InvalidFault> {
    let sides = text.split_once('x');
    let sides = sides.and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    match sides {
        Some((width, height)) if FrameSize::from_pixels(width, height).is_some() => {
            Ok(Fault::ClipSize { width, height })
        }
        _ => Err(InvalidFault(format!(
            "invalid clip size `{text}`, expected multiples of 16 such as 720x1280"
        ))),
    }
}

fn parse_clip_sound(text: &str) -> Result<Fault, InvalidFault> {
    match text {
        "yes" => Ok(Fault::ClipSound(true)),
        "no" => Ok(Fault::ClipSound(false)),
        _ => Err(InvalidFault(format!("`{text}` must be yes or no"))),
    }
}

fn parse_number<T: FromStr>(text: &str) -> Result<T, InvalidFault> {
    text.parse()
        .map_err(|_| InvalidFault(format!("invalid number `{text}`")))
}

fn parse_duration(text: &str) -> Result<Duration, InvalidFault> {
    humantime::parse_duration(text)
        .ok()
        .filter(|duration| *duration <= MAX_DURATION)
        .ok_or_else(|| {
            InvalidFault(format!(
                "invalid duration `{text}`, expected 500ms, 90s or 15m, up to one year"
            ))
        })
}

fn format_duration(duration: Duration) -> String {
    humantime::format_duration(duration)
        .to_string()
        .replace(' ', "")
}

fn parse_header(text: &str) -> Result<String, InvalidFault> {
    match HeaderValue::from_str(text) {
        Ok(_) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(InvalidFault(format!(
            "`{text}` is not a valid header value"
        ))),
    }
}

fn parse_secret(text: &str) -> Result<String, InvalidFault> {
    match Secret::parse(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err(InvalidFault(
            "a secret must be base64 after `whsec_` and hexadecimal after `hex:`".to_owned(),
        )),
    }
}
