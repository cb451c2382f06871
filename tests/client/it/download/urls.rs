//! Result URLs as they are sent.

use kling_omni::ErrorKind;
use kling_omni_test_support::clip::mp4;
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::virtual_clock::VirtualClock;

use super::{collect_stream, video_at};

#[tokio::test]
async fn signed_query_is_sent_unchanged() {
    for query in [
        "token=exp=1800003600~hmac=00",
        "sig=a%27b",
        "sig=a%2Bb+c%2fd%2Fe",
        "sig=a|b^c`d{e}f\\g",
        "sig[]=[a]&x[0]=(b)!*$,;:@/?",
        "a&&b=&=c&a=%zz%",
        "X-Amz-Credential=AKID%2F20261129%2Fauto%2Fs3%2Faws4_request&X-Amz-Signature=00",
    ] {
        let host = Fake::start(vec![Reply::http(200, &[], mp4(9))]).await;
        let url = format!("{}/a%20b/kling_a|(1).mp4?{query}", host.base_url());
        let video = video_at(&url, &VirtualClock::new()).await;
        assert_eq!(video.url(), url);
        collect_stream(&video).await.unwrap();
        let line = format!("GET /a%20b/kling_a|(1).mp4?{query}");
        assert_eq!(host.requests()[0].line, line);
    }
}

/// The URL library encodes these, as browsers do.
#[tokio::test]
async fn rejected_url_reports_percent_encoding() {
    for (query, sent) in [
        ("sig=a'b", "sig=a%27b"),
        ("sig=a\"<b>", "sig=a%22%3Cb%3E"),
        ("sig=ä", "sig=%C3%A4"),
    ] {
        let host = Fake::start(vec![Reply::http(403, &[], "")]).await;
        let url = format!("{}/kling_a.mp4?{query}", host.base_url());
        let video = video_at(&url, &VirtualClock::new()).await;
        assert_eq!(video.url(), url);
        let error = collect_stream(&video).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Expired, "{error}");
        assert!(error.help().unwrap().contains("percent-encoded"), "{error}");
        assert_eq!(host.requests()[0].line, format!("GET /kling_a.mp4?{sent}"));
    }
    let host = Fake::start(vec![Reply::http(403, &[], "")]).await;
    let url = format!("{}/kling_a.mp4?sig=a%27b", host.base_url());
    let video = video_at(&url, &VirtualClock::new()).await;
    let error = collect_stream(&video).await.unwrap_err();
    assert!(
        !error.help().unwrap().contains("percent-encoded"),
        "{error}"
    );
}
