//! The proxies in the environment: which URLs they cover, and which settings cannot be used.

use std::ffi::OsString;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{ClientBuilder, NoProxy, Proxy};
use url::Url;

use crate::engine::error::{Error, ErrorKind, Result};
use crate::environment;

const HELP: &str = "use http://, https://, socks4://, socks4a://, socks5:// or socks5h://HOST:PORT (not socks://, which does \
                    not say whether the proxy resolves names), or list the host in NO_PROXY";

/// The address that replaces a proxy that cannot be used. Connections to port 0 fail, so no request bypasses the proxy.
const UNREACHABLE: &str = "http://127.0.0.1:0";

/// `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, in upper or lower case. An empty variable counts as unset.
#[derive(Debug)]
pub(crate) struct Proxies {
    http: ProxySetting,
    https: ProxySetting,
    exceptions: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum ProxySetting {
    Unset,
    Proxy(Url),
    /// The name of the variable, and what is wrong with its value. The value is not kept: it may contain a password.
    Unusable(&'static str, &'static str),
}

/// A variable of the environment that configures proxies.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyVariable {
    /// The name.
    pub name: &'static str,
    /// The value, without credentials. Empty if it cannot be used.
    pub value: String,
    /// Why the value cannot be used.
    pub problem: Option<&'static str>,
}

/// The variables of the environment that a client uses for proxies, in the order in which they apply.
#[doc(hidden)]
pub fn proxy_variables() -> Vec<ProxyVariable> {
    let names = [http_names(environment::variable), &HTTPS, &ALL, &EXCEPTIONS];
    let found = names
        .into_iter()
        .filter_map(|names| first(environment::variable, names));
    let variables = found.map(|(name, value)| {
        let (value, problem) = match EXCEPTIONS.contains(&name) {
            true => (value.to_string_lossy().into_owned(), None),
            false => match proxy(value) {
                Ok(url) => (without_credentials(url), None),
                Err(problem) => (String::new(), Some(problem)),
            },
        };
        ProxyVariable {
            name,
            value,
            problem,
        }
    });
    variables.collect()
}

const HTTPS: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];
const ALL: [&str; 2] = ["ALL_PROXY", "all_proxy"];
const EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// The variables for http. A CGI program gets the header `Proxy` of an untrusted request as HTTP_PROXY.
fn http_names(variable: impl Fn(&str) -> Option<OsString>) -> &'static [&'static str] {
    match variable("REQUEST_METHOD") {
        Some(_) => &["http_proxy"],
        None => &["HTTP_PROXY", "http_proxy"],
    }
}

