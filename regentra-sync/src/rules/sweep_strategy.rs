//! Chooses the strategy for the sweeps of a connection, and its groups, by the number of requests that each would cost.

use std::{collections::BTreeMap, ops::Range};

use super::known_runs::KnownRuns;
use crate::model::{
    MappingId, OrganizationListHabit, Report, StrategyChoice, StrategyCosts, StrategyReason,
    SweepStrategy,
};

/// The maximum number of organizations in one group. The filter for this many is about 1,500 characters long.
pub const GROUP_ORGANIZATIONS: usize = 200;

/// The maximum number of devices in one group, and in a tenant that is read in one pass. The state of each patch is kept in memory until
/// the end of the pass.
pub const GROUP_DEVICES: u64 = 5_000;

/// Up to this many customers are each read alone: one pass for them would save little.
pub(crate) const FEW_CUSTOMERS: usize = 4;

/// The assumed rows of a customer that was never read: 20 devices, with the usual number of rows per device.
const USUAL_ROWS: [(Report, u64); 9] = [
    (Report::Devices, 20),
    (Report::CustomFields, 20),
    (Report::Volumes, 40),
    (Report::AntivirusStatus, 24),
    (Report::OsPatches, 360),
    (Report::OsPatchInstalls, 440),
    (Report::SoftwarePatches, 60),
    (Report::SoftwarePatchInstalls, 100),
    (Report::Activities, 24),
];

/// What is known about a connection's customers, in the order in which they are swept.
#[derive(Clone, Debug, Default)]
pub(crate) struct StrategyInputs {
    /// Rows of each customer by report, as its last run read them; `None` if they are unknown.
    pub(crate) customers: Vec<Option<BTreeMap<Report, u64>>>,
    /// The reports that are requested.
    pub(crate) reports: Vec<Report>,
    /// Rows of a page, by report.
    pub(crate) page_sizes: BTreeMap<Report, u32>,
    /// How NinjaOne answers for a list of organizations, by report.
    pub(crate) organization_list: BTreeMap<Report, OrganizationListHabit>,
    /// Devices of the whole tenant.
    pub(crate) tenant_devices: Option<u64>,
}

/// The chosen strategy, the reason, and the cost of each strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StrategyPlan {
    pub(crate) strategy: SweepStrategy,
    pub(crate) reason: StrategyReason,
    pub(crate) costs: StrategyCosts,
    /// Which customers are read together; empty if each is read alone.
    pub(crate) groups: Vec<Group>,
}

/// Customers that are read together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) customers: Range<usize>,
    /// What the pass costs, in requests.
    pub(crate) cost: u64,
}

/// Chooses how the customers of a connection are read.
pub(crate) fn strategy_plan(choice: StrategyChoice, known: &StrategyInputs) -> StrategyPlan {
    let rows = known.rows();
    let per_customer = rows.iter().map(|rows| known.cost_alone(rows)).sum();
    let groups = known.groups(&rows);
    let group = groups.iter().map(|group| group.cost).sum();
    let is_wanted = choice.fixed() == Some(SweepStrategy::WholeTenant);
    let whole_tenant = known.cost_of_tenant(&rows, is_wanted);
    let costs = StrategyCosts {
        per_customer,
        group,
        whole_tenant,
    };
    let (strategy, reason) = match choice.fixed() {
        Some(SweepStrategy::WholeTenant) if whole_tenant.is_none() => {
            (SweepStrategy::Group, StrategyReason::TooManyDevices)
        }
        Some(strategy) => (strategy, StrategyReason::Fixed),
        None => cheapest(known, costs),
    };
    let groups = match (strategy, whole_tenant) {
        (SweepStrategy::Group, _) => groups,
        (SweepStrategy::WholeTenant, Some(cost)) => vec![Group {
            customers: 0..rows.len(),
            cost,
        }],
        _ => Vec::new(),
    };
    StrategyPlan {
        strategy,
        reason,
        costs,
        groups,
    }
}

fn cheapest(known: &StrategyInputs, costs: StrategyCosts) -> (SweepStrategy, StrategyReason) {
    if known.customers.len() <= FEW_CUSTOMERS {
        return (SweepStrategy::PerCustomer, StrategyReason::FewCustomers);
    }
    let whole = costs.whole_tenant.unwrap_or(u64::MAX);
    if costs.per_customer <= costs.group.min(whole) {
        let honoured = known.organization_list.values().all(|habit| {
            matches!(
                habit,
                OrganizationListHabit::Honoured | OrganizationListHabit::Unknown
            )
        });
        let reason = if honoured {
            StrategyReason::Cheapest
        } else {
            StrategyReason::OrganizationListNotHonoured
        };
        return (SweepStrategy::PerCustomer, reason);
    }
    if costs.group <= whole {
        (SweepStrategy::Group, StrategyReason::Cheapest)
    } else {
        (SweepStrategy::WholeTenant, StrategyReason::Cheapest)
    }
}

