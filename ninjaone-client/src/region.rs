//! Where a tenant lives: NinjaOne's regions, branded hosts, and any other https address.

use std::{fmt, str::FromStr};

use url::{Host, Url};

use crate::{Error, pasted::trim_pasted};

/// A region of NinjaOne. A tenant lives in exactly one; its credentials are unknown in all others.
///
/// `FromStr` reads what a person types (`eu`, `US-East 2`, `Oceania`) or copies from the address bar
/// (`https://eu.ninjarmm.com/#/getDashboard`).
///
/// ```
/// use ninjaone_client::Region;
/// assert_eq!("EU".parse::<Region>()?, Region::Eu);
/// assert_eq!("https://oc.ninjarmm.com/auth".parse::<Region>()?, Region::Oc);
/// # Ok::<(), ninjaone_client::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Region {
    /// United States: `app.ninjarmm.com`.
    Us,
    /// United States, second instance: `us2.ninjarmm.com`.
    Us2,
    /// Europe: `eu.ninjarmm.com`.
    Eu,
    /// Canada: `ca.ninjarmm.com`.
    Ca,
    /// Oceania: `oc.ninjarmm.com`.
    Oc,
    /// United States, government: `fed.ninjarmm.com`. It runs an older build with fewer endpoints.
    Fed,
}

impl Region {
    /// Every region.
    pub const ALL: [Self; 6] = [Self::Us, Self::Us2, Self::Eu, Self::Ca, Self::Oc, Self::Fed];

    /// The host that serves the region.
    #[must_use]
    pub const fn host(self) -> &'static str {
        match self {
            Self::Us => "app.ninjarmm.com",
            Self::Us2 => "us2.ninjarmm.com",
            Self::Eu => "eu.ninjarmm.com",
            Self::Ca => "ca.ninjarmm.com",
            Self::Oc => "oc.ninjarmm.com",
            Self::Fed => "fed.ninjarmm.com",
        }
    }

    /// The short name, as `Display` prints it and `FromStr` reads it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Us2 => "us2",
            Self::Eu => "eu",
            Self::Ca => "ca",
            Self::Oc => "oc",
            Self::Fed => "fed",
        }
    }

    /// The region that serves a host: the region's own, or a branded one (`<msp>.rmmservice.com`, `.eu`).
    #[must_use]
    pub fn of_host(host: &str) -> Option<Self> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        if let Some(region) = Self::ALL.into_iter().find(|region| region.host() == host) {
            return Some(region);
        }
        // Observed live: branded hosts serve the same API as their region, `eu-api` besides.
        if host == "eu-api.ninjarmm.com"
            || host == "rmmservice.eu"
            || host.ends_with(".rmmservice.eu")
        {
            return Some(Self::Eu);
        }
        (host == "rmmservice.com" || host.ends_with(".rmmservice.com")).then_some(Self::Us)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Region {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let typed = trim_pasted(text).to_ascii_lowercase();
        let plain: String = typed.chars().filter(char::is_ascii_alphanumeric).collect();
        let region = match plain.as_str() {
            "us" | "us1" | "usa" | "app" | "unitedstates" | "northamerica" | "useast"
            | "useast1" => Some(Self::Us),
            "us2" | "useast2" | "unitedstates2" => Some(Self::Us2),
            "eu" | "eu1" | "europe" | "emea" => Some(Self::Eu),
            "ca" | "canada" => Some(Self::Ca),
            "oc" | "oceania" | "apac" | "au" | "australia" | "anz" => Some(Self::Oc),
            "fed" | "federal" | "gov" | "government" | "govcloud" | "fedramp" => Some(Self::Fed),
            _ => {
                let address = if typed.contains("://") {
                    typed
                } else {
                    format!("https://{typed}")
                };
                Url::parse(&address)
                    .ok()
                    .and_then(|url| url.host_str().and_then(Self::of_host))
            }
        };
        region.ok_or_else(|| {
            Error::config(
                "unknown region: use us, us2, eu, ca, oc or fed, or the address you sign in at",
            )
        })
    }
}

