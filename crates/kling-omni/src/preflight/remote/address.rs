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
    /// The target is this machine or in a private network.
    Private,
    /// The resolver returns a placeholder, as the DNS of a VPN or a transparent proxy does.
    FakeIp(IpAddr),
    /// The proxy resolves the name, but this machine cannot.
    Unresolvable,
}

impl fmt::Display for RefusedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Private => {
                f.write_str("its address is private, and the service cannot reach it either")
            }
            Self::FakeIp(address) => write!(
                f,
                "its name resolves to {address}, a fake IP of 198.18.0.0/15 from the DNS of a VPN or proxy tool, which \
                 does not show whether it is private (allow private networks to inspect it anyway)"
            ),
            Self::Unresolvable => f.write_str(
                "this machine cannot resolve its name, and the address that a proxy resolves may be private (allow private \
                 networks to inspect it anyway)",
            ),
        }
    }
}

impl StdError for RefusedAddress {}

/// Resolves names to public addresses only, at the time of the connection.
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

/// Checks the target of a URL that is requested through a proxy. Every address must be public, because the proxy may
/// use any.
pub(super) async fn check_target(url: &Url) -> Result<(), RefusedAddress> {
    let Some(Host::Domain(name)) = url.host() else {
        return match may_be_public(url) {
            true => Ok(()),
            false => Err(RefusedAddress::Private),
        };
    };
    let found = tokio::net::lookup_host((name, 0)).await;
    let addresses = found.map_err(|_| RefusedAddress::Unresolvable)?;
    check_addresses(addresses.map(|address| address.ip()))
}

fn check_addresses(addresses: impl IntoIterator<Item = IpAddr>) -> Result<(), RefusedAddress> {
    let mut addresses = addresses.into_iter().peekable();
    if addresses.peek().is_none() {
        return Err(RefusedAddress::Unresolvable);
    }
    match addresses.find(|address| !is_public(*address)) {
        Some(address) => Err(refusal(address)),
        None => Ok(()),
    }
}

/// The reason for refusing an address that is not public.
fn refusal(address: IpAddr) -> RefusedAddress {
    match address {
        IpAddr::V4(v4) if matches!(v4.octets(), [198, 18..=19, ..]) => {
            RefusedAddress::FakeIp(address)
        }
        _ => RefusedAddress::Private,
    }
}

/// Whether the URL itself does not name a private address. Domain names are left to the resolver.
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

/// Whether an address is on the public internet. Reserved addresses are not.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded_ipv4(address) {
            Some(embedded_ipv4) => is_public_v4(embedded_ipv4),
            // Only 2000::/3 is allocated; tunnels and documentation addresses within it are not public.
            None => {
                let [first, second, ..] = address.segments();
                let is_allocated = first & 0xe000 == 0x2000;
                let is_special = first == 0x2001 && (second < 0x0200 || second == 0x0db8);
                is_allocated && !is_special
            }
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = match (a, b, c) {
        // This network, carrier-grade NAT, protocol assignments, benchmarks, and addresses above multicast.
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

/// The IPv4 address in a mapped, translated or tunnelled IPv6 address.
fn embedded_ipv4(address: Ipv6Addr) -> Option<Ipv4Addr> {
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
    fn is_public_rejects_reserved_addresses() {
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

    /// `localhost` is the one name that resolves on every machine, even without a network.
    #[tokio::test]
    async fn public_resolver_rejects_localhost() {
        let resolved = PublicResolver.resolve("localhost".parse().unwrap()).await;
        let error = resolved.err().expect("it is refused");
        assert!(error.is::<RefusedAddress>(), "{error}");
        let url = Url::parse("http://localhost/").unwrap();
        assert_eq!(check_target(&url).await, Err(RefusedAddress::Private));
    }

    #[test]
    fn check_addresses_requires_all_to_be_public() {
        let fake = |text: &str| Err(RefusedAddress::FakeIp(text.parse().unwrap()));
        for (addresses, expected) in [
            (&["8.8.8.8", "2606:4700:4700::1111"][..], Ok(())),
            (&["8.8.8.8", "10.0.0.1"], Err(RefusedAddress::Private)),
            (&["198.18.0.7"], fake("198.18.0.7")),
            (&["198.19.255.1", "8.8.8.8"], fake("198.19.255.1")),
            (&["::1"], Err(RefusedAddress::Private)),
            (&[], Err(RefusedAddress::Unresolvable)),
        ] {
            let addresses = addresses.iter().map(|text| text.parse().unwrap());
            assert_eq!(check_addresses(addresses), expected);
        }
    }

    #[test]
    fn may_be_public_rejects_private_urls() {
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
