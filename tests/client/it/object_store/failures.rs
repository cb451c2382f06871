//! Errors of a bucket.

use std::time::Duration;

use http::StatusCode;
use kling_omni::upload::{FileSource, ObjectStoreUploader};
use kling_omni::{Charged, Error, ErrorKind};
use kling_omni_test_bucket::{KEY_ID, SECRET, Server};
use tracing::instrument::WithSubscriber as _;

use super::{client_with, uploader};
use crate::upload::content;
use kling_omni_test_support::log::Log;

const WRONG: &str = "wrong-canary-in-a-coal-mine";

async fn fail(uploader: ObjectStoreUploader) -> Error {
    let still = FileSource::bytes(content(1, 1000), "image/png");
    let upload = client_with(uploader).upload(still);
    let log = Log::default();
    let error = upload
        .into_future()
        .with_subscriber(log.subscriber())
        .await
        .unwrap_err();
    assert_eq!(error.charged(), Charged::No);
    let shown = format!("{error} {error:?}");
    // At trace level the library logs the headers that it sends, and thereby who signed.
    let ours: String = log
        .text()
        .lines()
        .filter(|line| line.contains("kling_omni"))
        .collect();
    for canary in ["canary", "X-Amz-Signature", "StringToSign"] {
        assert!(!shown.contains(canary), "{canary}: {shown}");
        assert!(!ours.contains(canary), "{canary}: {ours}");
    }
    assert!(!log.text().contains(SECRET) && !log.text().contains(WRONG));
    error
}

#[tokio::test]
async fn rejection_names_the_operation_and_has_help() {
    let server = Server::start().await;
    let with = |id: &str, secret: &str| {
        let settings = server.settings();
        let settings = settings
            .with_access_key_id(id)
            .with_secret_access_key(secret);
        ObjectStoreUploader::from_s3(settings, "").unwrap()
    };
    for (id, secret, code) in [
        (WRONG, SECRET, "NotSignedUp"),
        (KEY_ID, WRONG, "SignatureDoesNotMatch"),
    ] {
        let error = fail(with(id, secret)).await;
        assert_eq!(error.kind(), ErrorKind::Upload, "{error}");
        let text = format!("{error:?}");
        assert!(text.contains(code), "{text}");
        assert!(text.contains("AWS_SECRET_ACCESS_KEY"), "{text}");
        assert!(
            text.contains("could not upload a file in memory to AmazonS3(clips)"),
            "{text}"
        );
    }
    for (operation, help) in [
        ("PutObject", "s3:PutObject"),
        ("HeadObject", "allow these credentials s3:GetObject"),
    ] {
        server.refuse(operation);
        let error = fail(uploader(&server)).await;
        assert_eq!(error.kind(), ErrorKind::Upload, "{error}");
        assert!(format!("{error:?}").contains(help), "{operation}: {error}");
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn unreachable_store_is_a_transport_error() {
    let server = Server::start().await;
    let settings = server.settings().with_endpoint("http://127.0.0.1:1");
    let uploader = ObjectStoreUploader::from_s3(settings, "").unwrap();
    let error = fail(uploader).await;
    assert_eq!(error.kind(), ErrorKind::Transport, "{error}");
    assert!(error.is_retryable());
    assert!(format!("{error:?}").contains("AWS_ENDPOINT_URL"), "{error}");
}

#[tokio::test]
async fn server_error_is_retryable_and_wrong_region_is_not() {
    let server = Server::start().await;
    for (status, kind, help) in [
        (503, ErrorKind::Server, "upload the file again"),
        (301, ErrorKind::Upload, "AWS_REGION"),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let app = axum::Router::new().fallback(async move || status);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let settings = server.settings().with_endpoint(endpoint);
        let error = fail(ObjectStoreUploader::from_s3(settings, "").unwrap()).await;
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.is_retryable(), kind == ErrorKind::Server);
        assert!(format!("{error:?}").contains(help), "{error}");
    }
}

#[tokio::test]
async fn invalid_lifetime_or_prefix_is_rejected() {
    let server = Server::start().await;
    let second = Duration::from_secs(1);
    let (shortest, longest) = (
        ObjectStoreUploader::MIN_LIFETIME,
        ObjectStoreUploader::MAX_LIFETIME,
    );
    for (lifetime, is_one) in [
        (Duration::ZERO, false),
        (shortest - second, false),
        (shortest, true),
        (longest, true),
        (longest + second, false),
    ] {
        let result = uploader(&server).lifetime(lifetime);
        assert_eq!(result.is_ok(), is_one, "{lifetime:?}");
        if let Err(error) = result {
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert!(
                format!("{error:?}").contains("from 30m to 7days"),
                "{error}"
            );
        }
    }
    let still = FileSource::bytes(content(2, 1000), "image/png");
    let short = client_with(uploader(&server).lifetime(shortest).unwrap());
    let url = short.upload(still).await.unwrap().url;
    assert!(url.contains("X-Amz-Expires=1800&"), "{url}");

    let error = ObjectStoreUploader::from_s3(server.settings(), "a//b").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(format!("{error:?}").contains("\"a//b\""), "{error}");
}
