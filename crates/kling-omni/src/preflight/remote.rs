//! Looks at a file behind a URL, by a few ranges of it.

mod address;

use std::error::Error as StdError;
use std::ops::Range;
use std::sync::OnceLock;
use std::time::Duration;

use http::StatusCode;
use http::header::{ACCEPT_ENCODING, LOCATION, RANGE};
use kling_omni_probe::{Limits, Prober, Step};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use url::Url;

use self::address::{PrivateAddress, PublicOnly};
use super::looked::Seen;
use crate::content;
use crate::session::stack;
use crate::video::redirect;

/// For one file, all requests together. In real time, as every limit on exchanges is.
const DEADLINE: Duration = Duration::from_secs(20);
const CONNECT: Duration = Duration::from_secs(10);

/// The HTTP clients for files of strangers, which carry nothing of ours. Made when first needed.
#[derive(Debug, Default)]
pub(crate) struct Remote {
    public: OnceLock<Option<Client>>,
    anywhere: OnceLock<Option<Client>>,
}

impl Remote {
    /// Looks at the file behind a URL.
    pub(super) async fn look(&self, url: &str, allows_private: bool) -> Seen {
        let why = match tokio::time::timeout(DEADLINE, self.probe(url, allows_private)).await {
            Ok(Ok(seen)) => return seen,
            Ok(Err(why)) => why,
            Err(_) => format!("there was no answer within {} s", DEADLINE.as_secs()),
        };
        Seen::Unknown(format!("could not be looked at: {why}"))
    }

    async fn probe(&self, url: &str, allows_private: bool) -> Result<Seen, String> {
        let client = self
            .client(allows_private)
            .ok_or("there is no HTTP client")?;
        let url = Url::parse(url).map_err(|_| "its URL cannot be read")?;
        let mut visit = Visit {
            client,
            allows_private,
            url,
        };
        let mut prober = Prober::new(Limits::remote());
        while let Some(range) = prober.request() {
            let first = prober.requests() == 1;
            match visit.fetch(range, &mut prober).await {
                Ok(()) => {}
                Err(why) if first => return Err(why),
                // What was seen before counts, and the prober says what is missing.
                Err(why) => {
                    tracing::debug!(why, "a range of a file could not be had");
                    break;
                }
            }
        }
        Ok(Seen::Probed(Box::new(prober.finish())))
    }

    fn client(&self, allows_private: bool) -> Option<&Client> {
        let builder =
            || Client::builder().user_agent(concat!("kling-omni/", env!("CARGO_PKG_VERSION")));
        let made = |builder| stack(builder, CONNECT, Policy::none()).ok();
        let client = match allows_private {
            true => self.anywhere.get_or_init(|| made(builder())),
            false => {
                let public = || made(builder().dns_resolver(PublicOnly));
                self.public.get_or_init(public)
            }
        };
        client.as_ref()
    }
}

/// The requests for one file, which remember where redirects led.
struct Visit<'a> {
    client: &'a Client,
    allows_private: bool,
    url: Url,
}

impl Visit<'_> {
    async fn fetch(&mut self, range: Range<u64>, prober: &mut Prober) -> Result<(), String> {
        let response = self.ask(&range).await?;
        let headers = response.headers();
        if content::is_encoded(headers) {
            return Err("it is sent compressed".to_owned());
        }
        match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                let part = content::part(headers).ok_or("its Content-Range cannot be read")?;
                let both = prober.total().zip(part.total);
                let has_changed = both.is_some_and(|(known, said)| known != said);
                if part.first != range.start || has_changed {
                    return Err("its Content-Range is not what was asked for".to_owned());
                }
                if let Some(total) = part.total {
                    prober.set_total(total);
                }
                read(response, part.first..(part.last + 1).min(range.end), prober).await
            }
            StatusCode::OK => {
                if let Some(total) = response.content_length() {
                    prober.set_total(total);
                }
                read(response, 0..u64::MAX, prober).await
            }
            StatusCode::RANGE_NOT_SATISFIABLE => {
                let total = content::unsatisfied(headers).ok_or("its server takes no ranges")?;
                prober.set_total(total);
                Ok(())
            }
            status => Err(format!("its server answered {}", status.as_u16())),
        }
    }

    /// Sends the request, to wherever redirects lead.
    async fn ask(&mut self, range: &Range<u64>) -> Result<Response, String> {
        let mut asked = Vec::new();
        loop {
            self.check()?;
            let response = self
                .client
                .get(self.url.clone())
                .header(RANGE, format!("bytes={}-{}", range.start, range.end - 1))
                .header(ACCEPT_ENCODING, "identity")
                .send()
                .await
                .map_err(told)?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let next = response.headers().get(LOCATION);
            let next = next.and_then(|next| self.url.join(next.to_str().ok()?).ok());
            let next = next.ok_or("its server redirects to nowhere")?;
            asked.push(std::mem::replace(&mut self.url, next));
            if let Some(why) = redirect::refusal(&asked, &self.url) {
                return Err(why);
            }
        }
    }

    /// Addresses that stand in the URL itself are never resolved.
    fn check(&self) -> Result<(), String> {
        if !matches!(self.url.scheme(), "http" | "https") {
            return Err("it is neither http nor https".to_owned());
        }
        if !self.allows_private && !address::may_be_public(&self.url) {
            return Err(PrivateAddress.to_string());
        }
        Ok(())
    }
}

/// Feeds what comes, as far as it is wanted and within `part`.
async fn read(mut response: Response, part: Range<u64>, prober: &mut Prober) -> Result<(), String> {
    let mut at = part.start;
    while let Some(chunk) = response.chunk().await.map_err(told)? {
        let room = usize::try_from(part.end - at).unwrap_or(usize::MAX);
        let chunk = &chunk[..chunk.len().min(room)];
        let step = prober.feed(at, chunk);
        at += chunk.len() as u64;
        if step == Step::Done || at == part.end {
            return Ok(());
        }
    }
    match part.end {
        // A whole file that did not say how long it is.
        u64::MAX => prober.set_total(at),
        _ => return Err("its server sent less than it said".to_owned()),
    }
    Ok(())
}

/// In words, without the URL, which may hold a token.
fn told(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
    while let Some(one) = cause {
        if one.is::<PrivateAddress>() {
            return one.to_string();
        }
        cause = one.source();
    }
    match error.is_timeout() {
        true => "its server did not answer in time".to_owned(),
        false if error.is_connect() => "its server cannot be reached".to_owned(),
        false => "the connection to its server was lost".to_owned(),
    }
}
