//! The upload cache: uploads of the same content are reused.

use std::time::Duration;

use kling_omni::upload::FileSource;
use kling_omni_sandbox::Host;
use kling_omni_test_support::setup::{client, sandbox};
use kling_omni_test_support::virtual_clock::VirtualClock;

use super::{at, content, file};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn same_content_is_uploaded_once_until_it_expires() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    let one = client(sandbox.base_url(), &clock).build().unwrap();
    let clone = one.clone();
    let stranger = client(sandbox.base_url(), &clock).build().unwrap();
    let sent = || at(&sandbox, Host::Storage).len();
    let bytes = content(1, 5000);
    let (_folder, path) = file("clip.mp4", &bytes);

    let first = one.upload(&*path).await.unwrap();
    let memory = || FileSource::bytes(bytes.clone(), "video/mp4");
    assert_eq!(clone.upload(memory()).await.unwrap(), first);
    assert_eq!(sent(), 1);

    // Another type, other content, another client.
    one.upload(memory().content_type("video/quicktime"))
        .await
        .unwrap();
    one.upload(FileSource::bytes(content(2, 5000), "video/mp4"))
        .await
        .unwrap();
    assert_ne!(stranger.upload(memory()).await.unwrap(), first);
    assert_eq!(sent(), 4);

    // The URL is valid for a day; it is not reused in its last hour.
    clock.advance(23 * HOUR - Duration::from_secs(1));
    assert_eq!(one.upload(memory()).await.unwrap(), first);
    clock.advance(Duration::from_secs(1));
    let second = one.upload(memory()).await.unwrap();
    assert_ne!(second, first);
    assert_eq!(one.upload(memory()).await.unwrap(), second);
    assert_eq!(sent(), 5);
}

#[tokio::test]
async fn same_content_in_one_call_is_uploaded_once() {
    let clock = VirtualClock::new();
    let sandbox = sandbox(&clock).start().await.unwrap();
    let client = client(sandbox.base_url(), &clock).build().unwrap();
    let picture = |seed| FileSource::bytes(content(seed, 1000), "image/png");
    client.upload(picture(3)).await.unwrap();
    let uploaded = client.upload_all([1, 2, 1, 3].map(picture)).await.unwrap();
    assert_eq!(uploaded[0], uploaded[2]);
    assert_eq!(at(&sandbox, Host::Storage).len(), 3);
    for (one, seed) in uploaded.iter().zip([1, 2, 1, 3]) {
        let bytes = reqwest::get(&one.url).await.unwrap().bytes().await.unwrap();
        assert_eq!(bytes, content(seed, 1000));
    }
}

#[tokio::test]
async fn url_without_a_sufficient_lifetime_is_not_reused() {
    // The lifetime of the URL, the fields that the service omits, and the number of uploads.
    for (lifetime, faults, sent) in [
        (2 * HOUR, vec![], 1),
        (HOUR, vec![], 2),
        (2 * HOUR, vec!["upload:missing=asset_url_expires_in"], 1),
        (Duration::ZERO, vec![], 2),
    ] {
        let clock = VirtualClock::new();
        let mut builder = sandbox(&clock).asset_lifetime(lifetime);
        for fault in &faults {
            builder = builder.fault(fault.parse().unwrap());
        }
        let sandbox = builder.start().await.unwrap();
        let client = client(sandbox.base_url(), &clock).build().unwrap();
        for _ in 0..2 {
            let clip = FileSource::bytes(content(1, 100), "video/mp4");
            let uploaded = client.upload(clip).await.unwrap();
            // Without a lifetime from the service, the token has it.
            assert!(uploaded.expires_at.is_some());
        }
        assert_eq!(
            at(&sandbox, Host::Storage).len(),
            sent,
            "{lifetime:?} {faults:?}"
        );
    }
}
