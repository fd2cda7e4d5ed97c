//! What an asset says of a device.

use ninjaone_client::{
    Timestamp,
    models::{ApprovalStatus, Device},
};
use serde_json::Value;
use time::OffsetDateTime;

use crate::{
    model::{AssetContent, Contact, Private},
    rules::serial_key,
};

/// The field that says whether a device is approved.
pub(crate) const APPROVAL_STATUS: &str = "approvalStatus";

/// One row of the device list, as far as an asset needs it.
pub(crate) struct Listed {
    pub(crate) contact: Contact,
    pub(crate) approved: bool,
    pub(crate) content: AssetContent,
}

impl Listed {
    pub(crate) fn of(row: &Device) -> Self {
        Self {
            contact: Contact {
                created: row.created.and_then(Timestamp::at),
                last: row.last_contact.and_then(Timestamp::at),
                offline: row.offline,
            },
            approved: row.approval_status == Some(ApprovalStatus::Approved)
                || row.unreadable.contains(APPROVAL_STATUS),
            content: content(row),
        }
    }

    pub(crate) fn rank(&self) -> (Option<OffsetDateTime>, bool) {
        (self.contact.last, self.approved)
    }
}

/// The longest text that is kept of a device or an organization, in bytes. A name of mebibytes would be held for every row, and stored.
const LONGEST_TEXT: usize = 1_024;

/// The beginning of a text that people read, no longer than is kept.
pub(crate) fn cut(text: &str) -> &str {
    let mut ends = (0..=LONGEST_TEXT.min(text.len())).rev();
    let end = ends.find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

/// Whether a text can identify a device: the beginning of a longer one may be that of another device, too.
pub(crate) fn is_an_id(text: &str) -> bool {
    text.len() <= LONGEST_TEXT
}

/// What the asset says of a device: nothing that changes from hour to hour.
fn content(device: &Device) -> AssetContent {
    let text = |text: Option<&String>| {
        text.map(|text| cut(text.trim()))
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let id = |id: Option<&String>| text(id.filter(|id| is_an_id(id)));
    let system = device.system.as_ref();
    // Virtual machines and Macs fill one of the two; the one that identifies the machine is taken.
    let serials = [
        system.and_then(|system| id(system.bios_serial_number.as_ref())),
        system.and_then(|system| id(system.serial_number.as_ref())),
        id(device.service_tag.as_ref()),
    ];
    let serial = serials
        .iter()
        .flatten()
        .find(|serial| serial_key(serial).is_some())
        .or(serials.iter().flatten().next());
    let name = device.best_name().unwrap_or_default();
    AssetContent {
        name: Private::new(cut(name)),
        host_name: text(device.system_name.as_ref().or(device.dns_name.as_ref())).map(Private::new),
        serial_number: serial.map(|serial| Private::new(serial.as_str())),
        entra_device_id: None,
        class: device
            .node_class
            .as_ref()
            .map(|class| cut(class.as_str()).to_owned()),
        manufacturer: system
            .and_then(|system| text(system.manufacturer.as_ref()))
            .or_else(|| text(device.vendor.as_ref())),
        model: system
            .and_then(|system| text(system.model.as_ref()))
            .or_else(|| text(device.model.as_ref())),
        operating_system: device.os.as_ref().and_then(|os| text(os.name.as_ref())),
    }
}

/// The text of a custom field; some answers wrap it.
pub(crate) fn said(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text.trim()).filter(|text| !text.is_empty()),
        Value::Object(wrapped) => said(wrapped.get("value")?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_asset_is_approved_by_that_word_alone_or_where_it_cannot_be_read() {
        for (status, approved) in [
            (json!("APPROVED"), true),
            (json!("PENDING"), false),
            (json!("DECOMMISSIONED"), false),
            (json!(null), false),
        ] {
            let row = json!({"id": 1, "approvalStatus": status});
            let device: Device = serde_json::from_value(row).unwrap();
            assert_eq!(Listed::of(&device).approved, approved, "{status}");
        }
        // There, and no text: the device stays.
        let device = Device {
            unreadable: ninjaone_client::Unreadable::of([APPROVAL_STATUS]),
            ..serde_json::from_value(json!({"id": 1})).unwrap()
        };
        assert!(Listed::of(&device).approved);
    }
}
