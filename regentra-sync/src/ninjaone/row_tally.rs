//! Counts the fates of a report's rows.

use std::collections::BTreeMap;

use ninjaone_client::RepairedField;
use regentra_evidence::RowFate;

use crate::model::{RepairedRows, Report, SweepCounts};

/// What became of the rows of one report. What they became adds up to `rows`; `repaired` and `unsure` are of rows that are counted
/// besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowTally {
    /// Rows in the answer.
    pub rows: u64,
    /// Pages in the answer: requests made, retries not counted.
    pub pages: u64,
    /// Rows that are part of the verdict.
    pub used: u64,
    /// Rows of devices that the signal does not judge: not approved, stale, out of its scope; and activities about other things.
    pub not_judged: u64,
    /// Rows that are too old: they can only hold a verdict back.
    pub stale: u64,
    /// Rows whose time cannot be read: they can only hold a verdict back.
    pub unreadable: u64,
    /// Rows of devices of another organization, dropped.
    pub foreign: u64,
    /// Rows of devices known nowhere, dropped.
    pub orphan: u64,
    /// Rows that are lost: they do not say which row they are.
    pub malformed: u64,
    /// Devices whose approval cannot be read. Each is judged like an approved one, and holds every pass back like a lost row.
    pub unsure: u64,
    /// Fields that rows carried in another form than expected, by name: in how many rows they were read all the same, and in how
    /// many they were not.
    pub repaired: BTreeMap<String, RepairedRows>,
}

impl RowTally {
    pub(super) const fn count(&mut self, fate: RowFate, is_foreign: bool) {
        let counter = match fate {
            RowFate::Used => &mut self.used,
            RowFate::NotJudged => &mut self.not_judged,
            RowFate::Stale => &mut self.stale,
            RowFate::Unreadable => &mut self.unreadable,
            RowFate::UnknownDevice if is_foreign => &mut self.foreign,
            RowFate::UnknownDevice => &mut self.orphan,
        };
        *counter += 1;
        self.rows += 1;
    }

    pub(super) fn page(&mut self, malformed: usize, repaired: &[RepairedField]) {
        self.pages += 1;
        self.malformed(malformed as u64);
        for field in repaired {
            self.repair(&field.field, field.lost, field.rows);
        }
    }

    fn repair(&mut self, field: &str, lost: bool, rows: usize) {
        let own = self.repaired.entry(field.to_owned()).or_default();
        let counter = if lost { &mut own.lost } else { &mut own.read };
        *counter += rows as u64;
    }

    /// Rows of the organization's own devices.
    pub(super) const fn own(&self) -> u64 {
        self.used + self.not_judged + self.stale + self.unreadable
    }

    pub(super) const fn malformed(&mut self, rows: u64) {
        self.malformed += rows;
        self.rows += rows;
    }
}

/// What a sweep's audit says of the rows of all reports.
pub(super) fn sweep_counts(rows: &BTreeMap<Report, RowTally>) -> SweepCounts {
    let mut counts = SweepCounts::default();
    for (report, tally) in rows {
        counts.foreign_rows += tally.foreign;
        counts.orphan_rows += tally.orphan;
        counts.malformed_rows += tally.malformed + tally.unsure;
        counts.stale_rows += tally.stale;
        counts.undated_rows += tally.unreadable;
        counts.requests += tally.pages;
        if !tally.repaired.is_empty() {
            counts.repaired.insert(*report, tally.repaired.clone());
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fate_has_its_counter() {
        let mut tally = RowTally::default();
        for (fate, is_foreign) in [
            (RowFate::Used, false),
            (RowFate::NotJudged, false),
            (RowFate::Stale, false),
            (RowFate::Unreadable, false),
            (RowFate::UnknownDevice, true),
            (RowFate::UnknownDevice, false),
        ] {
            tally.count(fate, is_foreign);
        }
        tally.page(2, &[]);
        for (field, lost, rows) in [
            ("capacity", false, 3),
            ("capacity", true, 4),
            ("capacity", false, 2),
            ("label", true, 1),
        ] {
            tally.repair(field, lost, rows);
        }
        let repaired = [("capacity", 5, 4), ("label", 0, 1)]
            .map(|(field, read, lost)| (field.to_owned(), RepairedRows { read, lost }));
        let expected = RowTally {
            rows: 8,
            pages: 1,
            used: 1,
            not_judged: 1,
            stale: 1,
            unreadable: 1,
            foreign: 1,
            orphan: 1,
            malformed: 2,
            repaired: repaired.into(),
            ..RowTally::default()
        };
        assert_eq!(tally, expected);
    }

    #[test]
    fn a_sweep_counts_the_rows_of_all_reports() {
        let repaired = BTreeMap::from([("capacity".to_owned(), RepairedRows { read: 3, lost: 4 })]);
        let volumes = RowTally {
            rows: 40,
            pages: 2,
            stale: 5,
            unreadable: 6,
            malformed: 7,
            repaired: repaired.clone(),
            ..RowTally::default()
        };
        let devices = RowTally {
            pages: 1,
            foreign: 8,
            orphan: 9,
            malformed: 10,
            unsure: 11,
            ..RowTally::default()
        };
        let rows = BTreeMap::from([(Report::Volumes, volumes), (Report::Devices, devices)]);
        let expected = SweepCounts {
            foreign_rows: 8,
            orphan_rows: 9,
            malformed_rows: 7 + 10 + 11,
            stale_rows: 5,
            undated_rows: 6,
            repaired: BTreeMap::from([(Report::Volumes, repaired)]),
            requests: 3,
        };
        assert_eq!(sweep_counts(&rows), expected);
    }
}
