//! How a sweep reads its reports, for each customer alone or for many in one pass, and what a run records about it.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::report::Report;

/// How the reports of a sweep are read. The verdicts do not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SweepStrategy {
    /// Each customer's reports are read alone.
    PerCustomer,
    /// One pass reads the reports for a group of customers, over the organizations of the group.
    Group,
    /// One pass reads the reports for many customers, over the whole NinjaOne tenant.
    WholeTenant,
}

impl SweepStrategy {
    /// The name in stores, lists and JSON, such as `per_customer`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PerCustomer => "per_customer",
            Self::Group => "group",
            Self::WholeTenant => "whole_tenant",
        }
    }
}

impl fmt::Display for SweepStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Which strategy the sweeps of a connection use.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StrategyChoice {
    /// The strategy with the fewest requests, estimated from what earlier runs read.
    #[default]
    Cheapest,
    /// Always [`SweepStrategy::PerCustomer`].
    PerCustomer,
    /// Always [`SweepStrategy::Group`].
    Group,
    /// [`SweepStrategy::WholeTenant`] if the tenant has few enough devices, otherwise [`SweepStrategy::Group`].
    WholeTenant,
}

impl StrategyChoice {
    /// Every choice.
    pub const ALL: [Self; 4] = [
        Self::Cheapest,
        Self::PerCustomer,
        Self::Group,
        Self::WholeTenant,
    ];

    /// The name in stores and JSON, such as `cheapest`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self.fixed() {
            None => "cheapest",
            Some(strategy) => strategy.as_str(),
        }
    }

    /// The strategy that this choice fixes; `None` for [`Cheapest`](Self::Cheapest).
    #[must_use]
    pub const fn fixed(self) -> Option<SweepStrategy> {
        match self {
            Self::Cheapest => None,
            Self::PerCustomer => Some(SweepStrategy::PerCustomer),
            Self::Group => Some(SweepStrategy::Group),
            Self::WholeTenant => Some(SweepStrategy::WholeTenant),
        }
    }
}

impl fmt::Display for StrategyChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// There is no strategy of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a strategy is one of: cheapest, per_customer, group, whole_tenant")]
pub struct UnknownStrategy;

impl FromStr for StrategyChoice {
    type Err = UnknownStrategy;

    fn from_str(name: &str) -> Result<Self, UnknownStrategy> {
        let mut all = Self::ALL.into_iter();
        all.find(|choice| choice.as_str() == name)
            .ok_or(UnknownStrategy)
    }
}

/// Why a strategy was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StrategyReason {
    /// The settings of the connection fix it.
    Fixed,
    /// The settings fix one pass over the whole tenant, but the tenant has too many devices for that, or their number is unknown.
    TooManyDevices,
    /// There are few customers, so reading each alone costs little.
    FewCustomers,
    /// It costs the fewest requests.
    Cheapest,
    /// NinjaOne does not honour a list of organizations: it left rows out, ignored the list or refused it, so one pass for many customers
    /// costs more.
    OrganizationListNotHonoured,
}

impl StrategyReason {
    /// In words, such as `it costs the fewest requests`.
    #[must_use]
    pub const fn as_words(self) -> &'static str {
        match self {
            Self::Fixed => "the settings of the connection say so",
            Self::TooManyDevices => {
                "the tenant has too many devices for one pass, or their number is not known"
            }
            Self::FewCustomers => "there are few customers",
            Self::Cheapest => "it costs the fewest requests",
            Self::OrganizationListNotHonoured => {
                "NinjaOne does not answer rightly for a list of organizations, which makes one pass for many cost more"
            }
        }
    }
}

/// What each strategy would cost, in requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyCosts {
    /// Each customer alone.
    pub per_customer: u64,
    /// In groups.
    pub group: u64,
    /// One pass over the whole tenant; `None` if the tenant has too many devices, or their number is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole_tenant: Option<u64>,
}

/// How a NinjaOne tenant answers a request for a report of a list of organizations. The vendor does not document it, and live servers
/// silently ignore filters.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OrganizationListHabit {
    /// Not known yet.
    #[default]
    Unknown,
    /// It answers for those organizations.
    Honoured,
    /// It answers with the whole tenant.
    Ignored,
    /// It leaves out rows of organizations that are in the list.
    LeavesOut,
    /// It refuses such a list.
    Refused,
}

impl OrganizationListHabit {
    /// Whether one pass for many customers gets all rows it asks for. The pass drops rows that it did not ask for.
    pub(crate) const fn is_usable(self) -> bool {
        !matches!(self, Self::LeavesOut | Self::Refused)
    }
}

/// What a run read from NinjaOne. It determines the strategy of the next tick.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunReading {
    /// The strategy of the run.
    pub strategy: SweepStrategy,
    /// Rows of the run's own devices, by report. For a pass for many customers, the rows of all of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rows: BTreeMap<Report, u64>,
    /// More about a pass for many customers; `None` for a run for one customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass: Option<Pass>,
}

impl RunReading {
    /// What a run for one customer read.
    #[must_use]
    pub const fn of_customer(strategy: SweepStrategy, rows: BTreeMap<Report, u64>) -> Self {
        Self {
            strategy,
            rows,
            pass: None,
        }
    }

    /// For reports that this run did not read, keeps the row counts of an earlier run. Otherwise, after a failed report, the next run would
    /// take a low count for all rows.
    pub(crate) fn keep_rows_of(&mut self, before: Self) {
        for (report, rows) in before.rows {
            self.rows.entry(report).or_insert(rows);
        }
    }
}

/// One pass for many customers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Pass {
    /// The number of organizations.
    pub organizations: u64,
    /// The page size that was last requested, by report.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub page_sizes: BTreeMap<Report, u32>,
    /// How NinjaOne answered for the list of organizations, by report.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub organization_list: BTreeMap<Report, OrganizationListHabit>,
    /// The number of devices of the whole tenant, if the pass saw them all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_devices: Option<u64>,
    /// Requests that were made because a response was incomplete or could not be trusted.
    #[serde(default)]
    pub read_again: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_read_by_the_name_it_is_written_with() {
        for choice in StrategyChoice::ALL {
            assert_eq!(choice.as_str().parse(), Ok(choice));
            let json = serde_json::to_string(&choice).unwrap();
            assert_eq!(json, format!("\"{choice}\""));
        }
        assert_eq!("other".parse::<StrategyChoice>(), Err(UnknownStrategy));
    }
}
