//! The settings of a bucket, from the environment.

use std::sync::Arc;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{ClientConfigKey, RetryConfig};
use url::Url;

use crate::engine::error::Result;
use crate::engine::upload::bucket::errors;
use crate::engine::upload::bucket::http::Connector;
use crate::engine::upload::bucket::signing::Sha2;
use crate::environment;

/// The default of 30 s per request is too short for a part of a file on a slow connection.
const TIMEOUT: &str = "300s";
/// With a backoff that doubles from 100 ms.
const RETRIES: usize = 6;

pub(crate) fn from_env(url: &str) -> Result<(AmazonS3, Path)> {
    let (bucket, prefix) = parse_url(url)?;
    let retry = RetryConfig {
        max_retries: RETRIES,
        ..RetryConfig::default()
    };
    let mut settings = builder_from_env()
        .with_bucket_name(bucket)
        .with_retry(retry);
    let timeout = AmazonS3ConfigKey::Client(ClientConfigKey::Timeout);
    let unset = AmazonS3Builder::new().get_config_value(&timeout);
    if settings.get_config_value(&timeout) == unset {
        settings = settings.with_config(timeout, TIMEOUT);
    }
    let endpoint = [AmazonS3ConfigKey::S3Endpoint, AmazonS3ConfigKey::Endpoint]
        .iter()
        .find_map(|key| settings.get_config_value(key));
    if endpoint.is_some_and(|endpoint| endpoint.starts_with("http://")) {
        settings = settings.with_allow_http(true);
    }
    Ok((build(settings)?, prefix))
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
