//! Where the vendor's document comes from.

use std::path::Path;

use anyhow::{Result, bail};

use crate::spec::document::Document;

#[cfg(feature = "fetch")]
mod fetch;

/// Reads the vendor's document from a file, or from a URL that begins with `http://` or `https://`.
///
/// # Errors
///
/// When it cannot be had, or when what came is no OpenAPI document of an edition that is read.
pub fn read(source: &str) -> Result<Document> {
    let document = match source.split_once("://") {
        Some(("http" | "https", _)) => fetched(source)?,
        Some((scheme, _)) => bail!("cannot fetch {source}: `{scheme}` is neither http nor https"),
        None => Document::read(Path::new(source), source)?,
    };
    check(&document)?;
    Ok(document)
}

#[cfg(feature = "fetch")]
fn fetched(url: &str) -> Result<Document> {
    fetch::fetch(url)
}

#[cfg(not(feature = "fetch"))]
fn fetched(url: &str) -> Result<Document> {
    bail!("cannot fetch {url}: this xtask was built without the feature `fetch`; give it a file")
}

fn check(document: &Document) -> Result<()> {
    let name = &document.name;
    let Some(edition) = document.tree.get("openapi") else {
        let kind = document.tree.kind();
        bail!("{name} is no OpenAPI document: it is {kind} without `openapi`");
    };
    let known = edition
        .as_text()
        .is_some_and(|edition| edition.starts_with("3.0.") || edition.starts_with("3.1."));
    if !known {
        let line = document.position("/openapi");
        bail!(
            "{name}:{line}: `openapi` is not 3.0.x or 3.1.x, so nothing is known about its meaning"
        );
    }
    let paths = document.tree.get("paths");
    if paths.is_none_or(|paths| paths.entries().next().is_none()) {
        let line = document.position("/paths");
        bail!("{name}:{line}: `paths` is missing or empty");
    }
    Ok(())
}
