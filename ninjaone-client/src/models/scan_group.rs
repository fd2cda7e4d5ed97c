//! Vulnerability scan groups.

use crate::{ScanGroupId, open_enum::open_enum};

model! {
    /// A vulnerability scan group: what a scanner reports for, imported as files.
    ScanGroup {
        /// Its id.
        id: ScanGroupId,
        /// Name.
        group_name: String,
        /// Name of the last file.
        file_name: String,
        /// Where the last import stands.
        status: ScanGroupStatus,
        /// Vendor of the scanner.
        vendor: String,
        /// The integration it belongs to.
        third_party_api_tile: String,
        /// Column of the file that names the device.
        device_id_header: String,
        /// What that column is compared with.
        device_internal_mapping: String,
        /// Column of the file that names the vulnerability.
        cve_id_header: String,
        /// Records of the last import.
        records_processed: i64,
        /// When a file was last imported, as text.
        last_file_upload_date: String,
    }
}

open_enum! {
    /// Where an import of vulnerabilities stands.
    ScanGroupStatus {
        Complete = "COMPLETE",
        InProgress = "IN_PROGRESS",
        Failed = "FAILED",
    }
}
