//! Short lists and single things of the whole tenant, after the vendor's schema of each.

use serde_json::{Value, json};

use crate::{
    answer::Answer,
    fault::Changes,
    filter::Filter,
    fleet::{FIRST_DEVICE, Present},
    report::page_size_asked,
    request::Request,
    seed::Dice,
    tenant::Tenant,
};

/// What is at a path, made for this answer.
pub(super) fn at(tenant: &Tenant, segments: &[&str], present: Present) -> Option<Value> {
    match segments {
        ["custom-fields", "field-name", name] => {
            let named = |row: &Value| row.get("name").and_then(Value::as_str) == Some(*name);
            definitions(present).into_iter().find(named)
        }
        ["device-custom-fields"] => Some(Value::Array(definitions(present))),
        ["contacts"] => Some(json!([contact(1), contact(2)])),
        ["contact", id] => id
            .parse()
            .ok()
            .filter(|id| (1..=2).contains(id))
            .map(contact),
        ["groups"] => Some(json!([
            group(1, tenant, present),
            group(2, tenant, present)
        ])),
        ["group", id, "device-ids"] => {
            let ids: Vec<i64> = tenant
                .rows
                .devices
                .rows()
                .iter()
                .filter(|row| row.keyed)
                .map(|row| row.id)
                .collect();
            id.parse::<i64>()
                .ok()
                .filter(|id| (1..=2).contains(id))
                .map(|_| json!(ids))
        }
        ["noderole", "list"] | ["roles"] => Some(json!([
            role(201, "WINDOWS_WORKSTATION"),
            role(205, "MAC"),
            role(1002, "WINDOWS_SERVER")
        ])),
        ["policies"] => Some(json!([
            policy(57, "WINDOWS_WORKSTATION", present),
            policy(243, "WINDOWS_SERVER", present)
        ])),
        ["software-license", "licenses"] => Some(json!([license(1, present), license(2, present)])),
        ["software-license", id] => id
            .parse()
            .ok()
            .filter(|id| (1..=2).contains(id))
            .map(|id| license(id, present)),
        ["software-license", id, "assignments"] => id
            .parse::<i64>()
            .ok()
            .map(|id| json!([{ "id": 1, "licenseId": id, "deviceId": FIRST_DEVICE }])),
        ["software-products"] => Some(json!([
            { "id": uuid(31), "vendorName": "Google", "productName": "Chrome", "installable": true, "active": true },
            { "id": uuid(32), "vendorName": "Mozilla", "productName": "Firefox", "installable": true, "active": false },
        ])),
        ["tag"] => Some(json!({ "tags": [{
            "id": 1, "name": "production", "description": "Do not reboot by day", "createTime": present.days_ago(200.0),
            "updateTime": present.days_ago(20.0), "createdByUserId": 30, "updatedByUserId": 30, "targetsCount": 2,
            "createdBy": { "id": 30, "name": "Ada Marsh", "email": "ada.marsh@example.com" },
        }] })),
        ["user", "roles"] => Some(json!([{
            "id": 1, "name": "System Administrator", "type": "TECHNICIAN", "description": "All permissions",
            "members": [{ "id": 30, "name": "Ada Marsh", "email": "ada.marsh@example.com", "source": "LOCAL" }],
        }])),
        ["user", "end-user", _, "custom-fields"] => {
            Some(json!({ "costCentre": "4711", "badge": null }))
        }
        ["vulnerability", "scan-groups"] => Some(json!([scan_group(1), scan_group(2)])),
        ["vulnerability", "scan-groups", id] => id
            .parse()
            .ok()
            .filter(|id| (1..=2).contains(id))
            .map(scan_group),
        _ => None,
    }
}

/// Alerts of the first devices that a filter admits.
pub(super) fn alerts(tenant: &Tenant, filter: &Filter, present: Present) -> Value {
    let some = some_devices(tenant, filter).into_iter();
    some.map(|(id, organization)| alert(id, organization, present))
        .collect()
}

/// Running jobs of the first devices that a filter admits.
pub(super) fn jobs(tenant: &Tenant, filter: &Filter, present: Present) -> Value {
    let some = some_devices(tenant, filter).into_iter();
    some.map(|(id, organization)| job(id, organization, present))
        .collect()
}

/// Definitions come with a page number and no cursor: the vendor's document names none.
pub(super) fn custom_field_definitions(
    tenant: &mut Tenant,
    request: &Request,
    changes: &Changes,
) -> Answer {
    let size = page_size_asked(request, 50, changes).clamp(5, 500);
    let all = definitions(Present::of(tenant.now));
    let count = all.len();
    let page: Vec<Value> = all
        .into_iter()
        .take(size)
        .map(|row| tenant.rows.masked(&row).into_owned())
        .collect();
    Answer::json(
        200,
        &json!({ "page": 0, "pageSize": size, "count": count, "results": page }),
    )
}