/// The address of an API: https, or plain http for a loopback host only (tests, gateways on the same machine): `localhost`,
/// `127.0.0.0/8`, `[::1]`.
///
/// User info, query and fragment are refused or dropped; a path is kept, so that a gateway may serve below one. The API's own
/// `/v2` or `/api/v2` at its end is dropped, because every request brings it along.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// Reads an address such as `https://acme.rmmservice.com`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when it is no address, carries user info, or is neither https nor
    /// loopback.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut url = Url::parse(trim_pasted(text)).map_err(|_| {
            Error::config("the base URL is no address: write it like https://eu.ninjarmm.com")
        })?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::config(
                "the base URL carries a user name or password: credentials do not belong there",
            ));
        }
        match (url.scheme(), url.host()) {
            ("https", Some(_)) => {}
            ("http", Some(host)) if is_loopback(&host) => {}
            ("http", Some(_)) => {
                return Err(Error::config(
                    "the base URL is plain http: secrets travel over https only (http is for loopback)",
                ));
            }
            _ => {
                return Err(Error::config(
                    "the base URL must begin with https:// and name a host",
                ));
            }
        }
        url.set_query(None);
        url.set_fragment(None);
        let path = url.path().trim_end_matches('/');
        let path = ["/api/v2", "/v2"]
            .iter()
            .find_map(|end| strip_end(path, end))
            .unwrap_or(path)
            .trim_end_matches('/')
            .to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    /// The region behind it, when the host is one of NinjaOne's.
    #[must_use]
    pub fn region(&self) -> Option<Region> {
        self.0.host_str().and_then(Region::of_host)
    }

    /// The host, with the port when it is not the scheme's own.
    #[must_use]
    pub fn host(&self) -> String {
        let host = self
            .0
            .host_str()
            .unwrap_or_default()
            .trim_end_matches('.')
            .to_ascii_lowercase();
        match self.0.port() {
            Some(port) => format!("{host}:{port}"),
            None => host,
        }
    }

    /// The host that limits are counted under: a branded host is its region, because both reach the same tenant.
    #[must_use]
    pub fn limit_host(&self) -> String {
        self.region()
            .map_or_else(|| self.host(), |region| region.host().to_owned())
    }

    /// Whether it is plain http, which means loopback.
    pub(crate) fn is_plain_http(&self) -> bool {
        self.0.scheme() == "http"
    }

    /// The whole URL of a path (which begins with a slash and may carry a query).
    pub(crate) fn join(&self, path_and_query: &str) -> String {
        format!("{}{path_and_query}", self.0.as_str().trim_end_matches('/'))
    }
}

/// The one name that means this machine. The transport resolves it by itself.
pub(crate) const LOCALHOST: &str = "localhost";

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        // A name below `localhost` is whatever a resolver makes of it.
        Host::Domain(name) => *name == LOCALHOST,
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// A path without its end, in whatever case.
fn strip_end<'a>(path: &'a str, end: &str) -> Option<&'a str> {
    let (rest, found) = path.split_at_checked(path.len().checked_sub(end.len())?)?;
    found.eq_ignore_ascii_case(end).then_some(rest)
}

impl From<Region> for BaseUrl {
    fn from(region: Region) -> Self {
        // A constant host cannot fail to parse; the tests walk through all of them.
        #[expect(
            clippy::expect_used,
            reason = "constant input, covered by a test of every region"
        )]
        Self::parse(&format!("https://{}", region.host())).expect("a region's host is an address")
    }
}

