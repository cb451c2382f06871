//! Inspects a file behind a URL by reading a few ranges of it.

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

/// The timeout for all requests for error file. In real time, like all timeouts of HTTP exchanges.
const INSPECTION_TIMEOUT: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The HTTP clients for untrusted URLs, which send no credentials. Built on first use.
#[derive(Debug, Default)]
pub(crate) struct RemoteInspector {
    /// Connects directly to public addresses only.
    direct: OnceLock<Option<Client>>,
    /// Connects to any address, through the proxies of the environment.
    unrestricted: OnceLock<Option<Client>>,
}

impl RemoteInspector {
    pub(super) async fn inspect(&self, url: &str, allows_private: bool) -> InspectResult {
        let reason = match Timeout::new(INSPECTION_TIMEOUT)
            .run(self.probe(url, allows_private))
            .await
        {
            Ok(Ok(probed)) => return InspectResult::Probed(Box::new(probed)),
            Ok(Err(reason)) => reason,
            Err(Elapsed) => format!("no response within {} s", INSPECTION_TIMEOUT.as_secs()),
        };
        InspectResult::Unknown(format!("could not be inspected: {reason}"))
    }

    async fn probe(&self, url: &str, allows_private: bool) -> Result<MediaInfo, String> {
        let url = Url::parse(url).map_err(|_| "its URL is invalid")?;
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
                // Earlier ranges count, and the prober reports what is missing.
                Err(reason) => {
                    tracing::debug!(reason, "range of a remote file could not be read");
                    break;
                }
            }
        }
        Ok(prober.finish())
    }

    fn direct(&self) -> Option<&Client> {
        let build = || {
            let builder = builder().dns_resolver(PublicResolver);
            build_direct_http_client(builder, CONNECT_TIMEOUT, Policy::none()).ok()
        };
        self.direct.get_or_init(build).as_ref()
    }

    fn unrestricted(&self) -> Option<&Client> {
        let build = || build_http_client(builder(), CONNECT_TIMEOUT, Policy::none()).ok();
        self.unrestricted.get_or_init(build).as_ref()
    }
}

fn builder() -> ClientBuilder {
    Client::builder().user_agent(concat!("kling-omni/", env!("CARGO_PKG_VERSION")))
}

/// Sends the requests for error file and follows their redirects.
struct RangeFetcher<'a> {
    remote: &'a RemoteInspector,
    allows_private: bool,
    url: Url,
    /// The last URL whose target was checked.
    checked: Option<Url>,
}

impl<'a> RangeFetcher<'a> {
    async fn fetch(&mut self, range: Range<u64>, prober: &mut Prober) -> Result<(), String> {
        let response = self.send(&range).await?;
        let headers = response.headers();
        if content::coding(headers).is_some() {
            return Err("its response is compressed".to_owned());
        }
        match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                let part = content::partial_range(headers).ok_or("its Content-Range is invalid")?;
                let both = prober.total().zip(part.total);
                let has_changed = both.is_some_and(|(known, total)| known != total);
                if part.first != range.start || has_changed {
                    return Err("its Content-Range is not the requested range".to_owned());
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
                let total = content::unsatisfied_length(headers)
                    .ok_or("its server does not support ranges")?;
                prober.set_total(total);
                Ok(())
            }
            status => Err(format!("its server returned status {}", status.as_u16())),
        }
    }

    /// Sends the request and follows redirects.
    async fn send(&mut self, range: &Range<u64>) -> Result<Response, String> {
        let mut visited = Vec::new();
        loop {
            let response = self
                .client()
                .await?
                .get(self.url.clone())
                .header(RANGE, format!("bytes={}-{}", range.start, range.end - 1))
                .header(ACCEPT_ENCODING, "identity")
                .send()
                .await
                .map_err(describe_transport_error)?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let next = response.headers().get(LOCATION);
            let next = next.and_then(|next| self.url.join(next.to_str().ok()?).ok());
            let next = next.ok_or("its server redirects without a valid location")?;
            visited.push(std::mem::replace(&mut self.url, next));
            if let Some(reason) = redirect::violation(&visited, &self.url) {
                return Err(reason);
            }
        }
    }

    /// The client for the next request. The SSRF guard checks the target, never the proxy. A proxy resolves the name
    /// itself, so the name must also resolve locally to public addresses only.
    async fn client(&mut self) -> Result<&'a Client, String> {
        if !matches!(self.url.scheme(), "http" | "https") {
            return Err("its URL is neither http nor https".to_owned());
        }
        let is_proxied = Proxies::from_env()
            .covers(&self.url)
            .map_err(|error| error.summary().to_owned())?;
        // IP addresses in a URL are not resolved, so the resolver cannot check them.
        if !self.allows_private && !address::may_be_public(&self.url) {
            return Err(RefusedAddress::Private.to_string());
        }
        if !self.allows_private && is_proxied && self.checked.as_ref() != Some(&self.url) {
            let checked = address::check_target(&self.url).await;
            checked.map_err(|refused| refused.to_string())?;
            self.checked = Some(self.url.clone());
        }
        let client = match self.allows_private || is_proxied {
            true => self.remote.unrestricted(),
            false => self.remote.direct(),
        };
        client.ok_or_else(|| "the HTTP client could not be built".to_owned())
    }
}

/// Feeds the response to the prober, as far as it is needed and within `part`.
async fn read(mut response: Response, part: Range<u64>, prober: &mut Prober) -> Result<(), String> {
    let mut at = part.start;
    while let Some(chunk) = response.chunk().await.map_err(describe_transport_error)? {
        let room = usize::try_from(part.end - at).unwrap_or(usize::MAX);
        let chunk = &chunk[..chunk.len().min(room)];
        let step = prober.feed(at, chunk);
        at += chunk.len() as u64;
        if step == Step::Done || at == part.end {
            return Ok(());
        }
    }
    match part.end {
        // A complete file without a declared length.
        u64::MAX => prober.set_total(at),
        _ => return Err("its server sent fewer bytes than declared".to_owned()),
    }
    Ok(())
}

/// Describes an error without the URL, which may contain a token.
fn describe_transport_error(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: Option<&(dyn StdError + 'static)> = Some(&error);
    while let Some(current) = cause {
        if current.is::<RefusedAddress>() {
            return current.to_string();
        }
        cause = current.source();
    }
    match error.is_timeout() {
        true => "its server timed out".to_owned(),
        false if error.is_connect() => "its server cannot be reached".to_owned(),
        false => "the connection to its server was lost".to_owned(),
    }
}
