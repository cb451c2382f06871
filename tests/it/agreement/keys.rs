//! The key header of each host, compared with the document.

use kling_omni::{ApiKey, Client, Host};
use kling_omni_test_support::fake::{Fake, Reply};
use kling_omni_test_support::spec::{SPEC, entries};

const KEY: &str = "FPSX-agreement";

#[tokio::test]
async fn each_host_gets_its_key_in_the_header_of_the_spec() {
    for host in Host::ALL {
        let fake = Fake::start(vec![Reply::json(200, r#"{"data":[]}"#)]).await;
        let client = Client::builder()
            .host(*host)
            .base_url(fake.base_url())
            .api_key(ApiKey::new(KEY).unwrap())
            .build()
            .unwrap();
        client.list().await.unwrap();

        let asked = fake.requests();
        let carrying: Vec<_> = asked[0]
            .headers
            .iter()
            .filter(|(_, value)| value.contains(KEY))
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(carrying, [header_of(*host)], "{host}");
    }
}

/// The header of the scheme that bears the host's name.
fn header_of(host: Host) -> &'static str {
    let mut schemes = entries(&SPEC.document["components"]["securitySchemes"]);
    let (_, scheme) = schemes
        .find(|(name, _)| name.starts_with(host.as_str()))
        .unwrap_or_else(|| panic!("the spec has no key scheme for {host}"));
    assert_eq!(
        (&scheme["type"], &scheme["in"]),
        (&"apiKey".into(), &"header".into())
    );
    scheme["name"].as_str().expect("a header has a name")
}
