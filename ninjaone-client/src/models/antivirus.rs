//! Antivirus products and threats.

use crate::{DeviceId, open_enum::code};

model! {
    /// One antivirus product on one device. A device has a row for each product that was ever registered on it.
    AntivirusStatus {
        /// The device.
        device_id: DeviceId,
        /// The product; `NONE` when the device has none.
        product_name: String,
        /// State of the product, such as on or off.
        product_state: ProductState,
        /// Whether its definitions are current. NinjaOne does not send their date.
        definition_status: DefinitionStatus,
        /// Its version.
        version: String,
    } times {
        /// When the row was collected. This is not the date of the definitions.
        timestamp,
    }
}

model! {
    /// A threat that an antivirus product found.
    AntivirusThreat {
        /// The device.
        device_id: DeviceId,
        /// Its name.
        name: String,
        /// Code of the product that found it.
        product_code: String,
        /// Id in the quarantine.
        quarantine_id: String,
        /// State, in the product's words.
        status: String,
        /// Type.
        r#type: String,
        /// Id of the threat.
        threat_id: i64,
        /// Category.
        category: String,
        /// Level.
        level: String,
        /// What detected it.
        detection_source: String,
        /// Files, cookies and the like, in the product's words.
        trace_list: String,
    } times {
        /// When the row was collected.
        timestamp,
    }
}

code! {
    /// State of an antivirus product. The vendor's document lists no values; live tenants send these.
    ProductState {
        ON = "ON",
        OFF = "OFF",
    }
}

code! {
    /// State of antivirus definitions. The vendor's document lists no values. Ignore case and separators in a comparison.
    DefinitionStatus {
        UP_TO_DATE = "Up-to-Date",
        OUT_OF_DATE = "Out-of-Date",
    }
}
