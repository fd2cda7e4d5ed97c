//! What hangs on one device.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::{
    send,
    short_lists::{alert, job},
    stored,
};
use crate::{
    activities,
    answer::{Answer, ErrorShape},
    fault::Changes,
    fleet::Present,
    report::Report,
    request::Request,
    table::{Row, Table},
    tenant::Tenant,
    wire,
};

/// `/v2/device/{id}` and what is below it.
pub(super) fn answer(
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
        .map(Table::rows)
        .unwrap_or_default();
    let rows: Vec<String> = rows
        .iter()
        .filter(own)
        .map(|row| without_device(row.text(bitlocker)))
        .collect();
    match (report, rows.first()) {
        (Report::LoggedOnUsers, Some(row)) => Answer::json_text(row.clone()),
        (Report::LoggedOnUsers, None) => Answer {
            body: Bytes::new(),
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

/// `/v2/devices/search`.
pub(super) fn search(tenant: &Tenant, request: &Request) -> Answer {
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
