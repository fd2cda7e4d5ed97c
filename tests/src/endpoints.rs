//! The endpoints that are neither report, paged list nor feed: single things, short lists, and what hangs on one device or
//! organization. A few rows each, after the vendor's schema.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::activities;
use crate::answer::{Answer, ErrorShape};
use crate::fault::Changes;
use crate::fleet::Present;
use crate::list;
use crate::report::{Report, device_filter, page_size};
use crate::request::Request;
use crate::seed::Dice;
use crate::table::Row;
use crate::tenant::Tenant;
use crate::wire;

/// Answers, or says 404.
pub(crate) fn answer(
    tenant: &mut Tenant,
    request: &Request,
    changes: &Changes,
    now: OffsetDateTime,
) -> Answer {
    let segments = request.segments();
    let present = Present::of(tenant.now);
    let found = match segments.as_slice() {
        ["device", id, rest @ ..] => return device(tenant, id, rest, request, changes, now),
        ["organization", id, rest @ ..] => return organization(tenant, id, rest, request, changes),
        ["organizations-detailed"] => return organizations_detailed(tenant, request, changes),
        ["devices", "search"] => return search(tenant, request),
        ["users"] => return users(tenant, request, changes, None),
        ["custom-fields"] => return custom_field_definitions(tenant, request),
        ["alerts"] | ["jobs"] => {
            let filter = match device_filter(request, changes) {
                Ok(filter) => filter,
                Err(refusal) => return refusal,
            };
            let devices = some_devices(tenant, |row| {
                filter.admits(row.device, row.device.and_then(|id| tenant.devices.get(id)))
            });
            let make = if segments == ["alerts"] { alert } else { job };
            Some(
                devices
                    .iter()
                    .map(|(id, organization)| make(*id, *organization, present))
                    .collect(),
            )
        }
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
        ["software-license", id, "assignments"] => id.parse::<i64>().ok().map(
            |id| json!([{ "id": 1, "licenseId": id, "deviceId": crate::fleet::FIRST_DEVICE }]),
        ),
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
        ["user", "technicians"] => return users(tenant, request, changes, Some("TECHNICIAN")),
        ["user", "end-users"] => return users(tenant, request, changes, Some("END_USER")),
        ["user", "technician", id] => return user(tenant, id, "TECHNICIAN"),
        ["user", "end-user", id] => return user(tenant, id, "END_USER"),
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
    };
    match found {
        Some(fresh) => send(tenant, &fresh, changes),
        None => Answer::not_found(),
    }
}

/// Sends rows made for this answer: with canaries if the tenant has them.
fn send(tenant: &mut Tenant, fresh: &Value, changes: &Changes) -> Answer {
    let fresh = tenant.rows.masked(fresh);
    match fresh.as_array() {
        Some(rows) => stored(&rows.iter().map(wire::text).collect::<Vec<_>>(), changes),
        None => Answer::json(200, &fresh),
    }
}

/// Sends rows as they are.
fn stored(rows: &[String], changes: &Changes) -> Answer {
    Answer::json_text(changes.rows(&rows.iter().map(String::as_str).collect::<Vec<_>>()))
}

fn device(
    tenant: &mut Tenant,
    id: &str,
    rest: &[&str],
    request: &Request,
    changes: &Changes,
    now: OffsetDateTime,
) -> Answer {
    let Ok(id) = id.parse::<i64>() else {
        return Answer::error(
            400,
            ErrorShape::Described,
            "invalid_id",
            "Invalid device id",
        );
    };
    let Some(row) = tenant.rows.devices.find(id) else {
        return Answer::not_found();
    };
    let present = Present::of(tenant.now);
    let row = row.value();
    let organization = row
        .get("organizationId")
        .and_then(Value::as_i64)
        .unwrap_or_default();
    let report = match rest {
        [] => return Answer::json(200, &row),
        ["activities"] => {
            return activities::answer(
                request,
                &tenant.rows.activities,
                &tenant.devices,
                Some(id),
                changes,
            );
        }
        ["alerts"] => return send(tenant, &json!([alert(id, organization, present)]), changes),
        ["jobs"] => return send(tenant, &json!([job(id, organization, present)]), changes),
        ["dashboard-url"] => {
            let url = format!("https://tenant.example.com/#/deviceDashboard/{id}/overview");
            let expires = wire::seconds(now) + 300.0;
            return send(tenant, &json!({ "url": url, "expires": expires }), changes);
        }
        ["custom-fields"] => {
            let fields = tenant
                .report(Report::CustomFields)
                .iter()
                .find(|row| row.get("deviceId").and_then(Value::as_i64) == Some(id));
            let fields = fields
                .and_then(|row| row.get("fields"))
                .cloned()
                .unwrap_or_else(|| json!({}));
            return Answer::json(200, &fields);
        }
        ["policy", "overrides"] => {
            return send(
                tenant,
                &json!({ "overrides": ["patching.schedule"] }),
                changes,
            );
        }
        ["last-logged-on-user"] => Report::LoggedOnUsers,
        ["disks"] => Report::Disks,
        ["network-interfaces"] => Report::NetworkInterfaces,
        ["os-patches"] => Report::OsPatches,
        ["os-patch-installs"] => Report::OsPatchInstalls,
        ["processors"] => Report::Processors,
        ["software"] => Report::Software,
        ["software-patches"] => Report::SoftwarePatches,
        ["software-patch-installs"] => Report::SoftwarePatchInstalls,
        ["volumes"] => Report::Volumes,
        ["windows-services"] => Report::WindowsServices,
        _ => return Answer::not_found(),
    };
    tenant.fill(report);
    let bitlocker = request
        .parameter("include")
        .is_some_and(|include| include.split(',').any(|part| part == "bl"));
    let own = |row: &&Row| row.device == Some(id);
    let rows = tenant
        .rows
        .reports
        .get(&report)
        .map(crate::table::Table::rows)
        .unwrap_or_default();
    let rows: Vec<String> = rows
        .iter()
        .filter(own)
        .map(|row| without_device(row.text(bitlocker)))
        .collect();
    match (report, rows.first()) {
        (Report::LoggedOnUsers, Some(row)) => Answer::json_text(row.clone()),
        (Report::LoggedOnUsers, None) => Answer {
            body: bytes::Bytes::new(),
            ..Answer::json_text("")
        },
        _ => stored(&rows, changes),
    }
}

