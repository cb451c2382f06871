//! The settings of a bucket, from the environment.

use std::sync::Arc;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{ClientConfigKey, RetryConfig};
use url::Url;

use crate::engine::bucket::errors;
use crate::engine::bucket::http::Connector;
use crate::engine::bucket::signing::Sha2;
use crate::engine::error::Result;
use crate::environment;

/// The default of 30 s per request is too short for a part of a file on a slow connection.
const TIMEOUT: &str = "300s";
/// With a backoff that doubles from 100 ms.
const RETRIES: usize = 6;

/// Returns the bucket of a URL, with settings from the environment, and the prefix.
pub(crate) fn from_url(url: &str) -> Result<(AmazonS3, Path)> {
    let (bucket, prefix) = parse_url(url)?;
    let store = build(from_env().with_bucket_name(bucket))?;
    Ok((store, prefix))
}

/// Returns the settings of the environment, without a bucket.
pub(crate) fn from_env() -> AmazonS3Builder {
    let retry = RetryConfig {
        max_retries: RETRIES,
        ..RetryConfig::default()
    };
    let mut settings = builder_from_env().with_retry(retry);
    let timeout = AmazonS3ConfigKey::Client(ClientConfigKey::Timeout);
    let unset = AmazonS3Builder::new().get_config_value(&timeout);
    if settings.get_config_value(&timeout) == unset {
        settings = settings.with_config(timeout, TIMEOUT);
    }
    let endpoint = [AmazonS3ConfigKey::S3Endpoint, AmazonS3ConfigKey::Endpoint]
        .iter()
        .find_map(|key| settings.get_config_value(key));
    match endpoint {
        Some(endpoint) if endpoint.starts_with("http://") => settings.with_allow_http(true),
        _ => settings,
    }
}

/// Reads the variables that [`AmazonS3Builder::from_env`] reads, except empty ones.
fn builder_from_env() -> AmazonS3Builder {
    let texts = environment::variables().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        Some((name, value.into_string().ok()?))
    });
    let aws = texts.filter(|(name, _)| name.starts_with("AWS_"));
    aws.fold(AmazonS3Builder::new(), |settings, (name, value)| match name
        .to_ascii_lowercase()
        .parse()
    {
        Ok(key) => settings.with_config(key, value),
        Err(_) => settings,
    })
}

/// Builds a store that works with any TLS library.
pub(crate) fn build(settings: AmazonS3Builder) -> Result<AmazonS3> {
    let store = settings
        .with_http_connector(Connector)
        .with_crypto_provider(Arc::new(Sha2))
        .build();
    store.map_err(|error| errors::invalid_settings(&error))
}

/// Splits `s3://bucket/name` into the bucket and the name of an object.
pub(crate) fn split_url(url: &str) -> Option<(&str, &str)> {
    let (bucket, name) = url.strip_prefix("s3://")?.split_once('/')?;
    let is_bucket = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (!bucket.is_empty() && bucket.chars().all(is_bucket)).then_some((bucket, name))
}

/// Parses `s3://bucket/prefix`.
fn parse_url(text: &str) -> Result<(String, Path)> {
    let url = Url::parse(text).map_err(|_| errors::invalid_url(text))?;
    let is_bare = url.username().is_empty()
        && url.password().is_none()
        && url.port().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    let bucket = url.host_str().unwrap_or_default();
    if url.scheme() != "s3" || bucket.is_empty() || !is_bare {
        return Err(errors::invalid_url(text));
    }
    let prefix = Path::from_url_path(url.path()).map_err(|_| errors::invalid_url(text))?;
    Ok((bucket.to_owned(), prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_url_accepts_a_bucket_and_a_prefix_only() {
        for (url, bucket, prefix) in [
            ("s3://clips", "clips", ""),
            ("s3://clips/", "clips", ""),
            ("s3://my.clips/for/kling/", "my.clips", "for/kling"),
            ("s3://clips/a%20b", "clips", "a b"),
        ] {
            let (read_bucket, read_prefix) = parse_url(url).unwrap();
            assert_eq!(
                (&*read_bucket, read_prefix.as_ref()),
                (bucket, prefix),
                "{url}"
            );
        }
        for url in [
            "clips",
            "s3:clips",
            "s3://",
            "s3:///prefix",
            "https://clips.s3.amazonaws.com/prefix",
            "s3://me:secret@clips/prefix",
            "s3://clips/prefix?X-Amz-Signature=secret",
            "s3://clips/prefix#secret",
            "s3://clips:9000/prefix",
            "s3://clips//prefix",
        ] {
            let error = format!("{:?}", parse_url(url).unwrap_err());
            assert!(!error.contains("secret"), "{error}");
            assert!(error.contains("s3://bucket/prefix"), "{error}");
        }
    }
}
