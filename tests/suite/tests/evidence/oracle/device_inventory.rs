//! `device_inventory` (section 7).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    fleet::{Class, Fleet},
    one_rule::{Answers, Scope, Signal, hold},
};

pub(crate) fn evaluate(fleet: &Fleet) -> Value {
    let approved = fleet.approved.len();
    let offline = fleet
        .approved
        .iter()
        .filter(|device| device.offline == Some(true))
        .count();
    let unmeasured = fleet
        .approved
        .iter()
        .filter(|device| device.offline.is_none())
        .count();
    let family = |wanted: &[Class]| {
        fleet
            .approved
            .iter()
            .filter(|device| wanted.contains(&device.class))
            .count()
    };
    let scope = Scope {
        approved,
        measured: approved - unmeasured,
        unmeasured,
        stale: 0,
        not_applicable: 0,
        not_approved: fleet.not_approved,
    };
    // Fewer than half offline, also if every device without the flag were.
    let pass = approved > 0 && 2 * (offline + unmeasured) < approved;

    let mut reasons = BTreeSet::new();
    hold(&mut reasons, "no_devices", approved == 0);
    hold(&mut reasons, "unmeasured_devices", unmeasured > 0);
    hold(
        &mut reasons,
        "mostly_offline",
        approved > 0 && 2 * offline >= approved,
    );

    Signal {
        name: "device_inventory",
        controls: ["IC-031", "IC-032"],
        status: if pass { "pass" } else { "warning" },
        answers: Answers::default(),
        reasons,
        metadata: json!({
            "scope": scope.json(),
            "devices": {
                "approved": approved,
                "offline": offline,
                "stale": fleet.approved.iter().filter(|device| device.stale).count(),
            },
            "by_family": {
                "workstation": family(&[Class::Workstation]),
                "server": family(&[Class::Server]),
                "mobile": family(&[Class::Mobile]),
                "network": family(&[Class::Network]),
                "virtualization": family(&[Class::Virtualization]),
                "other": family(&[Class::Other, Class::Unknown]),
            },
        }),
    }
    .finish(fleet)
}
