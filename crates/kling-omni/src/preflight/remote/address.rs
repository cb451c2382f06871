//! The SSRF guard: which addresses are public.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Why the SSRF guard refuses the target of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RefusedAddress {
    /// It is on this machine or its own network.
    Private,
    /// The resolver answers with a placeholder, as that of a VPN or a transparent proxy does.
    FakeIp(IpAddr),
    /// This machine cannot resolve the name that a proxy would resolve.
    UnconfirmedCreate,
}

impl fmt::Display for RefusedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Private => {
                f.write_str("its address is private, so the service cannot reach it either")
            }
            Self::FakeIp(address) => write!(
                f,
                "its name resolves to {address}, a fake IP of 198.18.0.0/15 as the DNS of a VPN or proxy tool gives out, \
                 which does not show whether it is private; allow private addresses to look at it anyway"
            ),
            Self::UnconfirmedCreate => f.write_str(
                "this machine cannot resolve its name, and what a proxy resolves may be private; allow private addresses to \
                 look at it anyway",
            ),
        }
    }
}

impl StdError for RefusedAddress {}

/// Resolves names to public addresses only, whatever the name was checked for before.
pub(super) struct PublicResolver;

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let all = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let (public, refused): (Vec<_>, Vec<_>) =
                all.partition(|address| is_public(address.ip()));
            match (public.is_empty(), refused.first()) {
                (false, _) => Ok(Box::new(public.into_iter()) as Addrs),
                (true, Some(address)) => Err(refusal(address.ip()).into()),
                (true, None) => Err(io::Error::from(io::ErrorKind::NotFound).into()),
            }
        })
    }
}

/// Checks the target of a URL whose connection a proxy makes. Every address must be public, since the proxy may take any.
pub(super) async fn check_target(url: &Url) -> Result<(), RefusedAddress> {
    let Some(Host::Domain(name)) = url.host() else {
        return match may_be_public(url) {
            true => Ok(()),
            false => Err(RefusedAddress::Private),
        };
    };
    let found = tokio::net::lookup_host((name, 0)).await;
    let addresses = found.map_err(|_| RefusedAddress::UnconfirmedCreate)?;
    check(addresses.map(|address| address.ip()))
}

fn check(addresses: impl IntoIterator<Item = IpAddr>) -> Result<(), RefusedAddress> {
    let mut addresses = addresses.into_iter().peekable();
    if addresses.peek().is_none() {
        return Err(RefusedAddress::UnconfirmedCreate);
    }
    match addresses.find(|address| !is_public(*address)) {
        Some(address) => Err(refusal(address)),
        None => Ok(()),
    }
}

/// What is said of an address that is not public.
fn refusal(address: IpAddr) -> RefusedAddress {
    match address {
        IpAddr::V4(v4) if matches!(v4.octets(), [198, 18..=19, ..]) => {
            RefusedAddress::FakeIp(address)
        }
        _ => RefusedAddress::Private,
    }
}

/// Whether nothing in the URL itself says that it leads to a private address. Names are for the resolver to check.
pub(super) fn may_be_public(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_public(address.into()),
        Some(Host::Ipv6(address)) => is_public(address.into()),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name != "localhost" && !name.ends_with(".localhost")
        }
        None => false,
    }
}

/// Whether an address is one of the internet's. What is reserved for anything else is not.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match inner(address) {
            Some(inner) => is_public_v4(inner),
            // Only this part of the space is handed out; of it, tunnels and examples are not.
            None => {
                let [first, second, ..] = address.segments();
                let is_handed_out = first & 0xe000 == 0x2000;
                let is_special = first == 0x2001 && (second < 0x0200 || second == 0x0db8);
                is_handed_out && !is_special
            }
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = match (a, b, c) {
        // This network, carrier networks, protocol assignments, benchmarks, and what is above multicast.
        (0, _, _) | (100, 64..=127, _) | (192, 0, 0) | (198, 18..=19, _) | (240.., _, _) => true,
        _ => false,
    };
    !(is_special
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast())
}

/// The IPv4 address that an IPv6 address stands for: mapped, translated or tunnelled.
fn inner(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let tail = |from: usize| {
        let octets = address.octets();
        let four: [u8; 4] = octets.get(from..from + 4)?.try_into().ok()?;
        Some(Ipv4Addr::from(four))
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => tail(12),
        [0x2002, ..] => tail(2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_internet_are_public() {
        for (text, public) in [
            ("8.8.8.8", true),
            ("100.63.255.255", true),
            ("100.64.0.1", false),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.31.0.1", false),
            ("172.32.0.1", true),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("192.0.0.8", false),
            ("192.0.2.1", false),
            ("198.19.0.1", false),
            ("224.0.0.1", false),
            ("240.0.0.1", false),
            ("255.255.255.255", false),
            ("0.0.0.0", false),
            ("2606:4700:4700::1111", true),
            ("2001:db8::1", false),
            ("2001::1", false),
            ("::1", false),
            ("::", false),
            ("fc00::1", false),
            ("fe80::1", false),
            ("ff02::1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:8.8.8.8", true),
            ("64:ff9b::a00:1", false),
            ("2002:7f00:1::", false),
            ("2002:808:808::", true),
        ] {
            assert_eq!(is_public(text.parse().unwrap()), public, "{text}");
        }
    }

    /// The one name that every machine resolves, network or not.
    #[tokio::test]
    async fn a_name_that_leads_home_is_not_resolved() {
        let resolved = PublicResolver.resolve("localhost".parse().unwrap()).await;
        let error = resolved.err().expect("it is refused");
        assert!(error.is::<RefusedAddress>(), "{error}");
        let url = Url::parse("http://localhost/").unwrap();
        assert_eq!(check_target(&url).await, Err(RefusedAddress::Private));
    }

    #[test]
    fn every_address_behind_a_proxy_must_be_public() {
        let fake = |text: &str| Err(RefusedAddress::FakeIp(text.parse().unwrap()));
        for (addresses, verdict) in [
            (&["8.8.8.8", "2606:4700:4700::1111"][..], Ok(())),
            (&["8.8.8.8", "10.0.0.1"], Err(RefusedAddress::Private)),
            (&["198.18.0.7"], fake("198.18.0.7")),
            (&["198.19.255.1", "8.8.8.8"], fake("198.19.255.1")),
            (&["::1"], Err(RefusedAddress::Private)),
            (&[], Err(RefusedAddress::UnconfirmedCreate)),
        ] {
            let addresses = addresses.iter().map(|text| text.parse().unwrap());
            assert_eq!(check(addresses), verdict);
        }
    }

    #[test]
    fn a_url_may_say_itself_that_it_is_private() {
        for (url, may) in [
            ("https://example.com/a.mp4", true),
            ("http://localhost:8080/a.mp4", false),
            ("http://a.localhost./a.mp4", false),
            ("http://127.1/a.mp4", false),
            ("http://0x7f000001/a.mp4", false),
            ("http://2130706433/a.mp4", false),
            ("http://[::1]/a.mp4", false),
            ("https://8.8.8.8/a.mp4", true),
        ] {
            assert_eq!(may_be_public(&Url::parse(url).unwrap()), may, "{url}");
        }
    }
}
