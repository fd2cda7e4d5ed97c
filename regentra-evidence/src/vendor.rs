//! The closed list of antivirus vendors that are counted by name.

use serde::{Deserialize, Serialize};

macro_rules! vendors {
    ($($(#[doc = $doc:literal])+ $variant:ident = $id:literal,)+) => {
        /// The maker of an antivirus product. Product names never reach a signal; this closed list does.
        ///
        /// The variants stand in alphabetical order of their ids.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Vendor {
            $($(#[doc = $doc])+ #[serde(rename = $id)] $variant,)+
        }

        impl Vendor {
            /// Every vendor, sorted by id.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The id used in JSON, such as `microsoft_defender`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $id,)+ }
            }
        }
    };
}

vendors! {
    /// Apple `XProtect`.
    AppleXprotect = "apple_xprotect",
    /// Avast.
    Avast = "avast",
    /// AVG.
    Avg = "avg",
    /// Bitdefender.
    Bitdefender = "bitdefender",
    /// Carbon Black.
    CarbonBlack = "carbon_black",
    /// Cisco Secure Endpoint.
    Cisco = "cisco",
    /// `ClamAV`.
    Clamav = "clamav",
    /// `CrowdStrike`.
    Crowdstrike = "crowdstrike",
    /// Cylance.
    Cylance = "cylance",
    /// Deep Instinct.
    DeepInstinct = "deep_instinct",
    /// ESET.
    Eset = "eset",
    /// Fortinet.
    Fortinet = "fortinet",
    /// Huntress.
    Huntress = "huntress",
    /// Kaspersky.
    Kaspersky = "kaspersky",
    /// Malwarebytes.
    Malwarebytes = "malwarebytes",
    /// Microsoft Defender.
    MicrosoftDefender = "microsoft_defender",
    /// Norton.
    Norton = "norton",
    /// A maker that is not on this list.
    Other = "other",
    /// Palo Alto Networks Cortex.
    PaloAlto = "palo_alto",
    /// `SentinelOne`.
    Sentinelone = "sentinelone",
    /// Sophos.
    Sophos = "sophos",
    /// Symantec.
    Symantec = "symantec",
    /// Trellix (formerly `McAfee` Enterprise and `FireEye`).
    Trellix = "trellix",
    /// Trend Micro.
    TrendMicro = "trend_micro",
    /// `WatchGuard`.
    Watchguard = "watchguard",
    /// Webroot.
    Webroot = "webroot",
    /// `WithSecure` (formerly F-Secure for business).
    Withsecure = "withsecure",
}

#[cfg(test)]
mod tests {
    use super::Vendor;

    #[test]
    fn the_order_of_vendors_is_the_order_of_their_ids() {
        assert!(Vendor::ALL.is_sorted());
        assert!(Vendor::ALL.iter().map(|vendor| vendor.as_str()).is_sorted());
    }
}