/// Field names and the kinds of their values, as the fleet's custom field rows use them.
fn definitions(present: Present) -> Vec<Value> {
    let field = |name: &str, label: &str, kind: &str| {
        json!({
            "entityType": "NODE", "scope": "NODE_GLOBAL", "definitionScope": ["NODE"], "type": kind, "label": label, "name": name,
            "description": null, "endUserPermission": "HIDDEN", "technicianPermission": "EDITABLE",
            "scriptPermission": "READ_WRITE", "apiPermission": "READ_WRITE", "content": { "required": false },
            "system": false, "active": true, "createTime": present.days_ago(400.0), "updateTime": present.days_ago(40.0),
        })
    };
    vec![
        field("diskEncryption", "Disk encryption", "DROPDOWN"),
        field("fileVault", "FileVault", "DROPDOWN"),
        field("assetTag", "Asset tag", "TEXT"),
        field("purchaseDate", "Purchase date", "DATE"),
        field("entraDeviceId", "Entra device", "TEXT"),
        field("rack", "Rack", "TEXT"),
    ]
}

/// A few devices with their organizations.
fn some_devices(tenant: &Tenant, filter: &Filter) -> Vec<(i64, i64)> {
    let organization = |id| {
        tenant
            .devices
            .get(id)
            .and_then(|device| device.organization)
            .unwrap_or_default()
    };
    let rows = tenant
        .rows
        .devices
        .rows()
        .iter()
        .filter(|row| row.keyed && filter.admits(row.device, tenant.devices.get(row.id)));
    rows.take(5)
        .map(|row| (row.id, organization(row.id)))
        .collect()
}

/// One alert of a device.
pub(super) fn alert(device: i64, organization: i64, present: Present) -> Value {
    json!({
        "uid": uuid(device), "deviceId": device, "message": "Free space on C: is below 10 %", "createTime": present.days_ago(2.0),
        "updateTime": present.days_ago(1.0), "sourceType": "CONDITION_AGENT_DISK_FREE_SPACE", "sourceConfigUid": uuid(device + 1),
        "sourceName": "Disk space", "subject": "Disk space", "severity": "MAJOR", "priority": "HIGH",
        "conditionName": "Disk space below 10 %", "conditionHealthStatus": "NEEDS_ATTENTION", "useGlobalHealthStatus": false,
        "device": { "id": device, "organizationId": organization },
    })
}

/// One running job of a device.
pub(super) fn job(device: i64, organization: i64, present: Present) -> Value {
    json!({
        "uid": uuid(device + 2), "deviceId": device, "message": "Scan for patches", "createTime": present.ago(900.0),
        "updateTime": present.ago(600.0), "sourceType": "SCHEDULED_TASK", "jobStatus": "IN_PROCESS", "jobType": "PATCH_MANAGEMENT",
        "device": { "id": device, "organizationId": organization },
    })
}

fn contact(id: i64) -> Value {
    json!({
        "id": id, "organizationId": 2, "uid": uuid(id), "firstName": "Robin", "lastName": format!("Vale {id}"),
        "email": format!("robin.vale{id}@example.com"), "phone": "+1 202 555 0100", "jobTitle": "Office manager",
    })
}

fn group(id: i64, tenant: &Tenant, present: Present) -> Value {
    json!({
        "id": id, "name": if id == 1 { "Windows servers" } else { "Everything" }, "description": "", "shared": true,
        "created": present.days_ago(300.0), "updated": present.days_ago(30.0), "deviceCount": tenant.rows.devices.rows().len(),
        "lastEvaluated": present.ago(600.0),
    })
}

fn role(id: i64, class: &str) -> Value {
    json!({ "id": id, "name": class.replace('_', " "), "nodeClass": class, "custom": false, "chassisType": "UNKNOWN" })
}

fn policy(id: i64, class: &str, present: Present) -> Value {
    json!({
        "id": id, "name": format!("{class} baseline"), "nodeClass": class, "updated": present.days_ago(12.0), "nodeClassDefault": true,
    })
}

fn license(id: i64, present: Present) -> Value {
    json!({
        "id": id, "name": format!("Office suite {id}"), "type": "PER_DEVICE", "quantity": 50, "currentUsage": 31,
        "scope": { "global": true }, "term": { "renewalUnit": "YEAR", "value": 1, "expirationDate": present.days_ago(-200.0) },
    })
}

fn scan_group(id: i64) -> Value {
    json!({
        "id": id, "groupName": format!("Scanner {id}"), "fileName": "export.csv", "status": "COMPLETE", "vendor": "Generic",
        "recordsProcessed": 120,
    })
}

fn uuid(purpose: i64) -> String {
    Dice::new(0x1D, purpose.unsigned_abs()).uuid()
}
