//! The compliance frameworks in the crosswalk.

use serde::{Deserialize, Serialize};

macro_rules! frameworks {
    ($($(#[doc = $doc:literal])+ $variant:ident = $id:literal, $name:literal, $version:literal;)+) => {
        /// A framework, in the one version that the crosswalk knows.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Framework {
            $($(#[doc = $doc])+ #[serde(rename = $id)] $variant,)+
        }

        impl Framework {
            /// Every framework.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The id used in JSON and configuration, such as `pci_dss`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $id,)+ }
            }

            /// The name, such as `PCI DSS`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The version whose requirements are meant, such as `4.0.1`.
            #[must_use]
            pub const fn version(self) -> &'static str {
                match self { $(Self::$variant => $version,)+ }
            }
        }
    };
}

frameworks! {
    /// The HIPAA Security Rule.
    Hipaa = "hipaa", "HIPAA", "45 CFR 164 Subpart C";
    /// SOC 2: the AICPA's Trust Services Criteria.
    Soc2 = "soc_2", "SOC 2", "TSC 2017 (rev. POF 2022)";
    /// The NIST Cybersecurity Framework.
    NistCsf = "nist_csf", "NIST CSF", "2.0";
    /// ISO/IEC 27001, Annex A.
    Iso27001 = "iso_27001", "ISO/IEC 27001", "2022 Annex A";
    /// NIST SP 800-171.
    Nist800171 = "nist_800_171", "NIST SP 800-171", "Rev. 2";
    /// The Cybersecurity Maturity Model Certification.
    Cmmc = "cmmc", "CMMC", "2.0 Level 2";
    /// The Payment Card Industry Data Security Standard.
    PciDss = "pci_dss", "PCI DSS", "4.0.1";
    /// The General Data Protection Regulation.
    Gdpr = "gdpr", "GDPR", "Regulation (EU) 2016/679";
    /// The FTC Safeguards Rule.
    FtcSafeguards = "ftc_safeguards", "FTC Safeguards", "16 CFR 314.4";
}

/// An id that names no framework.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a framework: hipaa, soc_2, nist_csf, iso_27001, nist_800_171, cmmc, pci_dss, gdpr, ftc_safeguards"
)]
pub struct UnknownFramework;

impl std::str::FromStr for Framework {
    type Err = UnknownFramework;

    fn from_str(id: &str) -> Result<Self, UnknownFramework> {
        Self::ALL
            .iter()
            .copied()
            .find(|framework| framework.as_str() == id)
            .ok_or(UnknownFramework)
    }
}

impl std::fmt::Display for Framework {
    /// The name and the version.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.name(), self.version())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back() {
        for &framework in Framework::ALL {
            assert_eq!(framework.as_str().parse(), Ok(framework));
            assert_eq!(serde_json::to_value(framework).unwrap(), framework.as_str());
        }
        let refused = "pci".parse::<Framework>().unwrap_err().to_string();
        for framework in Framework::ALL {
            assert!(refused.contains(framework.as_str()), "{framework}");
        }
        assert_eq!(Framework::PciDss.to_string(), "PCI DSS 4.0.1");
    }
}
