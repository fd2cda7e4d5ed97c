//! Vulnerability management.

use super::{all, group, methods};
use crate::{ScanGroupId, models::ScanGroup};

group! {
    /// Vulnerability management.
    Vulnerabilities, vulnerabilities
}

methods! {
    Vulnerabilities {
        /// All scan groups.
        Whole scan_groups() -> ScanGroup = "vulnerabilities.scan_groups" "/v2/vulnerability/scan-groups";
        /// One scan group.
        Single scan_group(id: ScanGroupId) -> ScanGroup = "vulnerabilities.scan_group" "/v2/vulnerability/scan-groups/{scan-group-id}";
    }
}

all! { PLAIN; }
