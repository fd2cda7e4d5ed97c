//! The antivirus report, and the history a host keeps of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{DAY, HOUR, MICROSECOND, Maker, SECOND, Temper};
use crate::oracle::tenant::Remembered;

impl Maker {
    pub(super) fn products(&mut self, device: i64, temper: Temper) -> Vec<Value> {
        const PRODUCTS: &[&str] = &[
            "Windows Defender",
            "Microsoft Defender Antivirus",
            "SentinelOne",
            "CrowdStrike Falcon Sensor",
            "Bitdefender Endpoint Security Tools",
            "Sophos Endpoint Agent",
            "ESET Endpoint Antivirus",
            "Webroot SecureAnywhere",
            "Trend Micro Apex One",
            "Malwarebytes Endpoint Agent",
            "Trellix Endpoint Security",
            "Symantec Endpoint Protection",
            "Kaspersky Endpoint Security",
            "CylancePROTECT",
            "VMware Carbon Black Cloud",
            "Huntress Agent",
            "Norton 360",
            "Avast Business Antivirus",
            "AVG AntiVirus",
            "WithSecure Elements",
            "WatchGuard EPDR",
            "Cisco Secure Endpoint",
            "Palo Alto Networks Cortex XDR",
            "FortiClient",
            "Deep Instinct",
            "XProtect",
            "ClamAV",
            "Acme Shield",
            "Zeta Guard",
        ];
        const NO_PRODUCTS: &[&str] = &["NONE", "none", "", " "];
        const STATES: &[&str] = &["OFF", "off", "SNOOZED", "Snoozed", "EXPIRED", "ex-pired"];
        const UP: &[&str] = &["Up-to-Date", "UP_TO_DATE", "up to date", "UpToDate"];
        const OUT: &[&str] = &["Out-of-Date", "OUT_OF_DATE", "out of date"];
        const DUNNO: &[&str] = &["Unknown", "", "Fine"];

        let mut rows = Vec::new();
        // An ON row about a week older than what else the device says.
        if temper.bad(&mut self.dice) && self.dice.percent(30) {
            let week = *self
                .dice
                .pick(&[7 * DAY, 7 * DAY + MICROSECOND, 8 * DAY, 29 * DAY]);
            for (state, ago) in [("ON", HOUR + week), ("OFF", HOUR)] {
                let name = *self.dice.pick(PRODUCTS);
                let mut row = json!({
                    "deviceId": device, "productName": name, "productState": state, "definitionStatus": "Up-to-Date",
                });
                row["timestamp"] = self.written(ago);
                rows.push(row);
            }
            return rows;
        }
        for _ in 0..self.dice.between(1, 3) {
            let bad = temper.bad(&mut self.dice);
            let mut row = json!({
                "deviceId": device, "productName": *self.dice.pick(PRODUCTS), "version": "4.18",
                "productState": *self.dice.pick(&["ON", "ON", "on", "On"]), "definitionStatus": *self.dice.pick(UP),
            });
            if bad {
                match self.dice.below(10) {
                    0..=3 => row["productState"] = json!(*self.dice.pick(STATES)),
                    4 => {
                        row["productState"] =
                            json!(*self.dice.pick(&["RESTARTING", "UNKNOWN", ""]));
                    }
                    5 => {
                        row["productName"] = json!(*self.dice.pick(NO_PRODUCTS));
                        row["productState"] =
                            json!(*self.dice.pick(&["ON", "OFF", "SNOOZED", "RESTARTING"]));
                    }
                    6 | 7 => row["definitionStatus"] = json!(*self.dice.pick(OUT)),
                    8 => row["definitionStatus"] = json!(*self.dice.pick(DUNNO)),
                    _ => {
                        let field =
                            *self
                                .dice
                                .pick(&["productName", "productState", "definitionStatus"]);
                        if self.dice.percent(50) {
                            row[field] = Value::Null;
                        } else {
                            row.as_object_mut().expect("a row").remove(field);
                        }
                    }
                }
            } else if self.remembers && self.dice.percent(25) {
                row["definitionStatus"] = json!(*self.dice.pick(OUT));
            } else if self.dice.percent(10) {
                // A product that stands down beside another, or has no name.
                let mut aside = row.clone();
                if self.dice.percent(30) {
                    aside["productName"] = json!(*self.dice.pick(NO_PRODUCTS));
                }
                aside["productState"] = json!(*self.dice.pick(STATES));
                self.stamp(&mut aside, "timestamp", 30 * DAY);
                rows.push(aside);
            }
            self.stamp(&mut row, "timestamp", 30 * DAY);
            rows.push(row);
        }
        self.doubled(&mut rows, "timestamp", |maker, row| {
            match maker.dice.below(3) {
                0 => row["productState"] = json!(*maker.dice.pick(&["ON", "OFF", "RESTARTING"])),
                1 => {
                    row["definitionStatus"] =
                        json!(*maker.dice.pick(&["Up-to-Date", "Out-of-Date", "Unknown"]));
                }
                _ => row["productName"] = json!(*maker.dice.pick(PRODUCTS)),
            }
        });
        rows
    }

    /// What earlier sweeps saw of signatures, if the host keeps that.
    pub(super) fn history(&mut self, ids: &[i64]) -> Option<BTreeMap<i64, Remembered>> {
        if !self.remembers {
            return None;
        }
        let mut history = BTreeMap::new();
        let over = self.dice.percent(50);
        for id in ids {
            let border = *self.dice.pick(if over {
                &[7 * DAY, 30 * DAY]
            } else {
                &[DAY, 7 * DAY]
            });
            let off = *self
                .dice
                .pick(&[0, -SECOND, -MICROSECOND, MICROSECOND, SECOND]);
            let ago = if self.dice.percent(5) {
                -DAY
            } else {
                border + if over { off } else { off.min(0) }
            };
            if self.dice.percent(15) {
                history.insert(*id, Remembered::UpToDate);
            } else if self.dice.percent(80) {
                let time = i128::from(self.now - ago) * 1_000;
                let since = OffsetDateTime::from_unix_timestamp_nanos(time).expect("this century");
                history.insert(*id, Remembered::OutOfDateSince(since));
            }
        }
        Some(history)
    }
}
