//! The console: its pages, their streams, its buttons and its guard, over HTTP.

mod actions;
#[cfg(unix)]
mod browser;
mod guard;
mod live;
mod pages;
mod secrets;

use http::{Method, header};
use kling_omni_sandbox::SandboxBuilder;

use crate::harness::{Bench, TestResponse};

/// A sandbox with a console.
pub struct ConsoleBench {
    pub bench: Bench,
    pub url: String,
}

impl ConsoleBench {
    pub async fn start() -> Self {
        Self::with(|builder| builder).await
    }

    pub async fn with(set: impl FnOnce(SandboxBuilder) -> SandboxBuilder) -> Self {
        let bench = Bench::with(|builder| set(builder.console(0))).await;
        let url = bench.sandbox.console_url().unwrap().to_owned();
        Self { bench, url }
    }

    /// Reads a page.
    pub async fn get(&self, path: &str) -> TestResponse {
        TestResponse::to(self.bench.http.get(format!("{}{path}", self.url))).await
    }

    /// Reads a page, and returns its HTML.
    pub async fn page(&self, path: &str) -> String {
        let response = self.get(path).await;
        assert_eq!(response.status, 200, "{path}: {response:?}");
        response.text().to_owned()
    }

    /// Submits a form on a page, as a browser does, and returns the response without following it.
    pub async fn submit(&self, page: &str, action: &str, fields: &[(&str, &str)]) -> TestResponse {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let request = http
            .request(Method::POST, format!("{}{action}", self.url))
            .header(header::ORIGIN, &self.url)
            .header(header::REFERER, format!("{}{page}", self.url))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        TestResponse::to(request).await
    }
}

/// Returns the part of a page with this id.
pub fn part<'a>(page: &'a str, id: &str) -> &'a str {
    let start = format!("<div id=\"{id}\" class=\"part\"");
    let start = page
        .find(&start)
        .unwrap_or_else(|| panic!("no part {id} in {page}"));
    let rest = &page[start..];
    let next = rest[1..]
        .find("<div id=\"")
        .map_or(rest.len(), |end| end + 1);
    &rest[..next]
}
