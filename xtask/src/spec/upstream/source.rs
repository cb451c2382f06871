//! Where the vendor's document comes from.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use url::Url;

use openapi_diff::document::Document;

#[cfg(feature = "fetch")]
mod fetch;

/// Reads the vendor's document from a file, or from a URL that begins with `http://` or `https://`.
///
/// # Errors
///
/// Fails if it is not available, or is not an OpenAPI document of a supported version.
pub fn read(source: &str) -> Result<Document> {
    let document = match source.split_once("://") {
        Some(("http" | "https", _)) => {
            let url = Url::parse(source).with_context(|| format!("`{source}` is not a URL"))?;
            let name = shown(&url);
            let body = fetch(url).with_context(|| format!("cannot fetch {name}"))?;
            Document::parse(&name, &body)?
        }
        Some((scheme, _)) => bail!("cannot fetch {source}: `{scheme}` is neither http nor https"),
        None => Document::read(Path::new(source), source)?,
    };
    document.require_openapi()?;
    Ok(document)
}

/// Gets what a URL names.
///
/// # Errors
///
/// When it cannot be had, or is too large or no document.
#[cfg(feature = "fetch")]
pub fn fetch(url: Url) -> Result<Vec<u8>> {
    fetch::fetch(url)
}

/// Gets what a URL names, through this program built with what that takes. The TLS library needs longer to build than
/// all the rest, and few commands need it.
///
/// # Errors
///
/// When it cannot be had, or is too large or no document.
#[cfg(not(feature = "fetch"))]
pub fn fetch(url: Url) -> Result<Vec<u8>> {
    use std::env;
    use std::process::{Command, Stdio};

    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["run", "--quiet", "--package", "xtask"])
        .args(["--features", "fetch", "--", "spec", "fetch", url.as_str()])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!("nothing came");
    }
    Ok(output.stdout)
}

/// The URL without what may be secret in it.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Both fail only on URLs that cannot have them, and those have none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}
