//! The NinjaOne region or host that a credential belongs to.

use std::fmt;

use ninjaone_client::{BaseUrl, Region};
use serde::{Deserialize, Serialize};

/// The text is neither a region nor an address of NinjaOne. The message says what to enter instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnknownRegion(String);

/// A region's short name (`us`, `us2`, `eu`, `ca`, `oc`, `fed`), or the base URL of a branded or private host.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RegionKey(String);

impl RegionKey {
    /// Reads a region's name or an address, as a person types it. The address of a region becomes that region; any other host keeps its
    /// address.
    ///
    /// ```
    /// use regentra_sync::model::RegionKey;
    /// assert_eq!(RegionKey::parse("EU")?.as_str(), "eu");
    /// assert_eq!(RegionKey::parse("https://eu.ninjarmm.com/#/getDashboard")?.as_str(), "eu");
    /// assert_eq!(RegionKey::parse("Acme.rmmservice.com")?.as_str(), "https://acme.rmmservice.com");
    /// assert!(RegionKey::parse("http://acme.example").is_err());
    /// # Ok::<(), regentra_sync::model::UnknownRegion>(())
    /// ```
    ///
    /// # Errors
    /// [`UnknownRegion`] when the text is neither.
    pub fn parse(text: &str) -> Result<Self, UnknownRegion> {
        let text = text.trim();
        let invalid = |error: ninjaone_client::Error| UnknownRegion(error.to_string());
        if !text.contains(['.', ':', '/']) {
            let region: Region = text.parse().map_err(invalid)?;
            return Ok(region.into());
        }
        let address = if text.contains("://") {
            text.to_owned()
        } else {
            format!("https://{text}")
        };
        let base = BaseUrl::parse(&address).map_err(invalid)?;
        let own = Region::ALL
            .into_iter()
            .find(|region| region.host() == base.host());
        Ok(match own {
            Some(region) => region.into(),
            // A branded host: the path after it in the address bar is a page, not a path of the API.
            None if base.region().is_some() => Self(format!("https://{}", base.host())),
            None => Self(base.to_string()),
        })
    }

    /// The key with this text, which a store kept.
    #[must_use]
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The base URL of the region or host.
    ///
    /// # Errors
    /// [`UnknownRegion`] when a store kept something that is neither a region nor an address.
    pub fn base_url(&self) -> Result<BaseUrl, UnknownRegion> {
        if let Some(region) = Region::ALL
            .into_iter()
            .find(|region| region.as_str() == self.0)
        {
            return Ok(region.into());
        }
        BaseUrl::parse(&self.0).map_err(|error| UnknownRegion(error.to_string()))
    }
}

impl From<Region> for RegionKey {
    fn from(region: Region) -> Self {
        Self(region.as_str().to_owned())
    }
}

impl fmt::Display for RegionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for RegionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RegionKey({})", self.0)
    }
}
