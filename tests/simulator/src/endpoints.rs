//! The endpoints that are neither report, paged list nor feed: single things, short lists, and what hangs on one device or
//! organization. A few rows each, after the vendor's schema.

mod device;
mod organization;
mod people;
mod short_lists;

use serde_json::Value;
use time::OffsetDateTime;

use crate::{
    answer::Answer, fault::Changes, filter::BadFilter, fleet::Present, report::device_filter,
    request::Request, tenant::Tenant, wire,
};

/// Answers, or says 404.
pub(crate) fn answer(
    tenant: &mut Tenant,
    request: &Request,
    changes: &Changes,
    now: OffsetDateTime,
) -> Answer {
    let segments = request.segments();
    let present = Present::of(tenant.now);
    // These look at all devices at once.
    if let [
        "device" | "devices" | "alerts" | "jobs" | "groups" | "group",
        ..,
    ]
    | ["organization", _, "devices"] = segments.as_slice()
    {
        tenant.hold();
    }
    let found = match segments.as_slice() {
        ["device", id, rest @ ..] => {
            return device::answer(tenant, id, rest, request, changes, now);
        }
        ["organization", id, rest @ ..] => {
            return organization::answer(tenant, id, rest, request, changes);
        }
        ["organizations-detailed"] => return organization::all_detailed(tenant, request, changes),
        ["devices", "search"] => return device::search(tenant, request),
        ["users"] => return people::users(tenant, request, changes, None),
        ["user", "technicians"] => {
            return people::users(tenant, request, changes, Some("TECHNICIAN"));
        }
        ["user", "end-users"] => return people::users(tenant, request, changes, Some("END_USER")),
        ["user", "technician", id] => return people::user(tenant, id, "TECHNICIAN"),
        ["user", "end-user", id] => return people::user(tenant, id, "END_USER"),
        ["custom-fields"] => {
            return short_lists::custom_field_definitions(tenant, request, changes);
        }
        ["alerts" | "jobs"] => match device_filter(request, changes) {
            Ok(filter) if segments == ["alerts"] => {
                Some(short_lists::alerts(tenant, &filter, present))
            }
            Ok(filter) => Some(short_lists::jobs(tenant, &filter, present)),
            Err(BadFilter) => return BadFilter::answer(),
        },
        segments => short_lists::at(tenant, segments, present),
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
