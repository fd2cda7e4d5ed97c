//! Users, technicians and end users.

use serde_json::Value;

use super::stored;
use crate::{answer::Answer, fault::Changes, request::Request, tenant::Tenant, wire};

/// The users of a kind, or of the kind the request asks for.
pub(super) fn users(
    tenant: &Tenant,
    request: &Request,
    changes: &Changes,
    kind: Option<&str>,
) -> Answer {
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

/// One user of a kind.
pub(super) fn user(tenant: &Tenant, id: &str, kind: &str) -> Answer {
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
