//! The fields of an asset, from a row of the device list.

use ninjaone_client::{
    Timestamp,
    models::{ApprovalStatus, Device},
};
use serde_json::Value;
use time::OffsetDateTime;

use crate::{
    model::{AssetContent, LastContact, Sensitive},
    rules::serial_key,
};

/// The field that says whether a device is approved.
pub(crate) const APPROVAL_STATUS: &str = "approvalStatus";

/// One row of the device list, as far as an asset needs it.
pub(crate) struct Listed {
    pub(crate) contact: LastContact,
    pub(crate) approved: bool,
    pub(crate) content: AssetContent,
}

impl Listed {
    pub(crate) fn of(row: &Device) -> Self {
        Self {
            contact: LastContact {
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
        name: Sensitive::new(cut(name)),
        host_name: id(device.system_name.as_ref().or(device.dns_name.as_ref())).map(Sensitive::new),
        serial_number: serial.map(|serial| Sensitive::new(serial.as_str())),
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
pub(crate) fn custom_field_text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text.trim()).filter(|text| !text.is_empty()),
        Value::Object(wrapped) => custom_field_text(wrapped.get("value")?),
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

    fn content_of(row: Value) -> AssetContent {
        content(&serde_json::from_value(row).unwrap())
    }

    #[test]
    fn an_asset_says_what_its_device_says_and_the_first_serial_number_that_identifies_it() {
        let whole = json!({
            "id": 1, "displayName": "Reception", "systemName": " FRONT-1 ", "nodeClass": "WINDOWS_WORKSTATION",
            "vendor": "Another", "model": "Another", "os": {"name": " Windows 11 "},
            "system": {"biosSerialNumber": "PF3K7Q1B", "serialNumber": "OTHER123", "manufacturer": " LENOVO ", "model": "T14"},
        });
        let expected = AssetContent {
            name: "Reception".into(),
            host_name: Some("FRONT-1".into()),
            serial_number: Some("PF3K7Q1B".into()),
            entra_device_id: None,
            class: Some("WINDOWS_WORKSTATION".into()),
            manufacturer: Some("LENOVO".into()),
            model: Some("T14".into()),
            operating_system: Some("Windows 11".into()),
        };
        assert_eq!(content_of(whole), expected);

        let serial = |system: Value, tag: Value| {
            content_of(json!({"id": 1, "system": system, "serviceTag": tag})).serial_number
        };
        for (system, tag, serial_number) in [
            (
                json!({"biosSerialNumber": "To be filled by O.E.M.", "serialNumber": "PF3K7Q1B"}),
                json!(null),
                Some("PF3K7Q1B"),
            ),
            (
                json!({"biosSerialNumber": " ", "serialNumber": "Default string"}),
                json!("PF3K7Q1B"),
                Some("PF3K7Q1B"),
            ),
            // None identifies it: what stands there is shown all the same.
            (
                json!({"biosSerialNumber": "Default string"}),
                json!(null),
                Some("Default string"),
            ),
            (json!({"biosSerialNumber": " "}), json!(" "), None),
            (json!(null), json!(null), None),
        ] {
            assert_eq!(serial(system, tag), serial_number.map(Sensitive::from));
        }

        let elsewhere = content_of(json!({
            "id": 1, "dnsName": "front-1.example", "vendor": "Dell", "model": "Latitude", "system": {"manufacturer": " "},
        }));
        assert_eq!(elsewhere.host_name, Some("front-1.example".into()));
        assert_eq!(elsewhere.manufacturer.as_deref(), Some("Dell"));
        assert_eq!(elsewhere.model.as_deref(), Some("Latitude"));
        assert_eq!((elsewhere.class, elsewhere.operating_system), (None, None));
    }

    #[test]
    fn a_longer_text_is_cut_where_people_read_it_and_identifies_nothing() {
        // A letter of two bytes stands across the border.
        let long = format!("{}\u{fc}-and-more", "x".repeat(LONGEST_TEXT - 1));
        let content = content_of(json!({
            "id": 1, "displayName": long, "systemName": long, "system": {"serialNumber": long, "model": long},
        }));
        let kept = "x".repeat(LONGEST_TEXT - 1);
        assert_eq!(content.name, kept.as_str().into());
        assert_eq!(content.model, Some(kept));
        assert_eq!((content.host_name, content.serial_number), (None, None));

        let longest = "y".repeat(LONGEST_TEXT);
        let content = content_of(json!({"id": 1, "systemName": longest}));
        assert_eq!(content.host_name, Some(longest.as_str().into()));
    }

    #[test]
    fn of_two_rows_of_a_device_the_newest_counts_and_an_approved_one_where_they_are_as_new() {
        let rank = |contact: Value, approval: &str| {
            let row = json!({"id": 1, "lastContact": contact, "approvalStatus": approval});
            let device: Device = serde_json::from_value(row).unwrap();
            Listed::of(&device).rank()
        };
        let (older, newer) = (json!(1_700_000_000), json!(1_700_000_060));
        assert!(rank(older.clone(), "APPROVED") < rank(newer.clone(), "PENDING"));
        assert!(rank(newer.clone(), "PENDING") < rank(newer, "APPROVED"));
        assert!(rank(json!(null), "APPROVED") < rank(older, "PENDING"));
    }

    #[test]
    fn the_text_of_a_custom_field_is_read_wrapped_or_not() {
        for (value, text) in [
            (json!(" a "), Some("a")),
            (json!({"value": "b"}), Some("b")),
            (json!({"value": {"value": "c"}}), Some("c")),
            (json!({"text": "d"}), None),
            (json!(" "), None),
            (json!(7), None),
        ] {
            assert_eq!(custom_field_text(&value), text, "{value}");
        }
    }
}