impl FromStr for BaseUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_region_has_a_base_url_and_is_read_back() {
        for region in Region::ALL {
            assert_eq!(BaseUrl::from(region).region(), Some(region));
            assert_eq!(region.to_string().parse::<Region>().unwrap(), region);
            assert_eq!(
                BaseUrl::from(region).to_string().parse::<Region>().unwrap(),
                region
            );
        }
    }

    #[test]
    fn what_people_type() {
        for (typed, region) in [
            ("EU", Region::Eu),
            (" us-east 2 ", Region::Us2),
            ("app.ninjarmm.com", Region::Us),
            ("https://ca.ninjarmm.com/#/getDashboard", Region::Ca),
            ("acme.rmmservice.eu", Region::Eu),
            ("https://acme.rmmservice.com/ws/oauth", Region::Us),
        ] {
            assert_eq!(typed.parse::<Region>().unwrap(), region, "{typed}");
        }
        for typed in [
            "",
            "mars",
            "https://example.com",
            "uk",
            "eu.ninjarmm.com.example.com",
        ] {
            assert!(typed.parse::<Region>().is_err(), "{typed}");
        }
    }

    #[test]
    fn base_urls_that_would_leak_a_secret_are_refused() {
        for text in [
            "http://eu.ninjarmm.com",
            "http://127.0.0.1.example.com",
            "ftp://eu.ninjarmm.com",
            "https://user:hunter2@eu.ninjarmm.com",
            "eu.ninjarmm.com",
            "https://",
            "",
            // Names below localhost go to a resolver, and the machine that answers gets the secret.
            "http://evil.localhost",
            "http://localhost.",
            "http://localhost.example.com",
            "http://0.0.0.0",
            "http://10.0.0.1",
            "http://[::]",
            "http://[::ffff:10.0.0.1]",
        ] {
            let error = BaseUrl::parse(text).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        for text in [
            "http://127.0.0.1:8080",
            "http://localhost:1",
            "http://[::1]:1/",
            "http://127.9.9.9",
            "http://LOCALHOST:1",
            "https://acme.rmmservice.com/",
        ] {
            BaseUrl::parse(text).unwrap();
        }
    }

    #[test]
    fn a_base_url_that_brings_the_api_s_own_path_along_is_the_one_without() {
        for (pasted, base) in [
            ("https://eu.ninjarmm.com/v2", "https://eu.ninjarmm.com"),
            ("https://eu.ninjarmm.com/v2/", "https://eu.ninjarmm.com"),
            ("https://eu.ninjarmm.com/api/v2", "https://eu.ninjarmm.com"),
            (
                "https://eu.ninjarmm.com/API/V2//",
                "https://eu.ninjarmm.com",
            ),
            (
                "https://gateway.example/ninja/v2",
                "https://gateway.example/ninja",
            ),
            ("https://gateway.example/api", "https://gateway.example/api"),
            (
                "https://gateway.example/rev2",
                "https://gateway.example/rev2",
            ),
            (
                "https://gateway.example/v2/x",
                "https://gateway.example/v2/x",
            ),
            (
                "\u{feff} https://eu.ninjarmm.com\u{200b}\n",
                "https://eu.ninjarmm.com",
            ),
        ] {
            let read = BaseUrl::parse(pasted).unwrap();
            assert_eq!(read.to_string(), base, "{pasted}");
            assert_eq!(read.join("/v2/devices"), format!("{base}/v2/devices"));
        }
        assert_eq!("\u{feff}eu\n".parse::<Region>().unwrap(), Region::Eu);
        let quoted = BaseUrl::parse("\"https://eu.ninjarmm.com\"").unwrap_err();
        assert!(quoted.to_string().contains("write it like"), "{quoted}");
    }

    #[test]
    fn urls_are_joined_below_the_base() {
        let base = BaseUrl::parse("https://gateway.example/ninja/?x=1#y").unwrap();
        assert_eq!(
            base.join("/v2/devices?pageSize=1"),
            "https://gateway.example/ninja/v2/devices?pageSize=1"
        );
        assert_eq!(
            BaseUrl::from(Region::Eu).join("/v2/devices"),
            "https://eu.ninjarmm.com/v2/devices"
        );
    }

    #[test]
    fn a_branded_host_counts_as_its_region() {
        assert_eq!(
            BaseUrl::parse("https://Acme.RMMservice.eu.")
                .unwrap()
                .limit_host(),
            "eu.ninjarmm.com"
        );
        assert_eq!(
            BaseUrl::parse("https://gateway.example:8443")
                .unwrap()
                .limit_host(),
            "gateway.example:8443"
        );
    }
}
