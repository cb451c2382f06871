//! Inspects a file behind a URL, by a few ranges of it.

mod address;

use std::error::Error as StdError;
use std::ops::Range;
use std::sync::OnceLock;
use std::time::Duration;

use http::StatusCode;
use http::header::{ACCEPT_ENCODING, LOCATION, RANGE};
use media_probe::{Limits, MediaInfo, Prober, Step};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response};
use url::Url;

use crate::engine::download::redirect;
use crate::engine::http::client::{build_direct_http_client, build_http_client};
use crate::engine::http::content;
use crate::engine::http::proxy::Proxies;
use crate::engine::http::timeout::{Elapsed, Timeout};
use crate::preflight::inspected_file::InspectResult;
use crate::preflight::remote::address::{PublicResolver, RefusedAddress};

/// For one file, all requests together. In real time, as every limit on exchanges is.
const DEADLINE: Duration = Duration::from_secs(20);
const CONNECT: Duration = Duration::from_secs(10);

/// The HTTP clients for files of strangers, which carry nothing of ours. Made when first needed.
#[derive(Debug, Default)]
pub(crate) struct RemoteInspector {
    /// Connects to public addresses only, and to no proxy.
    direct: OnceLock<Option<Client>>,
    /// Connects to any address, through the proxies of the environment.
    anywhere: OnceLock<Option<Client>>,
}

impl RemoteInspector {
    pub(super) async fn inspect(&self, url: &str, allows_private: bool) -> InspectResult {
        let reason = match Timeout::new(DEADLINE)
            .run(self.probe(url, allows_private))
            .await
        {
            Ok(Ok(probed)) => return InspectResult::Probed(Box::new(probed)),
            Ok(Err(reason)) => reason,
            Err(Elapsed) => format!("there was no answer within {} s", DEADLINE.as_secs()),
        };
        InspectResult::Unknown(format!("could not be looked at: {reason}"))
    }

    async fn probe(&self, url: &str, allows_private: bool) -> Result<MediaInfo, String> {
        let url = Url::parse(url).map_err(|_| "its URL cannot be read")?;
        let mut fetcher = RangeFetcher {
            remote: self,
            allows_private,
            url,
            checked: None,
        };
        let mut prober = Prober::new(Limits::remote());
        while let Some(range) = prober.request() {
            let first = prober.requests() == 1;
            match fetcher.fetch(range, &mut prober).await {
                Ok(()) => {}
                Err(reason) if first => return Err(reason),
                // What was seen before counts, and the prober says what is missing.
                Err(reason) => {
                    tracing::debug!(reason, "range of a remote file could not be read");
                    break;
                }
            }
        }
        Ok(prober.finish())
    }

    fn direct(&self) -> Option<&Client> {
        let made = || {
            let builder = builder().dns_resolver(PublicResolver);
            build_direct_http_client(builder, CONNECT, Policy::none()).ok()
        };
        self.direct.get_or_init(made).as_ref()
    }

    fn anywhere(&self) -> Option<&Client> {
        let made = || build_http_client(builder(), CONNECT, Policy::none()).ok();
        self.anywhere.get_or_init(made).as_ref()
    }
}

fn builder() -> ClientBuilder {
    Client::builder().user_agent(concat!("kling-omni/", env!("CARGO_PKG_VERSION")))
}

/// The requests for one file, which remember where redirects led.
struct RangeFetcher<'a> {
    remote: &'a RemoteInspector,
    allows_private: bool,
    url: Url,
    /// The last URL whose target was checked.
    checked: Option<Url>,
}

impl<'a> RangeFetcher<'a> {
    async fn fetch(&mut self, range: Range<u64>, prober: &mut Prober) -> Result<(), String> {
        let response = self.ask(&range).await?;
        let headers = response.headers();
        if content::coding(headers).is_some() {
            return Err("it is sent compressed".to_owned());
        }
        match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                let part =
                    content::partial_range(headers).ok_or("its Content-Range cannot be read")?;
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
                let total =
                    content::unsatisfied_length(headers).ok_or("its server takes no ranges")?;
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
            let response = self
                .client()
                .await?
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
            if let Some(reason) = redirect::violation(&asked, &self.url) {
                return Err(reason);
            }
        }
    }

    /// The client for the next request. The target is checked, never the proxy: where a proxy stands between, its own
    /// resolver decides in the end, so a name must lead to public addresses here, too, and to no others.
    async fn client(&mut self) -> Result<&'a Client, String> {
        if !matches!(self.url.scheme(), "http" | "https") {
            return Err("it is neither http nor https".to_owned());
        }
        let is_proxied = Proxies::from_env()
            .covers(&self.url)
            .map_err(|error| error.summary().to_owned())?;
        // Addresses that stand in the URL itself are never resolved.
        if !self.allows_private && !address::may_be_public(&self.url) {
            return Err(RefusedAddress::Private.to_string());
        }
        if !self.allows_private && is_proxied && self.checked.as_ref() != Some(&self.url) {
            let checked = address::check_target(&self.url).await;
            checked.map_err(|refused| refused.to_string())?;
            self.checked = Some(self.url.clone());
        }
        let client = match self.allows_private || is_proxied {
            true => self.remote.anywhere(),
            false => self.remote.direct(),
        };
        client.ok_or_else(|| "there is no HTTP client".to_owned())
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
        if one.is::<RefusedAddress>() {
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
