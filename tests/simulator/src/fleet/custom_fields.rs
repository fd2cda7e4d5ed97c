//! Custom field values: what a customer's scripts have written about a device.

use serde_json::json;

use super::{Rows, machine::Machine};
use crate::report::Report;

/// Adds the row of the device to both reports of custom fields.
pub(super) fn add(rows: &mut Rows, machine: &Machine) {
    if !machine.is_computer() || machine.every(4, 3) {
        return;
    }
    let mut dice = machine.dice(7);
    let encrypted = if machine.every(10, 9) { "No" } else { "Yes" };
    let field = if machine.is_mac() {
        "fileVault"
    } else {
        "diskEncryption"
    };
    let tag = format!("AT-{:05}", dice.below(90_000));
    let bought = 1_600_000_000_000_u64 + u64::from(dice.below(150_000_000)) * 1_000;
    let entra = dice.uuid();
    rows.report(
        Report::CustomFields,
        &json!({
            "deviceId": machine.id,
            "fields": {
                field: encrypted, "assetTag": tag, "purchaseDate": bought, "entraDeviceId": { "value": entra }, "rack": null,
            },
        }),
    );
    let by = json!({ "source": "SCRIPT" });
    let updated = machine.collected;
    let field_of = |name: &str, value: serde_json::Value| json!({ "name": name, "value": value, "updated": updated, "updateTime": updated, "updatedBy": by });
    rows.report(
        Report::CustomFieldsDetailed,
        &json!({
            "deviceId": machine.id, "entityType": "NODE", "entityId": machine.id,
            "fields": [
                field_of(field, json!(encrypted)), field_of("assetTag", json!(tag)), field_of("purchaseDate", json!(bought)),
                field_of("entraDeviceId", json!(entra)),
            ],
        }),
    );
}
