//! Redirects of the result host.

use kling_omni::{Charged, ErrorKind};
use kling_omni_test_support::clip::mp4;
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::setup::KEY;
use kling_omni_test_support::virtual_clock::VirtualClock;

use super::{collect_stream, video_at};

fn to(url: &str) -> Reply {
    Reply::http(302, &[("location", url)], "")
}

#[tokio::test]
async fn redirect_to_another_host_sends_no_credentials() {
    let file = mp4(2_000);
    let edge = Fake::start(vec![Reply::http(200, &[], &file)]).await;
    let host = Fake::start(vec![to(&format!("{}/edge.mp4", edge.base_url()))]).await;
    // User and password of the first host are not sent to the second.
    let url = host.base_url().replace("http://", "http://me:secret@");
    let url = format!("{url}/kling_a.mp4?token=exp=1800003600~hmac=secret");
    let video = video_at(&url, &VirtualClock::new()).await;
    assert_eq!(collect_stream(&video).await.unwrap(), file);
    let asked = &edge.requests()[0];
    assert_eq!(asked.line, "GET /edge.mp4");
    let mut names: Vec<_> = asked
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["accept", "accept-encoding", "host", "user-agent"]);
    for (_, value) in &asked.headers {
        assert!(!value.contains(KEY) && !value.contains("secret"), "{value}");
    }
}

#[tokio::test]
async fn redirect_loop_is_an_error() {
    let host = Fake::start(vec![to("/again?token=exp=1800003600~hmac=secret")]).await;
    let url = format!("{}/kling_a.mp4", host.base_url());
    let error = collect_stream(&video_at(&url, &VirtualClock::new()).await).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedResponse, "{error}");
    assert_eq!(error.charged(), Charged::Yes);
    assert!(
        error.to_string().contains("too many redirects (limit 5)"),
        "{error}"
    );
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    assert_eq!(host.requests().len(), 6);
}
