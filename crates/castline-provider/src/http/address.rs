//! Which addresses a download may go to.
//!
//! An output's URL is somebody else's word. Followed blindly it would make castline ask
//! this machine, its network, or a cloud's metadata service on a stranger's behalf.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// A host that leads to no public address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is on a private network")]
pub(super) struct PrivateAddress(pub String);

/// Resolves names to public addresses only. What it resolves is what is connected to, so a
/// name cannot change its mind between a check and its use.
#[derive(Debug)]
pub(super) struct PublicOnly {
    proxies: Vec<String>,
}

impl PublicOnly {
    /// Lets the proxies of the environment through: the user named them.
    pub fn new() -> Self {
        Self { proxies: proxies() }
    }

    /// Checks a URL before it is asked: addresses written as such never meet the resolver,
    /// and a proxy resolves names by itself.
    pub async fn check(&self, url: &Url) -> Result<(), PrivateAddress> {
        let name = url.host_str().unwrap_or_default();
        let refused = || Err(PrivateAddress(name.to_owned()));
        match address_of(url) {
            Some(address) if is_public(address) => Ok(()),
            Some(_) => refused(),
            None if is_inside(name) || self.proxies.iter().any(|p| p == name) => refused(),
            None if self.proxies.is_empty() => Ok(()),
            None => match tokio::net::lookup_host((name, 0))
                .await
                .map(|mut found| found.any(|a| is_public(a.ip())))
            {
                Ok(false) => refused(),
                // Inside such networks only the proxy may know the name.
                Ok(true) | Err(_) => Ok(()),
            },
        }
    }
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let trusted = self.proxies.iter().any(|p| p == name.as_str());
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed: Vec<_> = found.into_iter().filter(|a| trusted || is_public(a.ip())).collect();
            if allowed.is_empty() {
                return Err(PrivateAddress(name.as_str().to_owned()).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// True for URLs that lead to this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match address_of(url) {
        Some(address) => plain(address).is_loopback(),
        None => url.host_str().is_some_and(|h| h == "localhost" || h.ends_with(".localhost")),
    }
}

fn address_of(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host).parse().ok()
}

fn is_inside(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    ["localhost", "local", "internal"].iter().any(|end| name == *end || name.ends_with(&format!(".{end}")))
}

fn proxies() -> Vec<String> {
    ["ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"]
        .into_iter()
        .filter_map(|variable| std::env::var(variable).ok())
        .filter_map(|text| Url::parse(&text).or_else(|_| Url::parse(&format!("http://{text}"))).ok())
        .filter_map(|url| url.host_str().map(str::to_owned))
        .collect()
}

/// True for addresses of the open internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    match plain(address) {
        IpAddr::V4(a) => is_public_v4(a),
        IpAddr::V6(a) => is_public_v6(a),
    }
}

/// IPv4 written as IPv6 is IPv4.
fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(a) => a.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

fn is_public_v4(a: Ipv4Addr) -> bool {
    let [first, second, third, _] = a.octets();
    let special = a.is_private()
        || a.is_loopback()
        || a.is_link_local() // 169.254.169.254 tells clouds' secrets
        || a.is_multicast()
        || a.is_documentation()
        || first == 0
        || first >= 240
        || (first == 100 && (64..128).contains(&second)) // shared by carriers
        || (first == 192 && second == 0 && third == 0)
        || (first == 198 && (second == 18 || second == 19));
    !special
}

fn is_public_v6(a: Ipv6Addr) -> bool {
    let segments = a.segments();
    let embedded = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match segments {
        // Translated and tunneled IPv4 is as public as the IPv4 in it.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => is_public_v4(embedded(high, low)),
        [0x2001, 0 | 0xdb8, ..] => false,
        // Global unicast is all that was ever given out.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Limits;
    use crate::http::client;

    #[test]
    fn pitfall_47_only_addresses_of_the_open_internet_are_public() {
        let public =
            ["8.8.8.8", "172.32.0.1", "192.0.66.1", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808"];
        let private = [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "255.255.255.255",
            "224.0.0.1",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "::7f00:1",
        ];
        for address in public {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        for address in private {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[tokio::test]
    async fn pitfall_47_private_hosts_are_refused_however_they_are_written() {
        let guard = PublicOnly { proxies: vec!["proxy.corp".into()] };
        for url in [
            "http://127.0.0.1/x",
            "http://0x7f.1/x",
            "http://2130706433/",
            "http://[::1]:80/",
            "http://localhost/",
            "http://a.localhost./",
            "http://metadata.google.internal/",
            "http://printer.local/",
            "http://proxy.corp/",
        ] {
            let url = Url::parse(url).unwrap();
            assert!(guard.check(&url).await.is_err(), "{url}");
        }
        assert_eq!(guard.check(&Url::parse("https://8.8.8.8/x").unwrap()).await, Ok(()));
    }

    #[tokio::test]
    async fn pitfall_47_a_name_is_judged_by_what_it_resolves_to() {
        let guard = PublicOnly { proxies: vec![] };
        let Err(refused) = guard.resolve("localhost".parse().unwrap()).await else { panic!("resolved") };
        assert_eq!(refused.to_string(), "`localhost` is on a private network");
    }

    #[tokio::test]
    async fn pitfall_47_a_client_reports_the_name_that_was_refused() {
        let client = client::builder(&Limits::default(), Some("http"));
        let client = client.dns_resolver(PublicOnly { proxies: vec![] }).build().unwrap();
        let error = client.get("http://localhost:9/").send().await.unwrap_err();
        let refused = client::innermost(&error).downcast_ref::<PrivateAddress>();
        assert_eq!(refused, Some(&PrivateAddress("localhost".to_owned())));
    }

    #[test]
    fn this_machine_is_known_by_all_its_names() {
        for url in ["http://localhost:1/v1", "http://127.9.9.9/", "http://[::1]/", "http://x.localhost/"] {
            assert!(is_loopback(&Url::parse(url).unwrap()), "{url}");
        }
        assert!(!is_loopback(&Url::parse("https://api.replicate.com/v1").unwrap()));
    }
}
