//! Vulnerability scan groups.

use crate::{ScanGroupId, open_enum::open_enum};

model! {
    /// A vulnerability scan group: the results of one scanner, imported as files.
    ScanGroup {
        /// Its id.
        id: ScanGroupId,
        /// Name.
        group_name: String,
        /// Name of the last file.
        file_name: String,
        /// State of the last import.
        status: ScanGroupStatus,
        /// Vendor of the scanner.
        vendor: String,
        /// The integration it belongs to.
        third_party_api_tile: String,
        /// Column of the file that names the device.
        device_id_header: String,
        /// The device attribute that this column is compared with.
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
    /// State of an import of vulnerabilities.
    ScanGroupStatus {
        Complete = "COMPLETE",
        InProgress = "IN_PROGRESS",
        Failed = "FAILED",
    }
}
