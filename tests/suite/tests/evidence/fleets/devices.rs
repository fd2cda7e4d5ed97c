//! The device list.

use serde_json::{Value, json};

use super::{DAY, MICROSECOND, Maker, ORGANIZATION, OTHER_ORGANIZATION, SECOND};

const WINDOWS: &[&str] = &[
    "WINDOWS_WORKSTATION",
    "WINDOWS_WORKSTATION",
    "WINDOWS_SERVER",
];

const COMPUTERS: &[&str] = &[
    "WINDOWS_WORKSTATION",
    "WINDOWS_SERVER",
    "MAC",
    "MAC_SERVER",
    "LINUX_WORKSTATION",
    "LINUX_SERVER",
];

const APPLIANCES: &[&str] = &[
    "NMS_SWITCH",
    "NMS_ROUTER",
    "NMS_FIREWALL",
    "NMS_PRIVATE_NETWORK_GATEWAY",
    "NMS_PRINTER",
    "NMS_SCANNER",
    "NMS_DIAL_MANAGER",
    "NMS_WAP",
    "NMS_IPSLA",
    "NMS_COMPUTER",
    "NMS_VM_HOST",
    "NMS_APPLIANCE",
    "NMS_OTHER",
    "NMS_SERVER",
    "NMS_PHONE",
    "NMS_VIRTUAL_MACHINE",
    "NMS_NETWORK_MANAGEMENT_AGENT",
    "ANDROID",
    "APPLE_IOS",
    "APPLE_IPADOS",
    "VMWARE_VM_HOST",
    "VMWARE_VM_GUEST",
    "HYPERV_VMM_HOST",
    "HYPERV_VMM_GUEST",
    "CLOUD_MONITOR_TARGET",
    "MANAGED_DEVICE",
    "UNMANAGED_DEVICE",
];

const STRANGE: &[&str] = &[
    "CHROME_OS",
    "LINUX",
    "NMS",
    "VMWARE",
    "windows_server",
    "nms_switch",
    "mac",
    "",
];

impl Maker {
    pub(super) fn devices(&mut self) -> Vec<Value> {
        let count = match self.dice.below(20) {
            0 => 0,
            1..=7 => self.dice.between(1, 3),
            8..=14 => self.dice.between(4, 12),
            _ => self.dice.between(13, 25),
        };
        // Windows alone, all computers, everything, appliances alone, strangers.
        let mix = self
            .dice
            .weigh(&[(52, 0), (12, 1), (20, 2), (10, 3), (6, 4)]);
        let approved = self.dice.weigh(&[(72, 100), (20, 75), (8, 0)]);
        let stale = self.dice.weigh(&[(62, 0), (28, 20), (10, 100)]);
        let offline = self.dice.weigh(&[(55, 10), (20, 45), (10, 90), (15, 0)]);
        let flagless = self.dice.weigh(&[(65, 0), (25, 12), (10, 60)]);

        let mut rows = Vec::new();
        for id in 1..=count {
            let class = match mix {
                0 => *self.dice.pick(WINDOWS),
                1 => *self.dice.pick(COMPUTERS),
                2 => *match self.dice.below(10) {
                    0..=5 => self.dice.pick(COMPUTERS),
                    6..=8 => self.dice.pick(APPLIANCES),
                    _ => self.dice.pick(STRANGE),
                },
                3 => *self.dice.pick(APPLIANCES),
                _ => *self.dice.pick(STRANGE),
            };
            let mut row = json!({
                "id": id, "uid": format!("uid-{id}"), "organizationId": ORGANIZATION, "locationId": 1,
                "nodeClass": class, "approvalStatus": *self.dice.pick(&["APPROVED", "APPROVED", "APPROVED", "approved"]), "offline": self.dice.percent(offline),
                "systemName": format!("PC-{id}"),
                "macAddresses": [null, "00:00:5E:00:53:01"],
            });
            if self.dice.percent(3) {
                if self.dice.percent(50) {
                    row["nodeClass"] = Value::Null;
                } else {
                    row.as_object_mut().expect("a row").remove("nodeClass");
                }
            }
            if !self.dice.percent(approved) {
                row["approvalStatus"] = self
                    .dice
                    .pick(&[
                        json!("PENDING"),
                        json!("STAGED"),
                        json!("DECOMMISSIONED"),
                        json!("NEW"),
                        Value::Null,
                    ])
                    .clone();
            }
            if self.dice.percent(flagless) {
                row.as_object_mut().expect("a row").remove("offline");
            }
            self.stamp(&mut row, "lastContact", 30 * DAY);
            if self.dice.percent(stale) {
                let ago = *self.dice.pick(&[
                    30 * DAY + MICROSECOND,
                    30 * DAY + SECOND,
                    31 * DAY,
                    400 * DAY,
                ]);
                row["lastContact"] = self.written(ago);
            }
            rows.push(row);
        }
        self.doubled(&mut rows, "lastContact", |maker, row| {
            match maker.dice.below(3) {
                0 => row["approvalStatus"] = json!("PENDING"),
                1 => row["offline"] = json!(maker.dice.percent(50)),
                _ => {
                    row.as_object_mut().expect("a row").remove("offline");
                }
            }
        });
        // Devices of another organization, as when the filter was ignored.
        if self.dice.percent(25) {
            for id in 9_001..=9_003 {
                let mut row = json!({
                    "id": id, "organizationId": OTHER_ORGANIZATION, "nodeClass": "WINDOWS_SERVER",
                    "approvalStatus": "APPROVED", "offline": true,
                });
                self.stamp(&mut row, "lastContact", 30 * DAY);
                rows.push(row);
            }
        }
        rows
    }
}