impl StrategyInputs {
    /// What the last runs show about these organizations.
    pub(crate) fn of(
        organizations: impl Iterator<Item = MappingId>,
        reports: Vec<Report>,
        mut runs: KnownRuns,
    ) -> Self {
        Self {
            customers: organizations
                .map(|mapping| runs.rows.remove(&mapping))
                .collect(),
            reports,
            page_sizes: runs.pass.page_sizes,
            organization_list: runs.pass.organization_list,
            tenant_devices: runs.pass.tenant_devices,
        }
    }

    /// The rows of every customer. A customer whose rows are unknown gets the average of the others.
    fn rows(&self) -> Vec<BTreeMap<Report, u64>> {
        let known: Vec<_> = self.customers.iter().flatten().collect();
        let number = known.len() as u64;
        let usual = |report: Report| {
            let usual = USUAL_ROWS.iter().find(|(of, _)| *of == report);
            let usual = usual.map_or(0, |(_, rows)| *rows);
            let rows = known.iter().filter_map(|rows| rows.get(&report));
            let sum = rows.fold(0_u64, |sum, rows| sum.saturating_add(*rows));
            sum.checked_div(number).unwrap_or(usual)
        };
        let usual: BTreeMap<_, _> = self.reports.iter().map(|of| (*of, usual(*of))).collect();
        let customers = self.customers.iter();
        customers
            .map(|rows| rows.clone().unwrap_or_else(|| usual.clone()))
            .collect()
    }

    /// The number of requests for this many rows of a report. A list ends with an empty page, a report usually with its last page.
    fn pages(&self, report: Report, rows: u64) -> u64 {
        let is_list = matches!(report, Report::Devices | Report::Activities);
        let usual = if is_list { 1_000 } else { 5_000 };
        let size = self.page_sizes.get(&report).copied().unwrap_or(usual);
        let size = u64::from(size.max(1));
        rows / size + 1 + u64::from(is_list && rows > 0)
    }

    /// How NinjaOne answers for a list of organizations in this report. If the device list does not honour such a list, no report is
    /// requested with one.
    fn habit(&self, report: Report) -> OrganizationListHabit {
        let of = |report| self.organization_list.get(&report).copied();
        let devices = of(Report::Devices).unwrap_or_default();
        if devices.is_usable() {
            of(report).unwrap_or_default()
        } else {
            devices
        }
    }

    /// The cost of reading one customer alone.
    fn cost_alone(&self, rows: &BTreeMap<Report, u64>) -> u64 {
        let reports = self.reports.iter();
        reports
            .map(|report| self.pages(*report, of(rows, *report)))
            .sum()
    }

    /// The cost of one pass for customers with these rows.
    fn cost_together<'a>(
        &self,
        customers: &[BTreeMap<Report, u64>],
        everybody: u64,
        reports: impl Iterator<Item = &'a Report>,
    ) -> u64 {
        let sum = |report| customers.iter().map(|rows| of(rows, report)).sum::<u64>();
        let pages = |report: &Report| {
            let together = self.pages(*report, sum(*report));
            match self.habit(*report) {
                OrganizationListHabit::Honoured | OrganizationListHabit::Unknown => together,
                OrganizationListHabit::Ignored => {
                    let devices = sum(Report::Devices).max(1);
                    let everybodys = sum(*report).saturating_mul(everybody.max(devices)) / devices;
                    self.pages(*report, everybodys)
                }
                OrganizationListHabit::LeavesOut | OrganizationListHabit::Refused => {
                    let alone = customers.iter();
                    alone
                        .map(|rows| self.pages(*report, of(rows, *report)))
                        .sum()
                }
            }
        };
        // The device list is read once more at the end.
        reports.map(pages).sum::<u64>() + pages(&Report::Devices)
    }

    fn groups(&self, rows: &[BTreeMap<Report, u64>]) -> Vec<Group> {
        let everybody = rows
            .iter()
            .map(|rows| of(rows, Report::Devices))
            .sum::<u64>();
        let everybody = self.tenant_devices.unwrap_or(0).max(everybody);
        let mut groups = Vec::new();
        let mut start = 0;
        while start < rows.len() {
            let mut devices = 0_u64;
            let rest = rows.get(start..).unwrap_or_default();
            let fits = rest.iter().take(GROUP_ORGANIZATIONS).take_while(|rows| {
                devices = devices.saturating_add(of(rows, Report::Devices));
                devices <= GROUP_DEVICES
            });
            // A customer with more devices than a group may have is a group by itself.
            let customers = start..start + fits.count().max(1);
            let together = rows.get(customers.clone()).unwrap_or_default();
            let cost = self.cost_together(together, everybody, self.reports.iter());
            start = customers.end;
            groups.push(Group { customers, cost });
        }
        groups
    }

    /// The cost of one pass over the whole tenant. The rows of other organizations are unknown, so their devices are assumed to have as
    /// many rows as the customers' devices. If the tenant's number of devices is unknown, `is_wanted` decides: a person who fixed this
    /// strategy is taken to know that the tenant has no others.
    fn cost_of_tenant(&self, rows: &[BTreeMap<Report, u64>], is_wanted: bool) -> Option<u64> {
        let sum = |report| rows.iter().map(|rows| of(rows, report)).sum::<u64>();
        let own = sum(Report::Devices);
        let seen = self.tenant_devices.or(is_wanted.then_some(own))?;
        // The response that was counted may have covered only a part of the tenant.
        let everybody = Some(seen.max(own)).filter(|devices| *devices < GROUP_DEVICES)?;
        let devices = own.max(1);
        let pages = |report: &Report| {
            let all = sum(*report).saturating_mul(everybody.max(devices)) / devices;
            self.pages(*report, all)
        };
        Some(self.reports.iter().map(pages).sum::<u64>() + pages(&Report::Devices))
    }
}

