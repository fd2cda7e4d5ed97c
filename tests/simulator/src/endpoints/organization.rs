//! What hangs on one organization, and the detailed list of all.

use serde_json::{Value, json};

use super::{people, send, stored};
use crate::{
    answer::{Answer, ErrorShape},
    fault::Changes,
    filter::Filter,
    list,
    report::page_size,
    request::Request,
    tenant::Tenant,
    wire,
};

/// `/v2/organization/{id}` and what is below it.
pub(super) fn answer(
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
        ["devices"] => match Filter::parse(&format!("org = {id}")) {
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
        ["end-users"] => people::users(tenant, request, changes, Some("END_USER")),
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

/// `/v2/organizations-detailed`.
pub(super) fn all_detailed(tenant: &Tenant, request: &Request, changes: &Changes) -> Answer {
    let after = request
        .parameter("after")
        .filter(|_| !changes.place_ignored)
        .and_then(|after| after.parse::<i64>().ok());
    let rows = tenant
        .rows
        .organizations
        .rows()
        .iter()
        .filter(|row| after.is_none_or(|after| row.id > after));
    let rows: Vec<String> = rows
        .take(page_size(request, 100, changes))
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
