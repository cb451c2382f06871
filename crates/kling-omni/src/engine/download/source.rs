//! One request to the result host, and what its answer means for a file of which a part may be there already.

use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, DATE, ETAG, HeaderValue, IF_RANGE, LAST_MODIFIED, RANGE, TRANSFER_ENCODING,
};
use http::{StatusCode, Version};
use reqwest::Response;
use url::Url;

use crate::engine::download::Downloads;
use crate::engine::download::redirect;
use crate::engine::http::content;
use crate::engine::http::retry_headers;
use crate::engine::http::timeout::{Elapsed, Timeout};

/// What a host calls one state of a file, in a way that no other state of it is called.
#[derive(Clone)]
pub(crate) struct Validator {
    /// The URL without its query, where tokens are: the same name at another place says nothing.
    place: String,
    /// Each coding of a file has bytes of its own.
    coding: Option<String>,
    value: HeaderValue,
}

/// How the result host answered.
pub(crate) enum Answer {
    /// The file from its first byte.
    Whole {
        body: Body,
        length: Option<u64>,
        validator: Option<Validator>,
    },
    /// The rest of the file that was begun, and how long all of it is.
    Rest { body: Body, length: Option<u64> },
    /// No part of the file that was begun.
    Other(String),
    /// Nothing; another attempt may fare better.
    Nothing(Broken),
    /// The URL does not lead to the file any more.
    Gone(StatusCode),
    /// Something that is no file, and will be none the next time.
    Refused {
        status: Option<StatusCode>,
        why: String,
    },
}

/// Why a connection brought nothing, or no more.
pub(crate) struct Broken {
    pub(crate) why: String,
    pub(crate) status: Option<StatusCode>,
    /// How long the host asks to wait.
    pub(crate) wait: Option<Duration>,
    pub(crate) source: Option<reqwest::Error>,
    /// Whether the answer had an end, and the file had none there.
    pub(crate) cut: bool,
}

impl Broken {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            status: None,
            wait: None,
            source: None,
            cut: false,
        }
    }

    fn lost(error: reqwest::Error) -> Self {
        let why = if error.is_connect() {
            "no connection to the result host"
        } else {
            "the connection to the result host was lost"
        };
        Self {
            source: Some(error.without_url()),
            ..Self::new(why)
        }
    }

    fn slow(window: Duration) -> Self {
        Self::new(format!(
            "the result host sent less than {LEAST_BYTES} bytes in {} s",
            window.as_secs_f64()
        ))
    }

    fn stalled(idle: Duration) -> Self {
        Self::new(format!(
            "the result host sent nothing for {} s",
            idle.as_secs_f64()
        ))
    }

    pub(crate) fn cut(why: impl Into<String>) -> Self {
        Self {
            cut: true,
            ..Self::new(why)
        }
    }
}

/// The least that a host has to send in [`WINDOW`], of the time that is spent waiting for it: about 1 KiB/s.
const LEAST_BYTES: usize = 64 * 1024;

const WINDOW: Duration = Duration::from_secs(60);

/// The bytes of one answer.
pub(crate) struct Body {
    response: Response,
    idle: Duration,
    /// How much came in this window, and how much of it has passed. The time that the reader takes does not count.
    came: usize,
    waited: Duration,
    /// The content codings that the host claims.
    pub(crate) coding: Option<String>,
    /// Whether the protocol marks the last byte, so that a lost connection is not taken for the end.
    pub(crate) framed: bool,
}

impl Body {
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Broken> {
        let window = WINDOW.max(self.idle);
        let patience = self.idle.min(window.saturating_sub(self.waited));
        let mut timeout = Timeout::new(patience);
        let chunk = timeout.run(self.response.chunk()).await;
        self.waited += patience.saturating_sub(timeout.left());
        match chunk {
            Ok(Ok(chunk)) => {
                self.came += chunk.as_ref().map_or(0, Bytes::len);
                if self.came >= LEAST_BYTES {
                    self.came = 0;
                    self.waited = Duration::ZERO;
                }
                Ok(chunk)
            }
            Ok(Err(error)) => Err(Broken::lost(error)),
            Err(Elapsed) if patience < self.idle => Err(Broken::slow(window)),
            Err(Elapsed) => Err(Broken::stalled(self.idle)),
        }
    }
}

/// Asks for the file, or for what of it stands behind `begun` bytes.
pub(crate) async fn ask(
    downloads: &Downloads,
    url: &Url,
    begun: Option<(u64, &Validator)>,
) -> Answer {
    // The key belongs to the API's host. This request goes elsewhere and has no credentials of ours.
    let http = match downloads.client.get(url) {
        Ok(http) => http,
        Err(error) => {
            return Answer::Refused {
                status: None,
                why: error.summary().to_owned(),
            };
        }
    };
    let mut request = http.get(url.clone());
    request = request.header(ACCEPT_ENCODING, "identity");
    if let Some((position, validator)) = begun {
        request = request
            .header(RANGE, format!("bytes={position}-"))
            .header(IF_RANGE, validator.value.clone());
    }
    let response = match Timeout::new(downloads.http.settings.read_timeout)
        .run(request.send())
        .await
    {
        Ok(Ok(response)) => response,
        Ok(Err(error)) if error.is_redirect() => return misled(error),
        Ok(Err(error)) => return Answer::Nothing(Broken::lost(error)),
        Err(Elapsed) => {
            return Answer::Nothing(Broken::stalled(downloads.http.settings.read_timeout));
        }
    };
    // A client that the caller brings may follow where ours does not.
    if redirect::gives_up_encryption(url, response.url()) {
        return Answer::Refused {
            status: Some(response.status()),
            why: "the result host led to an unencrypted address".to_owned(),
        };
    }
    read(downloads, response, begun)
}

