//! Rows of the device list.
//!
//! | field that cannot be read | the device is |
//! |---|---|
//! | `id`, `organizationId` | lost |
//! | `approvalStatus` | approved, and counts as a lost row besides: [`is_approval_lost`] |
//! | `nodeClass` | of a class that nobody can tell: in scope, and what is good of it measures nothing |
//! | `lastContact` | not stale, and measured by the last 30 days alone |
//! | `offline` | neither online nor offline |

use ninjaone_client::models::{ApprovalStatus, Device};
use regentra_evidence::{DeviceClass, DeviceFact};

use super::{Malformed, caseless, device_key, instant};

/// What one row of the device list says.
///
/// # Errors
///
/// [`Malformed`] for a row without an id.
pub fn device(row: &Device) -> Result<DeviceFact, Malformed> {
    Ok(DeviceFact {
        device: device_key(row.id.ok_or(Malformed { field: "id" })?),
        approved: is_approved(row),
        class: match &row.node_class {
            Some(class) => device_class(class.as_str()),
            None if row.unreadable.contains("nodeClass") => DeviceClass::Unreadable,
            None => DeviceClass::Unknown,
        },
        offline: row.offline,
        last_contact: instant(row.last_contact),
    })
}

/// Nobody can tell whether a device is approved whose approval is there and cannot be read. It is judged like one that is: left
/// out, it would take along what is bad about it.
fn is_approved(row: &Device) -> bool {
    match &row.approval_status {
        Some(status) => caseless(status.as_str()) == ApprovalStatus::Approved.as_str(),
        None => is_approval_lost(row),
    }
}

/// Whether a row does not say whether its device is approved, though it has a word for it: that counts as a lost row, beside the
/// device.
#[must_use]
pub fn is_approval_lost(row: &Device) -> bool {
    row.approval_status.is_none() && row.unreadable.contains("approvalStatus")
}

/// The class behind the vendor's word. A word that was never seen is unknown, and so in scope; whole families are known by their
/// first word.
#[must_use]
pub fn device_class(word: &str) -> DeviceClass {
    match caseless(word).as_ref() {
        "WINDOWS_WORKSTATION" => DeviceClass::WindowsWorkstation,
        "WINDOWS_SERVER" => DeviceClass::WindowsServer,
        "MAC" => DeviceClass::Mac,
        "MAC_SERVER" => DeviceClass::MacServer,
        "LINUX_WORKSTATION" => DeviceClass::LinuxWorkstation,
        "LINUX_SERVER" => DeviceClass::LinuxServer,
        "ANDROID" | "APPLE_IOS" | "APPLE_IPADOS" => DeviceClass::Mobile,
        "CLOUD_MONITOR_TARGET" | "MANAGED_DEVICE" | "UNMANAGED_DEVICE" => DeviceClass::Other,
        word if word.starts_with("NMS_") => DeviceClass::Network,
        word if word.starts_with("VMWARE_") || word.starts_with("HYPERV_") => {
            DeviceClass::Virtualization
        }
        _ => DeviceClass::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use ninjaone_client::Unreadable;
    use regentra_evidence::DeviceFamily;
    use serde_json::json;

    use super::*;

    fn row(json: serde_json::Value) -> Device {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn every_class_of_the_vendors_document_is_known() {
        use DeviceFamily::{Mobile, Network, Other, Server, Virtualization, Workstation};
        let table = [
            ("WINDOWS_SERVER", Server, true),
            ("WINDOWS_WORKSTATION", Workstation, true),
            ("LINUX_WORKSTATION", Workstation, true),
            ("LINUX_SERVER", Server, true),
            ("MAC", Workstation, true),
            ("MAC_SERVER", Server, true),
            ("ANDROID", Mobile, false),
            ("APPLE_IOS", Mobile, false),
            ("APPLE_IPADOS", Mobile, false),
            ("VMWARE_VM_HOST", Virtualization, false),
            ("VMWARE_VM_GUEST", Virtualization, false),
            ("HYPERV_VMM_HOST", Virtualization, false),
            ("HYPERV_VMM_GUEST", Virtualization, false),
            ("CLOUD_MONITOR_TARGET", Other, false),
            ("NMS_SWITCH", Network, false),
            ("NMS_COMPUTER", Network, false),
            ("NMS_SERVER", Network, false),
            ("NMS_VIRTUAL_MACHINE", Network, false),
            ("UNMANAGED_DEVICE", Other, false),
            ("MANAGED_DEVICE", Other, false),
            ("QUANTUM_WORKSTATION", Other, true),
            ("windows_server", Server, true),
            ("Nms_Switch", Network, false),
            (" hyperv_vmm_guest ", Virtualization, false),
        ];
        for (word, family, in_scope) in table {
            let class = device_class(word);
            assert_eq!(
                (class.family(), class.is_endpoint()),
                (family, in_scope),
                "{word}"
            );
        }
        assert_eq!(
            device(&row(json!({"id": 1}))).unwrap().class,
            DeviceClass::Unknown
        );
    }

    #[test]
    fn only_approved_is_approved() {
        for (status, approved) in [
            ("APPROVED", true),
            ("PENDING", false),
            ("STAGED", false),
            ("DECOMMISSIONED", false),
            ("LOST", false),
            ("approved", true),
            (" Approved ", true),
            ("", false),
        ] {
            let fact = device(&row(json!({"id": 1, "approvalStatus": status}))).unwrap();
            assert_eq!(fact.approved, approved, "{status}");
        }
        assert!(!device(&row(json!({"id": 1}))).unwrap().approved);
    }

    #[test]
    fn an_approval_that_cannot_be_read_leaves_the_device_in() {
        let unreadable = |field| Device {
            unreadable: Unreadable::of([field]),
            ..row(json!({"id": 1}))
        };
        for (field, approved) in [("approvalStatus", true), ("nodeClass", false)] {
            let row = unreadable(field);
            assert_eq!(device(&row).unwrap().approved, approved, "{field}");
            assert_eq!(is_approval_lost(&row), approved, "{field}");
        }
        assert!(!is_approval_lost(&row(json!({"id": 1}))));
        assert_eq!(
            device(&unreadable("nodeClass")).unwrap().class,
            DeviceClass::Unreadable
        );
        // A word that was read stands, whatever came before it.
        let read = Device {
            approval_status: Some(ApprovalStatus::Pending),
            ..unreadable("approvalStatus")
        };
        assert!(!is_approval_lost(&read) && !device(&read).unwrap().approved);
    }

    #[test]
    fn a_device_without_id_is_malformed() {
        assert_eq!(
            device(&row(json!({"offline": true}))),
            Err(Malformed { field: "id" })
        );
    }
}