/// The first of the variables that is set and not empty.
fn first(
    variable: impl Fn(&str) -> Option<OsString>,
    names: &[&'static str],
) -> Option<(&'static str, OsString)> {
    names.iter().find_map(|name| {
        let value = variable(name).filter(|value| !value.is_empty())?;
        Some((*name, value))
    })
}

/// The scheme, the host and the port.
fn without_credentials(mut url: Url) -> String {
    // Both fail only for URLs that cannot have them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url[..url::Position::BeforePath].to_owned()
}

impl Proxies {
    pub(crate) fn from_env() -> Self {
        Self::read(environment::variable)
    }

    fn read(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let first = |names: &[&'static str]| first(&variable, names);
        let setting = |names: &[&'static str]| {
            first(names)
                .or_else(|| first(&ALL))
                .map_or(ProxySetting::Unset, |(name, value)| {
                    ProxySetting::new(name, value)
                })
        };
        Self {
            http: setting(http_names(&variable)),
            https: setting(&HTTPS),
            exceptions: first(&EXCEPTIONS)
                .map(|(_, value)| value.to_string_lossy().into_owned())
                .unwrap_or_default(),
        }
    }

    /// Configures a client to use these proxies. Without any, the client keeps its own default.
    pub(crate) fn set_on(&self, builder: ClientBuilder) -> ClientBuilder {
        if (&self.http, &self.https) == (&ProxySetting::Unset, &ProxySetting::Unset) {
            return builder;
        }
        let exceptions = NoProxy::from_string(&self.exceptions);
        let http = self.http.url().map(Proxy::http);
        let https = self.https.url().map(Proxy::https);
        [http, https]
            .into_iter()
            .flatten()
            .flatten()
            .map(|proxy| proxy.no_proxy(exceptions.clone()))
            .fold(builder.no_proxy(), ClientBuilder::proxy)
    }

    /// Whether requests to `url` go through a proxy.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] if the proxy for `url` cannot be used.
    pub(crate) fn covers(&self, url: &Url) -> Result<bool> {
        let setting = match url.scheme() {
            "https" => &self.https,
            _ => &self.http,
        };
        let (ProxySetting::Proxy(_) | ProxySetting::Unusable(..), false) =
            (setting, self.excepts(url))
        else {
            return Ok(false);
        };
        match setting {
            ProxySetting::Unusable(name, problem) => Err(Error::uncharged(
                ErrorKind::Configuration,
                format!("the proxy in {name} {problem}"),
            )
            .with_help(HELP)),
            _ => Ok(true),
        }
    }

    fn excepts(&self, url: &Url) -> bool {
        let any = Matcher::builder()
            .all(UNREACHABLE)
            .no(&*self.exceptions)
            .build();
        let url: Option<Uri> = url.as_str().parse().ok();
        url.is_none_or(|url| any.intercept(&url).is_none())
    }
}

impl ProxySetting {
    fn new(name: &'static str, value: OsString) -> Self {
        match proxy(value) {
            Ok(url) => Self::Proxy(url),
            Err(problem) => Self::Unusable(name, problem),
        }
    }

    fn url(&self) -> Option<&str> {
        match self {
            Self::Unset => None,
            Self::Proxy(url) => Some(url.as_str()),
            Self::Unusable(..) => Some(UNREACHABLE),
        }
    }
}

fn proxy(value: OsString) -> std::result::Result<Url, &'static str> {
    let value = value.into_string().map_err(|_| "is not UTF-8")?;
    let value = value.trim();
    let url = match value.contains("://") {
        true => Url::parse(value),
        false => Url::parse(&format!("http://{value}")),
    };
    let url = url.map_err(|_| "is not a URL")?;
    if !matches!(
        url.scheme(),
        "http" | "https" | "socks4" | "socks4a" | "socks5" | "socks5h"
    ) {
        return Err("has an unsupported scheme");
    }
    // The HTTP client silently ignores a value that it cannot parse, so parse it first.
    let read = Matcher::builder().all(url.as_str()).build();
    match read.intercept(&Uri::from_static("http://example.com/")) {
        Some(_) => Ok(url),
        None => Err("has no usable host"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        Proxies::read(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.into())
        })
    }

    #[test]
    fn covers_matches_scheme_and_exceptions() {
        for (variables, url, covered) in [
            (&[][..], "http://a.example/", false),
            (&[("HTTP_PROXY", "p:1")], "http://a.example/", true),
            (&[("HTTP_PROXY", "p:1")], "https://a.example/", false),
            (&[("https_proxy", "http://p:1")], "https://a.example/", true),
            (&[("ALL_PROXY", "socks5h://p")], "https://a.example/", true),
            (
                &[("all_proxy", "socks4a://u:p@p:1")],
                "http://a.example/",
                true,
            ),
            (
                &[("ALL_PROXY", ""), ("all_proxy", "p")],
                "http://a.example/",
                true,
            ),
            (&[("HTTP_PROXY", " http://p:1 ")], "http://a.example/", true),
            (
                &[("HTTP_PROXY", ""), ("ALL_PROXY", "")],
                "http://a.example/",
                false,
            ),
            (
                &[("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "p")],
                "http://a.example/",
                false,
            ),
            (
                &[("REQUEST_METHOD", "GET"), ("HTTPS_PROXY", "p")],
                "https://a.example/",
                true,
            ),
            (
                &[("ALL_PROXY", "p"), ("NO_PROXY", "b.example, .example")],
                "http://a.example/",
                false,
            ),
            (
                &[("ALL_PROXY", "p"), ("no_proxy", "127.0.0.0/8")],
                "http://127.0.0.1:80/",
                false,
            ),
            (
                &[("ALL_PROXY", "p"), ("NO_PROXY", "*")],
                "http://a.example/",
                false,
            ),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(
                proxies(variables).covers(&url).unwrap(),
                covered,
                "{variables:?}"
            );
        }
    }

    #[test]
    fn unusable_proxy_is_named_without_its_value() {
        let url = Url::parse("https://a.example/").unwrap();
        for value in [
            "socks://u:needle@p:1",
            "SOCKS6://needle",
            "ftp://needle",
            "file:///needle",
            "needle://p",
            "http://",
            "http://needle@",
            "http://[::1/needle",
            "http://p:needle",
            "socks5://u:needle@",
            "socks5h://p needle:1",
            "://needle",
            "  ",
        ] {
            for name in ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"] {
                let broken = proxies(&[(name, value)]);
                let error = broken.covers(&url).expect_err(value).to_string();
                assert!(error.contains(name) && !error.contains("needle"), "{error}");
                let excepted = proxies(&[(name, value), ("NO_PROXY", "a.example")]);
                assert!(!excepted.covers(&url).unwrap());
            }
        }
    }
}