fn of(rows: &BTreeMap<Report, u64>, report: Report) -> u64 {
    rows.get(&report).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORTS: [Report; 8] = [
        Report::Devices,
        Report::Volumes,
        Report::AntivirusStatus,
        Report::OsPatches,
        Report::OsPatchInstalls,
        Report::SoftwarePatches,
        Report::SoftwarePatchInstalls,
        Report::Activities,
    ];

    fn customer(devices: u64) -> BTreeMap<Report, u64> {
        let rows = [2, 1, 18, 22, 3, 5, 1];
        let mut all = BTreeMap::from([(Report::Devices, devices)]);
        all.extend(
            REPORTS[1..]
                .iter()
                .zip(rows)
                .map(|(of, rows)| (*of, rows * devices)),
        );
        all
    }

    fn known(customers: usize, devices: u64) -> StrategyInputs {
        StrategyInputs {
            customers: vec![Some(customer(devices)); customers],
            reports: REPORTS.to_vec(),
            ..StrategyInputs::default()
        }
    }

    fn choose(known: &StrategyInputs) -> (SweepStrategy, StrategyReason, usize) {
        let plan = strategy_plan(StrategyChoice::Cheapest, known);
        (plan.strategy, plan.reason, plan.groups.len())
    }

    #[test]
    fn few_customers_are_read_alone_and_many_in_groups() {
        use SweepStrategy::{Group, PerCustomer};
        for (customers, devices, expected) in [
            (0, 20, (PerCustomer, StrategyReason::FewCustomers, 0)),
            (1, 20, (PerCustomer, StrategyReason::FewCustomers, 0)),
            (4, 20, (PerCustomer, StrategyReason::FewCustomers, 0)),
            (5, 20, (Group, StrategyReason::Cheapest, 1)),
            (200, 20, (Group, StrategyReason::Cheapest, 1)),
            (201, 20, (Group, StrategyReason::Cheapest, 2)),
            (5_000, 20, (Group, StrategyReason::Cheapest, 25)),
            // Ten customers together have as many devices as a group may have, less one customer's.
            (10, 556, (Group, StrategyReason::Cheapest, 2)),
        ] {
            assert_eq!(
                choose(&known(customers, devices)),
                expected,
                "{customers} x {devices}"
            );
        }
    }

    #[test]
    fn a_customer_with_more_devices_than_a_group_is_a_group_of_its_own() {
        let mut known = known(6, 20);
        known.customers[2] = Some(customer(9_000));
        let plan = strategy_plan(StrategyChoice::Group, &known);
        let groups: Vec<_> = plan
            .groups
            .iter()
            .map(|group| group.customers.clone())
            .collect();
        assert_eq!(groups, [0..2, 2..3, 3..6]);
    }

    #[test]
    fn every_customer_is_in_one_group_in_order() {
        for (customers, devices) in [(1, 1), (199, 1), (200, 25), (777, 13), (3, 5_001)] {
            let plan = strategy_plan(StrategyChoice::Group, &known(customers, devices));
            let all: Vec<_> = plan
                .groups
                .into_iter()
                .flat_map(|group| group.customers)
                .collect();
            assert_eq!(all, (0..customers).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_whole_tenant_is_read_where_it_is_small_and_has_many_organizations() {
        let mut many = known(900, 3);
        assert_eq!(choose(&many).0, SweepStrategy::Group);
        many.tenant_devices = Some(2_700);
        assert_eq!(
            choose(&many),
            (SweepStrategy::WholeTenant, StrategyReason::Cheapest, 1)
        );
        many.tenant_devices = Some(4_999);
        assert_eq!(choose(&many).0, SweepStrategy::WholeTenant);
        many.tenant_devices = Some(5_000);
        assert_eq!(choose(&many).0, SweepStrategy::Group);
        let fixed = strategy_plan(StrategyChoice::WholeTenant, &many);
        assert_eq!(
            (fixed.strategy, fixed.reason, fixed.costs.whole_tenant),
            (SweepStrategy::Group, StrategyReason::TooManyDevices, None)
        );
        // Most organizations of the tenant are not promoted, so groups read fewer rows.
        let mut few = known(20, 10);
        few.tenant_devices = Some(4_999);
        assert_eq!(choose(&few).0, SweepStrategy::Group);
    }

    #[test]
    fn a_fixed_strategy_is_taken_and_the_costs_of_all_are_estimated() {
        let mut known = known(40, 20);
        known.tenant_devices = Some(800);
        for choice in StrategyChoice::ALL {
            let plan = strategy_plan(choice, &known);
            if let Some(fixed) = choice.fixed() {
                assert_eq!((plan.strategy, plan.reason), (fixed, StrategyReason::Fixed));
            }
            let costs = plan.costs;
            assert!(costs.group < costs.per_customer && costs.whole_tenant.is_some());
            let groups: u64 = plan.groups.iter().map(|group| group.cost).sum();
            match plan.strategy {
                SweepStrategy::PerCustomer => assert_eq!(groups, 0),
                SweepStrategy::Group => assert_eq!(groups, costs.group),
                SweepStrategy::WholeTenant => assert_eq!(Some(groups), costs.whole_tenant),
            }
        }
    }

    #[test]
    fn a_list_of_organizations_that_is_not_honoured_makes_groups_cost_more() {
        for (habit, strategy) in [
            (OrganizationListHabit::Unknown, SweepStrategy::Group),
            (OrganizationListHabit::Honoured, SweepStrategy::Group),
            (OrganizationListHabit::LeavesOut, SweepStrategy::PerCustomer),
            (OrganizationListHabit::Refused, SweepStrategy::PerCustomer),
            (OrganizationListHabit::Ignored, SweepStrategy::PerCustomer),
        ] {
            let mut known = known(12, 20);
            known.tenant_devices = Some(400_000);
            known.organization_list = REPORTS.into_iter().map(|report| (report, habit)).collect();
            let plan = strategy_plan(StrategyChoice::Cheapest, &known);
            assert_eq!(plan.strategy, strategy, "{habit:?}");
            if strategy == SweepStrategy::PerCustomer {
                assert_eq!(plan.reason, StrategyReason::OrganizationListNotHonoured);
            }
        }
        // A report whose list leaves rows out is read for each customer alone, the other reports together.
        let mut known = known(12, 20);
        known.organization_list =
            BTreeMap::from([(Report::Activities, OrganizationListHabit::LeavesOut)]);
        assert_eq!(choose(&known).0, SweepStrategy::Group);
    }

    /// 5,000 customers with 20 devices each cost at most 1,700 requests with pages of 5,000 rows, and at most 6,000 with pages of 1,000.
    #[test]
    fn five_thousand_customers_fit_the_budget() {
        let mut many = known(5_000, 20);
        let cost = |known: &StrategyInputs| strategy_plan(StrategyChoice::Cheapest, known).costs;
        assert!(cost(&many).group <= 1_700, "{:?}", cost(&many));
        assert_eq!(cost(&many).per_customer, 50_000);
        many.page_sizes = REPORTS.into_iter().map(|report| (report, 1_000)).collect();
        assert!(cost(&many).group <= 6_000, "{:?}", cost(&many));
        assert!(cost(&known(500, 20)).group <= 180);
        assert!(cost(&known(12, 20)).group <= 30);
    }

    #[test]
    fn customers_that_nobody_has_read_count_like_the_others() {
        let mut half = known(100, 30);
        half.customers.extend(vec![None; 100]);
        let plan = strategy_plan(StrategyChoice::Cheapest, &half);
        assert_eq!(
            plan.costs,
            strategy_plan(StrategyChoice::Cheapest, &known(200, 30)).costs
        );
        let none = StrategyInputs {
            customers: vec![None; 300],
            reports: REPORTS.to_vec(),
            ..StrategyInputs::default()
        };
        let plan = strategy_plan(StrategyChoice::Cheapest, &none);
        assert_eq!(
            (plan.strategy, plan.groups.len()),
            (SweepStrategy::Group, 2)
        );
        // Absurd numbers in a store cause no overflow.
        let mut huge = known(10, 20);
        huge.customers[0] = Some(
            REPORTS
                .into_iter()
                .map(|report| (report, u64::MAX / 64))
                .collect(),
        );
        huge.tenant_devices = Some(u64::MAX);
        let _ = strategy_plan(StrategyChoice::Cheapest, &huge);
    }
}