/// A report's row as the device's own endpoint sends it.
fn without_device(text: &str) -> String {
    let mut row: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
    row.remove("deviceId");
    row.remove("timestamp");
    wire::text(&Value::Object(row))
}

fn organization(
    tenant: &mut Tenant,
    id: &str,
    rest: &[&str],
    request: &Request,
    changes: &Changes,
) -> Answer {
    let Ok(id) = id.parse::<i64>() else {
        return Answer::error(
            400,
            ErrorShape::Described,
            "invalid_id",
            "Invalid organization id",
        );
    };
    let Some(row) = tenant.rows.organizations.find(id) else {
        return Answer::not_found();
    };
    match rest {
        [] => {
            let detailed = detailed(tenant, &row.value());
            Answer::json(200, &detailed)
        }
        ["devices"] => match crate::filter::Filter::parse(&format!("org = {id}")) {
            Ok(filter) => list::page(
                request,
                &tenant.rows.summaries,
                &tenant.devices,
                &filter,
                changes,
            ),
            Err(_) => Answer::not_found(),
        },
        ["locations"] => Answer::json(200, &Value::Array(locations(tenant, id))),
        ["custom-fields"] | ["location", _, "custom-fields"] => send(
            tenant,
            &json!({ "contract": "C-2026-17", "supportTier": "gold", "renewal": 1_790_000_000_000_u64 }),
            changes,
        ),
        ["end-users"] => users(tenant, request, changes, Some("END_USER")),
        ["locations", "backup", "usage"] => {
            let usage: Vec<Value> = locations(tenant, id)
                .iter()
                .map(|location| usage(id, location))
                .collect();
            Answer::json(200, &Value::Array(usage))
        }
        ["locations", location, "backup", "usage"] => {
            let wanted = location.parse::<i64>().ok();
            match locations(tenant, id)
                .iter()
                .find(|row| row.get("id").and_then(Value::as_i64) == wanted)
            {
                Some(location) => Answer::json(200, &usage(id, location)),
                None => Answer::not_found(),
            }
        }
        _ => Answer::not_found(),
    }
}

/// The locations of an organization, without the reference to it.
fn locations(tenant: &Tenant, organization: i64) -> Vec<Value> {
    let own =
        |row: &&Value| row.get("organizationId").and_then(Value::as_i64) == Some(organization);
    let bare = |row: &Value| {
        let mut row = row.as_object().cloned().unwrap_or_default();
        row.remove("organizationId");
        Value::Object(row)
    };
    tenant.locations().iter().filter(own).map(bare).collect()
}

fn detailed(tenant: &Tenant, organization: &Value) -> Value {
    let mut fields = organization.as_object().cloned().unwrap_or_default();
    let id = fields.get("id").and_then(Value::as_i64).unwrap_or_default();
    fields.insert("locations".to_owned(), Value::Array(locations(tenant, id)));
    fields.insert(
        "policies".to_owned(),
        json!([{ "nodeRoleId": 201, "policyId": 57 }, { "nodeRoleId": 1002, "policyId": 243 }]),
    );
    fields.insert(
        "settings".to_owned(),
        json!({ "backup": { "enabled": true, "targets": [], "options": {} } }),
    );
    Value::Object(fields)
}

