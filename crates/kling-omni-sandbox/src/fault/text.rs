//! A fault as text.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::time::Duration;

use http::{HeaderValue, StatusCode};

use super::{Fault, InvalidFault, escape};
use crate::config::LONGEST;
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
        if let Some(status) = status(name, value)? {
            return Ok(status);
        }
        let given = || match value {
            Some("") | None => Err(InvalidFault(format!("`{name}` needs a value: {name}=…"))),
            Some(value) => Ok(value),
        };
        let owned = || given().map(str::to_owned);
        let bytes = || value.map(number).transpose();
        let fault = match name {
            "slow-headers" => Self::SlowHeaders(span(given()?)?),
            "slow-body" => Self::SlowBody(span(given()?)?),
            "truncate" => Self::Truncate(bytes()?),
            "cut" => Self::Cut(bytes()?),
            "length" => Self::Length(number(given()?)?),
            "oversize" => Self::Oversize(number(given()?)?),
            "content-type" => Self::ContentType(header(given()?)?),
            "content-encoding" => Self::ContentEncoding(match value {
                Some("") => String::new(),
                _ => header(given()?)?,
            }),
            "header" => Self::Header(escape::read(given()?)?),
            "success" => Self::Success(success(given()?)?),
            "prefix" => Self::Prefix(escape::read(given()?)?),
            "body" => Self::Body(escape::read(value.unwrap_or_default())?),
            "message" => Self::Message(escape::read_text(given()?)?),
            "drip" => drip(given()?)?,
            "hide-newest" => Self::HideNewest(number(given()?)?),
            "id" => Self::Id(escape::read_text(given()?)?),
            "silent-failure" => Self::SilentFailure(value.map(span).transpose()?),
            "redirect" => Self::Redirect(value.map(header).transpose()?),
            "unknown-status" => Self::UnknownStatus(owned()?),
            "null" => Self::Null(owned()?),
            "missing" => Self::Missing(owned()?),
            "late" => Self::Late(span(given()?)?),
            "replay" => Self::Replay(span(given()?)?),
            "rotated" | "rotating" => Self::Rotated {
                secret: secret(given()?)?,
                both: name == "rotating",
            },
            _ => {
                let bare = bare(name).ok_or_else(|| {
                    InvalidFault(format!("`{name}` is no fault that the sandbox knows"))
                })?;
                if value.is_some() {
                    return Err(InvalidFault(format!("`{name}` takes no value")));
                }
                bare
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
            Self::SlowHeaders(time) => write!(f, "slow-headers={}", spelt(*time)),
            Self::SlowBody(time) => write!(f, "slow-body={}", spelt(*time)),
            Self::Truncate(bytes) => sized(f, "truncate", bytes),
            Self::Cut(bytes) => sized(f, "cut", bytes),
            Self::Length(off) => write!(f, "length={off}"),
            Self::Oversize(bytes) => write!(f, "oversize={bytes}"),
            Self::ContentType(kind) => write!(f, "content-type={kind}"),
            Self::ContentEncoding(token) => write!(f, "content-encoding={token}"),
            Self::Header(line) => write!(f, "header={}", escape::write(line)),
            Self::Success(code) => write!(f, "success={}", code.as_u16()),
            Self::Prefix(bytes) => write!(f, "prefix={}", escape::write(bytes)),
            Self::Body(bytes) => write!(f, "body={}", escape::write(bytes)),
            Self::Message(text) => write!(f, "message={}", escape::write(text.as_bytes())),
            Self::Drip { bytes, every } => write!(f, "drip={bytes}/{}", spelt(*every)),
            Self::HideNewest(rows) => write!(f, "hide-newest={rows}"),
            Self::Id(text) => write!(f, "id={}", escape::write(text.as_bytes())),
            Self::SilentFailure(Some(time)) => write!(f, "silent-failure={}", spelt(*time)),
            Self::SilentFailure(None) => f.write_str("silent-failure"),
            Self::Redirect(Some(url)) => write!(f, "redirect={url}"),
            Self::Redirect(None) => f.write_str("redirect"),
            Self::UnknownStatus(name) => write!(f, "unknown-status={name}"),
            Self::Null(field) => write!(f, "null={field}"),
            Self::Missing(field) => write!(f, "missing={field}"),
            Self::Late(time) => write!(f, "late={}", spelt(*time)),
            Self::Replay(time) => write!(f, "replay={}", spelt(*time)),
            Self::Rotated { secret, both } => {
                let name = if *both { "rotating" } else { "rotated" };
                write!(f, "{name}={secret}")
            }
            bare => {
                let name = BARE.iter().find(|(_, fault)| fault == bare);
                f.write_str(name.map_or("", |(name, _)| name))
            }
        }
    }
}

impl fmt::Debug for Fault {
    /// The text, without what may be secret in it.
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

/// The faults that a name alone tells.
const BARE: [(&str, Fault); 15] = [
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

fn bare(name: &str) -> Option<Fault> {
    let mut all = BARE.into_iter();
    all.find_map(|(known, fault)| (known == name).then_some(fault))
}

/// `CODE`, with what may stand around it; `None` where there is no number.
fn status(name: &str, retry_after: Option<&str>) -> Result<Option<Fault>, InvalidFault> {
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
        .ok_or_else(|| InvalidFault(format!("{number} is no error: they go from 400 to 599")))?;
    Ok(Some(Fault::Status {
        code,
        accepted,
        html,
        retry_after: retry_after.map(header).transpose()?,
    }))
}

fn success(text: &str) -> Result<StatusCode, InvalidFault> {
    StatusCode::from_bytes(text.as_bytes())
        .ok()
        .filter(StatusCode::is_success)
        .ok_or_else(|| InvalidFault(format!("`{text}` is no success: they go from 200 to 299")))
}

/// `BYTES/TIME`.
fn drip(text: &str) -> Result<Fault, InvalidFault> {
    let (bytes, every) = text
        .split_once('/')
        .ok_or_else(|| InvalidFault(format!("`{text}` must be BYTES/TIME, as in 1/20s")))?;
    let bytes: NonZeroU64 = number(bytes)?;
    Ok(Fault::Drip {
        bytes: bytes.get(),
        every: span(every)?,
    })
}

fn number<T: FromStr>(text: &str) -> Result<T, InvalidFault> {
    text.parse()
        .map_err(|_| InvalidFault(format!("`{text}` is no whole number that fits here")))
}

fn span(text: &str) -> Result<Duration, InvalidFault> {
    humantime::parse_duration(text)
        .ok()
        .filter(|span| *span <= LONGEST)
        .ok_or_else(|| {
            InvalidFault(format!(
                "`{text}` is no time up to a year, such as 500ms, 90s or 15m"
            ))
        })
}

fn spelt(span: Duration) -> String {
    humantime::format_duration(span)
        .to_string()
        .replace(' ', "")
}

fn header(text: &str) -> Result<String, InvalidFault> {
    match HeaderValue::from_str(text) {
        Ok(_) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(InvalidFault(format!("`{text}` cannot be sent in a header"))),
    }
}

fn secret(text: &str) -> Result<String, InvalidFault> {
    match Secret::parse(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err(InvalidFault(
            "what follows `whsec_` in a secret must be base64, and what follows `hex:` hexadecimal"
                .to_owned(),
        )),
    }
}
