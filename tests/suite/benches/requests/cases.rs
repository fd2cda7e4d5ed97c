//! The cases, and what is measured of each.

use std::{collections::BTreeMap, fmt};

use regentra_sync::model::StrategyChoice;
use serde::{Deserialize, Serialize};

/// What a tick does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Work {
    /// The evidence of every promoted customer.
    Sweep,
    /// The assets of every organization.
    Assets,
}

/// A tenant, and a tick.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) organizations: usize,
    pub(crate) devices: usize,
    pub(crate) promoted: usize,
    pub(crate) strategy: StrategyChoice,
    /// Rows that NinjaOne sends a page at most; without it as many as are asked for.
    pub(crate) page_cap: Option<usize>,
    pub(crate) work: Work,
    /// The goal: so many requests at most.
    pub(crate) most: Option<u64>,
}

impl Case {
    fn sweep(name: &str, organizations: usize, promoted: usize, strategy: StrategyChoice) -> Self {
        Self {
            name: name.to_owned(),
            organizations,
            devices: 20 * organizations,
            promoted,
            strategy,
            page_cap: None,
            work: Work::Sweep,
            most: None,
        }
    }

    fn at_most(self, requests: u64) -> Self {
        Self {
            most: Some(requests),
            ..self
        }
    }

    fn capped(self, rows: usize) -> Self {
        Self {
            page_cap: Some(rows),
            ..self
        }
    }

    fn assets(self) -> Self {
        Self {
            work: Work::Assets,
            ..self
        }
    }

    /// Whether the same customers of the same tenant are swept.
    pub(crate) fn is_as_large_as(&self, other: &Self) -> bool {
        let size = |case: &Self| (case.organizations, case.devices, case.promoted, case.work);
        size(self) == size(other)
    }
}

/// What the README shows.
pub(crate) fn of_the_readme() -> Vec<Case> {
    use StrategyChoice::{Cheapest, Group, PerCustomer};
    vec![
        Case::sweep("5,000 customers, groups", 5_000, 5_000, Group).at_most(1_700),
        Case::sweep(
            "5,000 customers, groups, pages of 1,000",
            5_000,
            5_000,
            Group,
        )
        .capped(1_000)
        .at_most(6_000),
        Case::sweep("5,000 customers, each alone", 5_000, 5_000, PerCustomer),
        Case::sweep("1,000 customers, groups", 1_000, 1_000, Group),
        Case::sweep("500 of 5,000, groups", 5_000, 500, Group).at_most(180),
        Case::sweep("500 of 5,000, each alone", 5_000, 500, PerCustomer),
        Case::sweep("12 of 5,000, groups", 5_000, 12, Group).at_most(30),
        Case::sweep("12 customers, groups", 12, 12, Group).at_most(30),
        Case::sweep("12 customers, the cheapest", 12, 12, Cheapest).at_most(30),
        Case::sweep("12 customers, each alone", 12, 12, PerCustomer),
        Case::sweep("assets of 5,000 organizations", 5_000, 0, Cheapest)
            .assets()
            .at_most(135),
    ]
}

/// The same in small.
pub(crate) fn in_small() -> Vec<Case> {
    use StrategyChoice::{Cheapest, Group, PerCustomer};
    vec![
        Case::sweep("12 customers, each alone", 12, 12, PerCustomer),
        Case::sweep("12 customers, groups", 12, 12, Group).at_most(45),
        Case::sweep("12 customers, groups, pages of 1,000", 12, 12, Group)
            .capped(1_000)
            .at_most(60),
        Case::sweep("8 of 30, groups", 30, 8, Group).at_most(45),
        Case::sweep("assets of 30 organizations", 30, 0, Cheapest)
            .assets()
            .at_most(12),
    ]
}

/// What was measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Figures {
    pub(crate) case: Case,
    /// Requests of the tick, as NinjaOne counts them; those for a token included.
    pub(crate) requests: u64,
    pub(crate) by_path: BTreeMap<String, u64>,
    /// Signal -> status -> customers.
    pub(crate) verdicts: BTreeMap<String, BTreeMap<String, u64>>,
    pub(crate) seconds: f64,
    /// Processor time of the host, SQLite's threads included.
    pub(crate) cpu_seconds: f64,
    /// Of that, asking, decoding and judging, and the tasks of the connections.
    pub(crate) reading_cpu_seconds: f64,
    /// Of that, SQLite's threads.
    pub(crate) store_cpu_seconds: f64,
    /// The same pages, fetched, decoded, one field added up; without a token, a limit, a retry or a check.
    pub(crate) plain: Option<Plain>,
    /// Resident memory before the tick, and its peak in the tick.
    pub(crate) resident_before_mib: f64,
    pub(crate) peak_mib: f64,
}

/// Reading pages with nothing but an HTTP client and the rows' types.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Plain {
    pub(crate) pages: u64,
    pub(crate) rows: u64,
    pub(crate) sum: i64,
    /// Fetching included.
    pub(crate) cpu_seconds: f64,
    /// Decoding and adding up alone.
    pub(crate) decode_cpu_seconds: f64,
}

impl Figures {
    pub(crate) const HEAD: &'static str = "\
| tick | requests | goal | seconds | CPU s: read and judge | write | SQLite's threads | plain: fetch and decode | decode alone | ratio | MiB before | peak MiB |\n\
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|";

    /// Processor time of reading and judging beside what the pages cost at least.
    pub(crate) fn ratio(&self) -> Option<f64> {
        let plain = self.plain?.cpu_seconds;
        (plain > 0.0).then(|| self.reading_cpu_seconds / plain)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_dash = |figure: Option<f64>| {
            figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.2}"))
        };
        let goal = self
            .case
            .most
            .map_or_else(String::new, |most| most.to_string());
        write!(
            f,
            "| {} | {} | {goal} | {:.1} | {:.2} | {:.2} | {:.2} | {} | {} | {} | {:.0} | {:.0} |",
            self.case.name,
            self.requests,
            self.seconds,
            self.reading_cpu_seconds,
            self.cpu_seconds - self.reading_cpu_seconds - self.store_cpu_seconds,
            self.store_cpu_seconds,
            or_dash(self.plain.map(|plain| plain.cpu_seconds)),
            or_dash(self.plain.map(|plain| plain.decode_cpu_seconds)),
            or_dash(self.ratio()),
            self.resident_before_mib,
            self.peak_mib,
        )
    }
}
