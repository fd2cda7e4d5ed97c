//! Software products and licences. Installed software is a report and part of a device.

use super::{all, group, methods};
use crate::{
    LicenseId,
    models::{LicenseAssignment, SoftwareLicense, SoftwareProduct},
};

group! {
    /// Software products that NinjaOne can patch, and licences. Installed software is a report
    /// ([`Queries::software`](crate::queries::Queries::software)) and part of a device.
    SoftwareCatalog, software
}

methods! {
    SoftwareCatalog {
        /// Products of third parties that NinjaOne can patch.
        Whole products() -> SoftwareProduct = "software.products" "/v2/software-products";
        /// Software licences.
        Whole licenses() -> SoftwareLicense = "software.licenses" "/v2/software-license/licenses";
        /// One software licence.
        Single license(id: LicenseId) -> SoftwareLicense = "software.license" "/v2/software-license/{licenseId}";
        /// Who has a software licence.
        Whole license_assignments(id: LicenseId) -> LicenseAssignment
            = "software.license_assignments" "/v2/software-license/{licenseId}/assignments";
    }
}

all! { PLAIN; }