fn organizations_detailed(tenant: &Tenant, request: &Request, changes: &Changes) -> Answer {
    let after = request
        .parameter("after")
        .and_then(|after| after.parse::<i64>().ok());
    let rows = tenant
        .rows
        .organizations
        .rows()
        .iter()
        .filter(|row| after.is_none_or(|after| row.id > after));
    let rows: Vec<String> = rows
        .take(page_size(request, 100))
        .map(|row| wire::text(&detailed(tenant, &row.value())))
        .collect();
    stored(&rows, changes)
}

fn usage(organization: i64, location: &Value) -> Value {
    json!({
        "locationId": location.get("id"), "locationName": location.get("name"), "organizationId": organization,
        "revisionsCurrentSize": 81_604_378_624_u64, "revisionsPreviousSize": 0, "revisionsDeletedSize": 0, "localFileFolderSize": 0,
        "localImageSize": 0, "localImageV2Size": 0, "cloudFileFolderSize": 0, "cloudImageSize": 81_604_378_624_u64,
        "cloudImageV2Size": 0, "cloudNetworkShareSize": 0, "revisionsTotalSize": 81_604_378_624_u64,
        "cloudTotalSize": 81_604_378_624_u64, "localTotalSize": 0,
    })
}

fn search(tenant: &Tenant, request: &Request) -> Answer {
    let query = request.parameter("q").unwrap_or_default();
    let limit = request
        .parameter("limit")
        .and_then(|limit| limit.parse().ok())
        .unwrap_or(10);
    let name = |row: &Value| {
        row.get("systemName")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let devices: Vec<Value> = tenant
        .rows
        .summaries
        .rows()
        .iter()
        .map(Row::value)
        .filter(|row| !query.is_empty() && name(row).to_lowercase().contains(&query.to_lowercase()))
        .take(limit)
        .map(|mut row| {
            let matched = name(&row);
            if let Some(fields) = row.as_object_mut() {
                fields.insert("matchAttr".to_owned(), json!("systemName"));
                fields.insert("matchAttrValue".to_owned(), json!(matched));
            }
            row
        })
        .collect();
    Answer::json(200, &json!({ "query": query, "devices": devices }))
}

fn users(tenant: &Tenant, request: &Request, changes: &Changes, kind: Option<&str>) -> Answer {
    let wanted = kind.or(request.parameter("userType"));
    let rows: Vec<String> = tenant
        .users()
        .iter()
        .filter(|row| {
            wanted.is_none_or(|kind| {
                row.get("userType")
                    .and_then(Value::as_str)
                    .is_none_or(|own| own == kind)
            })
        })
        .map(|row| wire::text(&account(row, kind)))
        .collect();
    stored(&rows, changes)
}

fn user(tenant: &Tenant, id: &str, kind: &str) -> Answer {
    let id = id.parse::<i64>().ok();
    let own = |row: &&Value| {
        row.get("id").and_then(Value::as_i64) == id
            && row.get("userType").and_then(Value::as_str) == Some(kind)
    };
    match tenant.users().iter().find(own) {
        Some(row) => Answer::json(200, &account(row, Some(kind))),
        None => Answer::not_found(),
    }
}

/// A user as the lists of technicians and end users show it; `/v2/users` shows every field.
fn account(row: &Value, kind: Option<&str>) -> Value {
    let mut fields = row.as_object().cloned().unwrap_or_default();
    let hidden: &[&str] = match kind {
        Some("TECHNICIAN") => &["permitAllClients", "organizationId", "deviceIds"],
        Some(_) => &[
            "permitAllClients",
            "notifyAllClients",
            "administrator",
            "userType",
            "deviceIds",
        ],
        None => &[],
    };
    fields.retain(|key, _| !hidden.contains(&key.as_str()));
    Value::Object(fields)
}

/// Definitions come with a page number and no cursor: the vendor's document names none.
fn custom_field_definitions(tenant: &mut Tenant, request: &Request) -> Answer {
    let size = page_size(request, 50).clamp(5, 500);
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
fn some_devices(tenant: &Tenant, admits: impl Fn(&Row) -> bool) -> Vec<(i64, i64)> {
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
        .filter(|row| row.keyed && admits(row));
    rows.take(5)
        .map(|row| (row.id, organization(row.id)))
        .collect()
}

fn alert(device: i64, organization: i64, present: Present) -> Value {
    json!({
        "uid": uuid(device), "deviceId": device, "message": "Free space on C: is below 10 %", "createTime": present.days_ago(2.0),
        "updateTime": present.days_ago(1.0), "sourceType": "CONDITION_AGENT_DISK_FREE_SPACE", "sourceConfigUid": uuid(device + 1),
        "sourceName": "Disk space", "subject": "Disk space", "severity": "MAJOR", "priority": "HIGH",
        "conditionName": "Disk space below 10 %", "conditionHealthStatus": "NEEDS_ATTENTION", "useGlobalHealthStatus": false,
        "device": { "id": device, "organizationId": organization },
    })
}

fn job(device: i64, organization: i64, present: Present) -> Value {
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