fn misled(error: reqwest::Error) -> Answer {
    let reason = std::error::Error::source(&error).map(ToString::to_string);
    let reason = reason.unwrap_or_else(|| "a redirect that cannot be followed".to_owned());
    Answer::Refused {
        status: None,
        why: format!("the result host led elsewhere: {reason}"),
    }
}

fn read(downloads: &Downloads, response: Response, begun: Option<(u64, &Validator)>) -> Answer {
    let status = response.status();
    match (status, begun) {
        (StatusCode::PARTIAL_CONTENT, _) => part(downloads, response, begun),
        // What the bytes are is for the bytes to say: a proxy answers 203, and other hosts have other words for success.
        _ if status.is_success() => Answer::Whole {
            length: response.content_length(),
            validator: validator(&response),
            body: body(downloads, response),
        },
        (StatusCode::RANGE_NOT_SATISFIABLE, Some(_)) => {
            Answer::Other("the file is shorter than it was".to_owned())
        }
        (
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS,
            _,
        ) => failing(downloads, &response),
        // Hosts differ in what they say about a URL that has expired or whose signature they do not accept.
        _ if status.is_client_error() => Answer::Gone(status),
        _ if status.is_server_error() => failing(downloads, &response),
        _ => Answer::Refused {
            status: Some(status),
            why: format!("the result host answered something else than the file ({status})"),
        },
    }
}

fn failing(downloads: &Downloads, response: &Response) -> Answer {
    let status = response.status();
    let limited = status == StatusCode::TOO_MANY_REQUESTS;
    let now = downloads.http.clock.system_time();
    let wait = retry_headers::wait(response.headers(), limited, now);
    let mut why = format!("the result host failed ({status})");
    if let Some(wait) = wait {
        why.push_str(&format!(
            " and asks to wait {} s",
            retry_headers::whole_seconds(wait)
        ));
    }
    Answer::Nothing(Broken {
        status: Some(status),
        wait,
        ..Broken::new(why)
    })
}

/// A part that begins with the first byte is the file, or the beginning of it. So is one that nobody asked for and that
/// does not say which part it is.
fn part(downloads: &Downloads, response: Response, begun: Option<(u64, &Validator)>) -> Answer {
    let part = content::part(response.headers());
    match (part.map(|part| part.first), begun) {
        (Some(0), _) | (None, None) => Answer::Whole {
            length: match part {
                Some(part) => part.total,
                None => response.content_length(),
            },
            validator: validator(&response),
            body: body(downloads, response),
        },
        (_, Some((position, known))) => rest(downloads, response, position, known),
        (Some(first), None) => Answer::Refused {
            status: Some(response.status()),
            why: format!("the result host sent the file from byte {first} on"),
        },
    }
}

/// A part may be joined to what is there only if it begins right behind it and belongs to the same state of the file.
fn rest(downloads: &Downloads, response: Response, position: u64, known: &Validator) -> Answer {
    let other = |why: &str| Answer::Other(why.to_owned());
    let headers = response.headers();
    if content::coding(headers) != known.coding {
        return other("the host sent the rest in another coding");
    }
    let Some(part) = content::part(headers) else {
        return other("the host does not say which part it sent");
    };
    if part.first != position {
        return other("the host sent another part than asked for");
    }
    // A part need not repeat the validator, since the host has compared it; if it does, then truly.
    let place = place(response.url());
    let renamed = [ETAG, LAST_MODIFIED]
        .iter()
        .filter(|name| is_of_kind(&known.value, name))
        .filter_map(|name| headers.get(name))
        .any(|value| *value != known.value);
    if place != known.place || renamed {
        return other("the file has changed");
    }
    Answer::Rest {
        length: part.total,
        body: body(downloads, response),
    }
}

/// Whether a validator came from the header `name`: entity tags are quoted, dates are not.
fn is_of_kind(value: &HeaderValue, name: &http::HeaderName) -> bool {
    value.as_bytes().starts_with(b"\"") == (name == ETAG)
}

fn body(downloads: &Downloads, response: Response) -> Body {
    let framed = response.version() > Version::HTTP_11
        || response.content_length().is_some()
        || response.headers().contains_key(TRANSFER_ENCODING);
    Body {
        coding: content::coding(response.headers()),
        response,
        idle: downloads.http.settings.read_timeout,
        came: 0,
        waited: Duration::ZERO,
        framed,
    }
}

fn place(url: &Url) -> String {
    url[..url::Position::AfterPath].to_owned()
}

/// The name of this state of the file: an entity tag that is not weak, or a date of change that lies so far back that
/// no later change can have the same.
fn validator(response: &Response) -> Option<Validator> {
    let headers = response.headers();
    let tag = headers.get(ETAG).filter(|tag| {
        let tag = tag.as_bytes();
        tag.len() >= 2 && tag.starts_with(b"\"") && tag.ends_with(b"\"")
    });
    let value = tag.or_else(|| {
        let date = |name| httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok();
        let settled = date(DATE)?.duration_since(date(LAST_MODIFIED)?).ok()?;
        headers
            .get(LAST_MODIFIED)
            .filter(|_| settled >= Duration::from_secs(1))
    })?;
    Some(Validator {
        place: place(response.url()),
        coding: content::coding(headers),
        value: value.clone(),
    })
}
