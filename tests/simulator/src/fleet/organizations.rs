//! Organizations, their locations, and the people of the tenant.

use serde_json::{Value, json};

use super::{Plan, Rows};
use crate::seed::Dice;

const FIRST: [&str; 12] = [
    "Alder",
    "Northwind",
    "Harbour",
    "Copper",
    "Willow",
    "Granite",
    "Meridian",
    "Falcon",
    "Juniper",
    "Summit",
    "Orchard",
    "Cobalt",
];
const SECOND: [&str; 7] = [
    "Dental",
    "Logistics",
    "Legal",
    "Foods",
    "Clinic",
    "Accounting",
    "Engineering",
];

/// The id of the organization at a place: rising, with gaps.
pub(super) fn id(place: usize) -> i64 {
    2 + 3 * i64::try_from(place).unwrap_or(0)
}

/// The place of the organization that would have this id.
pub(super) fn place(id: i64) -> Option<usize> {
    let above = id.checked_sub(2).filter(|above| above % 3 == 0)?;
    usize::try_from(above / 3).ok()
}

/// The location of the device at a place of its organization: two locations each.
pub(super) fn location(organization: usize, place: usize) -> i64 {
    10 + 2 * i64::try_from(organization).unwrap_or(0) + i64::from(place % 5 == 3)
}

fn name(place: usize) -> String {
    let first = FIRST.get(place % FIRST.len()).unwrap_or(&"Alder");
    let second = SECOND.get(place % SECOND.len()).unwrap_or(&"Dental");
    match place / (FIRST.len() * SECOND.len()) {
        0 => format!("{first} {second}"),
        round => format!("{first} {second} {}", round + 1),
    }
}

/// Adds organizations, locations and users.
pub(super) fn add(rows: &mut Rows, plan: &Plan) {
    for place in 0..plan.organizations {
        let mut row =
            json!({ "name": name(place), "nodeApprovalMode": "AUTOMATIC", "id": id(place) });
        if let Some(fields) = row.as_object_mut() {
            match place % 4 {
                1 => drop(fields.insert("description".to_owned(), json!("Customer since 2019"))),
                2 => drop(fields.insert("description".to_owned(), Value::Null)),
                3 => drop(fields.insert("nodeApprovalMode".to_owned(), json!("MANUAL"))),
                _ => {}
            }
        }
        let row = rows.masked(&row).into_owned();
        rows.organizations.push(&row);
        for at in 0..2 {
            let id = location(place, if at == 0 { 0 } else { 3 });
            let row = json!({
                "name": if at == 0 { "Main Office" } else { "Remote" }, "address": format!("{} High Street", 10 + place), "id": id,
                "organizationId": self::id(place),
            });
            let row = rows.masked(&row).into_owned();
            rows.locations.push(&row);
        }
    }
    for number in 0..6_i64 {
        let mut dice = Dice::new(plan.seed, 0xA11 + number.unsigned_abs());
        let technician = number < 3;
        let first = dice.pick(["Ada", "Grace", "Linus", "Edsger", "Barbara", "Alan"]);
        let last = dice.pick(["Marsh", "Field", "Brook", "Hill", "Forest", "Lake"]);
        let mut row = json!({
            "id": 30 + number, "uid": dice.uuid(), "firstName": first, "lastName": last,
            "email": format!("{}.{}{number}@example.com", first.to_lowercase(), last.to_lowercase()), "enabled": true,
            "administrator": number == 0, "permitAllClients": technician, "notifyAllClients": false, "mustChangePw": false,
            "mfaConfigured": technician, "userType": if technician { "TECHNICIAN" } else { "END_USER" },
            "invitationStatus": if number == 5 { "PENDING" } else { "REGISTERED" }, "phone": null,
        });
        if !technician && let Some(fields) = row.as_object_mut() {
            fields.insert("organizationId".to_owned(), json!(id(0)));
            fields.insert("deviceIds".to_owned(), json!([]));
        }
        let row = rows.masked(&row).into_owned();
        rows.users.push(&row);
    }
}
