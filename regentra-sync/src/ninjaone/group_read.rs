//! Reads the reports of many customers in one pass, and judges each customer by its own rows.
//!
//! The walks are the same as for one customer, but over the organizations of a group or the whole tenant. For each row, a router looks up
//! the device in the device list of the same pass. It passes the row to the evaluation of the customer that owns the device, and to no
//! other.
//!
//! - If a response fails or loses a row, the group is split in halves and read again ([`halves`](super::halves)).
//! - The vendor silently ignores filters, and its handling of a list of organizations is unknown. So some customers are read alone, too:
//!   those without a row where their last run had some, the largest of those that lost a quarter of their rows or more, and, for each
//!   report, a few others until the report is known to honour such a list. If a customer has more rows alone than in the group, the list is
//!   no longer trusted. Then every customer of the pass is read alone for that report, and the next tick considers this when it chooses its
//!   strategy.
//! - The device list is read first, and its short form again at the end. If a customer's device changed its organization meanwhile, or is
//!   no longer listed, the customer is read alone.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use async_trait::async_trait;
use ninjaone_client::{
    Client, Completeness, DeviceFilter, DeviceId, ErrorKind as Vendor, OrganizationId,
    RepairedField, devices::DevicesParams,
};

use super::{
    assessment::{Assessment, AssessmentRequest},
    evaluation::{CustomerEvaluation, DeviceRoll, OwnRow, ReportRow},
    group::{GroupAssessment, GroupCounts, GroupMember, GroupRequest},
    halves::{
        LOOKED_AT, MOST_OF_NO_LIST, PartEnd, PartOutcome, PartReader, Spending, devices_of,
        lacks_many, largest, left_over, read_by_halves, spread_over,
    },
    reading,
    reports::{
        DeviceListRead, OfOne, ReportRead, Rows, call_roll, detailed_devices, read_report,
        read_reports, reports_besides_devices,
    },
};
use crate::{
    error::{Error, Result},
    host::DEVICE_CEILING,
    model::{OrganizationListHabit, Report, SweepStrategy},
};

/// One customer of the pass.
enum Member<'a> {
    /// Its devices are not read yet.
    Waiting,
    /// Its reports are being read.
    Evaluated(Box<CustomerEvaluation<'a>>),
    /// It has to be read alone.
    Alone,
    /// It is left for another pass.
    Left(Error),
    /// It was read alone.
    Done(Box<Assessment>),
}

/// The customer that owns a device.
#[derive(Clone, Copy)]
struct Route {
    member: usize,
    organization: OrganizationId,
}

/// The pass.
struct GroupPass<'r> {
    client: &'r Client,
    requests: Vec<GroupMember<'r>>,
    strategy: SweepStrategy,
    members: Vec<Member<'r>>,
    by_organization: HashMap<OrganizationId, usize>,
    routes: HashMap<DeviceId, Route>,
    habits: BTreeMap<Report, OrganizationListHabit>,
    counts: GroupCounts,
    /// Whether the first reading of the device list lost rows.
    lost_devices: bool,
}

/// Reads the reports of all customers, and judges each customer.
///
/// # Errors
/// Only the errors of the checkpoint. The reason why a customer cannot be judged is that customer's entry in the result.
pub(super) async fn read_group(
    client: &Client,
    request: GroupRequest<'_>,
) -> Result<GroupAssessment> {
    let members = request.members;
    let Some(first) = members.first() else {
        return Ok(GroupAssessment {
            assessments: Vec::new(),
            counts: GroupCounts::default(),
        });
    };
    let by_organization = members.iter().enumerate();
    let mut pass = GroupPass {
        client,
        requests: members.to_vec(),
        strategy: request.strategy,
        members: members.iter().map(|_| Member::Waiting).collect(),
        by_organization: by_organization
            .map(|(place, member)| (member.request.organization, place))
            .collect(),
        routes: HashMap::new(),
        habits: request.organization_list.clone(),
        counts: GroupCounts::default(),
        lost_devices: false,
    };
    let mut spending = Spending {
        left: request.read_again,
        requests: 0,
        read_again: 0,
        failures: 0,
        checkpoint: request.checkpoint,
    };
    let everybody: Vec<_> = (0..members.len()).collect();
    let together = pass.together(Report::Devices);
    read_by_halves(
        &mut RollCall {
            looks: BTreeMap::new(),
            pass: &mut pass,
        },
        everybody,
        together,
        &mut spending,
    )
    .await?;
    let fields = first.request.custom_fields;
    for report in reports_besides_devices(fields, first.request.kinds_in_use) {
        let (together, evaluated) = (pass.together(report), pass.evaluated());
        let mut reader = OneReport {
            looks: BTreeMap::new(),
            pass: &mut pass,
            report,
        };
        read_by_halves(&mut reader, evaluated, together, &mut spending).await?;
    }
    let evaluated = pass.evaluated();
    let mut look = SecondLook {
        unlooked: evaluated.iter().copied().collect(),
        looks: BTreeMap::new(),
        pass: &mut pass,
    };
    read_by_halves(&mut look, evaluated, true, &mut spending).await?;
    // It is unknown whether these customers still have the same devices, so each of them is read alone.
    for member in look.unlooked {
        pass.set(member, Member::Alone);
    }
    pass.read_the_rest_alone(&mut spending).await?;
    Ok(pass.finish(&spending))
}

impl<'r> GroupPass<'r> {
    /// Whether a report is read for many customers at once.
    fn together(&self, report: Report) -> bool {
        self.strategy == SweepStrategy::WholeTenant || self.may_list(report)
    }

    /// Whether a report may be requested with a list of organizations.
    fn may_list(&self, report: Report) -> bool {
        // If the device list does not honour a list of organizations, no other report is trusted to honour one.
        self.habit(Report::Devices).is_usable() && self.habit(report).is_usable()
    }

    fn habit(&self, report: Report) -> OrganizationListHabit {
        self.habits.get(&report).copied().unwrap_or_default()
    }

    /// Remembers how a report answered for a list of organizations. A worse habit replaces a better one, never the reverse.
    fn learn(&mut self, report: Report, habit: OrganizationListHabit) {
        let known = self.habits.entry(report).or_default();
        *known = (*known).max(habit);
    }

    /// Compares the rows that a customer has alone with the rows that it had in the group. If it had fewer in the group, the list leaves
    /// rows out.
    fn compare(&mut self, report: Report, among_others: Option<u64>, alone: u64) -> bool {
        let Some(among_others) = among_others else {
            return false;
        };
        let leaves_out = alone > among_others;
        if self.strategy == SweepStrategy::WholeTenant {
            // The request had no list of organizations, so a list did not leave the rows out.
        } else if leaves_out {
            self.learn(report, OrganizationListHabit::LeavesOut);
        } else if alone > 0 {
            // A customer without rows does not show whether the list leaves out rows.
            self.learn(report, OrganizationListHabit::Honoured);
        }
        leaves_out
    }

    fn evaluated(&self) -> Vec<usize> {
        let members = self.members.iter().enumerate();
        let evaluated = members.filter(|(_, member)| matches!(member, Member::Evaluated(_)));
        evaluated.map(|(place, _)| place).collect()
    }

    fn request(&self, member: usize) -> Option<AssessmentRequest<'r>> {
        self.requests.get(member).map(|member| member.request)
    }

    fn set(&mut self, member: usize, to: Member<'r>) {
        if let Some(place) = self.members.get_mut(member) {
            *place = to;
        }
    }

    fn evaluation(&mut self, member: usize) -> Option<&mut CustomerEvaluation<'r>> {
        match self.members.get_mut(member) {
            Some(Member::Evaluated(evaluation)) => Some(evaluation),
            _ => None,
        }
    }

    fn is_whole(&mut self, member: usize, report: Report) -> bool {
        let evaluation = self.evaluation(member);
        evaluation.is_some_and(|evaluation| evaluation.is_whole(report))
    }

    fn rows_before(&self, member: usize, report: Report) -> u64 {
        let before = self
            .requests
            .get(member)
            .and_then(|member| member.rows_before);
        before
            .and_then(|rows| rows.get(&report))
            .copied()
            .unwrap_or(0)
    }

    /// Whether no run has read this member before.
    fn is_new(&self, member: usize) -> bool {
        let member = self.requests.get(member);
        member.is_some_and(|member| member.rows_before.is_none())
    }

    /// The filter for requests for a part of the members.
    fn filter(&self, part: &[usize]) -> DeviceFilter {
        if part.len() > 1 && !self.is_listed(part) {
            return DeviceFilter::default();
        }
        let organizations = part.iter().filter_map(|of| self.request(*of));
        let organizations: Vec<_> = organizations.map(|of| of.organization).collect();
        devices_of(&organizations)
    }

    /// Whether requests for a part use a list of organizations.
    fn is_listed(&self, part: &[usize]) -> bool {
        let is_tenant =
            part.len() == self.requests.len() && self.strategy == SweepStrategy::WholeTenant;
        part.len() > 1 && !is_tenant
    }

    /// Forgets which devices these members have, before they are read again.
    fn forget(&mut self, members: &[usize]) {
        let members: BTreeSet<_> = members.iter().copied().collect();
        self.routes
            .retain(|_, route| !members.contains(&route.member));
    }

    /// Records the devices of a customer.
    fn enrol(&mut self, member: usize, roll: DeviceRoll<'r>, end: Option<Completeness>) {
        let Some(request) = self.request(member) else {
            return;
        };
        let route = Route {
            member,
            organization: request.organization,
        };
        let routes = &mut self.routes;
        let others = roll.own().iter().filter_map(|device| {
            let other = routes.insert(*device, route)?.member;
            Some(other)
        });
        let others: BTreeSet<_> = others.collect();
        self.set(member, Member::Evaluated(Box::new(roll.close(end))));
        if others.is_empty() {
            return;
        }
        // A device that moves while the lists are read is in two lists. Its rows would go only to the later one's customer.
        for member in others.into_iter().chain([member]) {
            if self.evaluation(member).is_some() {
                self.set(member, Member::Alone);
            }
        }
    }

    /// Reads the customers alone whose devices moved, or may have moved.
    async fn read_the_rest_alone(&mut self, spending: &mut Spending<'_>) -> Result<()> {
        for member in 0..self.members.len() {
            let Some(request) = self.request(member) else {
                continue;
            };
            if !matches!(self.members.get(member), Some(Member::Alone)) {
                continue;
            }
            if spending.left == 0 {
                self.set(member, Member::Left(left_over()));
                continue;
            }
            spending.checkpoint.check().await?;
            let read = read_reports(self.client, request).await;
            let requests = read
                .as_ref()
                .map_or(1, |read| read.assessment.counts.requests);
            spending.count(requests, true);
            let read = match read {
                Ok(read) => Member::Done(Box::new(read.assessment)),
                Err(error) => Member::Left(error.into()),
            };
            self.set(member, read);
        }
        Ok(())
    }

    fn finish(self, spending: &Spending<'_>) -> GroupAssessment {
        let assessments = self.members.into_iter().map(|member| match member {
            Member::Evaluated(evaluation) => {
                let mut assessment = evaluation.finish().assessment;
                // The cost of the pass belongs to no single customer.
                assessment.counts.requests = 0;
                Ok(assessment)
            }
            Member::Done(assessment) => Ok(*assessment),
            Member::Left(error) => Err(error),
            Member::Waiting | Member::Alone => Err(left_over()),
        });
        GroupAssessment {
            assessments: assessments.collect(),
            counts: GroupCounts {
                requests: spending.requests,
                read_again: spending.read_again,
                organization_list: self.habits,
                ..self.counts
            },
        }
    }
}

/// Reads the device list, which says which customer owns each device.
struct RollCall<'p, 'r> {
    pass: &'p mut GroupPass<'r>,
    /// Members that were read together, with the rows that they had then.
    looks: BTreeMap<usize, u64>,
}

/// The devices of a part of the members.
struct Rolls<'r> {
    of_members: BTreeMap<usize, DeviceRoll<'r>>,
    /// The devices that were listed, each with its member.
    seen: HashMap<DeviceId, usize>,
    /// Members with a device that is also listed for another member.
    ambiguous: BTreeSet<usize>,
    lost: u64,
    foreign: u64,
    devices: u64,
}

#[async_trait]
impl PartReader for RollCall<'_, '_> {
    async fn read(&mut self, part: &[usize]) -> PartEnd {
        match part {
            [member] => self.read_alone(*member).await,
            _ => self.read_many(part).await,
        }
    }

    fn may_list(&self) -> bool {
        self.pass.may_list(Report::Devices)
    }

    fn give_up(&mut self, part: &[usize]) {
        for member in part {
            let is_proven = match self.pass.members.get(*member) {
                Some(Member::Waiting) => false,
                // A list that had to be read again, and was not, is no basis for a verdict.
                Some(Member::Evaluated(evaluation)) => !evaluation.is_whole(Report::Devices),
                Some(Member::Alone | Member::Left(_) | Member::Done(_)) | None => true,
            };
            if !is_proven {
                self.pass.set(*member, Member::Left(left_over()));
            }
        }
    }
}

impl RollCall<'_, '_> {
    async fn read_alone(&mut self, member: usize) -> PartEnd {
        let pass = &mut *self.pass;
        let Some(request) = pass.request(member) else {
            return PartEnd::new(0, PartOutcome::Whole);
        };
        let before = self.looks.remove(&member);
        let DeviceListRead {
            roll,
            end,
            requests,
        } = call_roll(pass.client, request).await;
        let end = match end {
            Ok(end) => end,
            Err(error) => {
                let kind = error.kind();
                pass.set(member, Member::Left(error.into()));
                return PartEnd::new(requests, PartOutcome::Failed(kind));
            }
        };
        pass.forget(&[member]);
        pass.enrol(member, roll, end);
        let known = pass.evaluation(member);
        let has = known.map_or(0, |known| known.own_rows(Report::Devices));
        let mut end = PartEnd::new(requests, PartOutcome::Whole);
        end.leaves_out = pass.compare(Report::Devices, before, has);
        end
    }

    async fn read_many(&mut self, part: &[usize]) -> PartEnd {
        let pass = &mut *self.pass;
        let mut pages = detailed_devices(pass.client, pass.filter(part));
        let new = |member: &usize| Some((*member, DeviceRoll::new(pass.request(*member)?)));
        let mut rolls = Rolls {
            of_members: part.iter().filter_map(new).collect(),
            seen: HashMap::new(),
            ambiguous: BTreeSet::new(),
            lost: 0,
            foreign: 0,
            devices: 0,
        };
        let end = loop {
            match pages.next_page().await {
                Ok(Some(page)) => {
                    rolls.lost += page.malformed.len() as u64;
                    page.rows
                        .iter()
                        .for_each(|row| rolls.observe(row, &pass.by_organization));
                }
                Ok(None) => break pages.completeness(),
                Err(error) => {
                    let kind = error.kind();
                    for member in part {
                        pass.set(*member, Member::Left(error.clone().into()));
                    }
                    if kind == Vendor::InvalidRequest && pass.is_listed(part) {
                        pass.learn(Report::Devices, OrganizationListHabit::Refused);
                    }
                    return PartEnd::new(
                        u64::from(pages.pages_so_far()) + 1,
                        PartOutcome::Failed(kind),
                    );
                }
            }
        };
        let requests = u64::from(pages.pages_so_far());
        let is_whole = end.is_some_and(Completeness::is_complete);
        pass.forget(part);
        if !is_whole || rolls.lost > 0 {
            pass.lost_devices = true;
            for (member, mut roll) in rolls.of_members {
                roll.lost(rolls.lost);
                pass.enrol(member, roll, end);
            }
            return PartEnd::new(requests, PartOutcome::Lossy);
        }
        let is_listed = pass.is_listed(part);
        pass.counts.foreign_rows += rolls.foreign;
        if rolls.foreign > 0 && is_listed {
            pass.learn(Report::Devices, OrganizationListHabit::Ignored);
        }
        if rolls.foreign > 0 || !is_listed {
            pass.counts.tenant_devices = Some(rolls.devices);
        }
        let mut ended = PartEnd::new(requests, PartOutcome::Whole);
        let mut counted: Vec<_> = Vec::new();
        for (member, roll) in rolls.of_members {
            let own = roll.own().len();
            let before = pass.rows_before(member, Report::Devices);
            // It has no device, too many, far fewer than before, or one that is also listed for another member.
            if own == 0
                || roll.is_cut()
                || lacks_many(own as u64, before)
                || rolls.ambiguous.contains(&member)
            {
                ended.look_again.push(member);
            } else {
                counted.push(member);
            }
            pass.enrol(member, roll, end);
            // One that is read alone in any case has nothing to compare with.
            if let Some(known) = pass.evaluation(member) {
                self.looks.insert(member, known.own_rows(Report::Devices));
            }
        }
        if is_listed && pass.habit(Report::Devices) != OrganizationListHabit::Honoured {
            ended.look_again.extend(largest(&counted, &self.looks));
        }
        ended
    }
}

impl Rolls<'_> {
    fn observe(
        &mut self,
        row: &ninjaone_client::models::Device,
        by_organization: &HashMap<OrganizationId, usize>,
    ) {
        let (Some(id), Some(organization)) = (row.id, row.organization_id) else {
            // A device without an organization may belong to any member of the part.
            self.lost += 1;
            return;
        };
        self.devices += 1;
        let member = by_organization.get(&organization).copied();
        let roll = member.and_then(|member| Some((member, self.of_members.get_mut(&member)?)));
        let Some((member, roll)) = roll else {
            self.foreign += 1;
            return;
        };
        roll.observe(row);
        if let Some(other) = self.seen.insert(id, member)
            && other != member
        {
            self.ambiguous.extend([member, other]);
        }
    }
}

/// One report that is not the device list.
struct OneReport<'p, 'r> {
    pass: &'p mut GroupPass<'r>,
    report: Report,
    /// Members that were read together, with the rows that they had then.
    looks: BTreeMap<usize, u64>,
}

/// The owner of a device.
#[derive(Clone, Copy)]
enum Whose {
    /// A customer of the part.
    Own(Route),
    /// Another customer of the pass.
    Foreign,
    /// Unknown: no list contains the device.
    Unknown,
}

/// Passes each row of a response to the customer that owns the row's device.
struct Router<'p, 'r> {
    pass: &'p mut GroupPass<'r>,
    part: BTreeSet<usize>,
    /// The device of the previous row, with its owner. Rows come device by device, so this saves most look-ups.
    last: Option<(DeviceId, Whose)>,
    own: u64,
    lost: u64,
    foreign: u64,
    orphan: u64,
    pages: u64,
    requests: u64,
}

impl Router<'_, '_> {
    fn whose(&mut self, device: Option<DeviceId>) -> Whose {
        let Some(device) = device else {
            return Whose::Unknown;
        };
        if let Some((last, whose)) = self.last
            && last == device
        {
            return whose;
        }
        let whose = match self.pass.routes.get(&device) {
            Some(route) if self.part.contains(&route.member) => Whose::Own(*route),
            Some(_) => Whose::Foreign,
            None => Whose::Unknown,
        };
        self.last = Some((device, whose));
        whose
    }
}

impl Rows for Router<'_, '_> {
    fn page(&mut self, malformed: usize, _repaired: &[RepairedField]) {
        self.lost += malformed as u64;
        self.pages += 1;
    }

    fn spent(&mut self, requests: u64) {
        self.requests += requests;
    }

    fn row(&mut self, row: ReportRow<'_>) {
        let route = match self.whose(row.device()) {
            Whose::Own(route) => route,
            Whose::Foreign => {
                self.foreign += 1;
                return;
            }
            Whose::Unknown => {
                let first = self.pass.requests.first();
                let fields = first.map(|first| first.request.custom_fields);
                if fields.is_some_and(|fields| row.is_lost(fields)) {
                    self.lost += 1;
                } else if row.device().is_some() {
                    self.orphan += 1;
                }
                return;
            }
        };
        let Some(evaluation) = self.pass.evaluation(route.member) else {
            self.foreign += 1;
            return;
        };
        let own = OwnRow {
            customer: evaluation.request().customer,
            organization: route.organization,
            row,
        };
        match evaluation.observe_own(own) {
            Some(Ok(())) => self.own += 1,
            Some(Err(_)) => self.lost += 1,
            None => self.foreign += 1,
        }
    }
}

#[async_trait]
impl PartReader for OneReport<'_, '_> {
    async fn read(&mut self, part: &[usize]) -> PartEnd {
        match part {
            [member] => self.read_alone(*member).await,
            _ => self.read_many(part).await,
        }
    }

    fn may_list(&self) -> bool {
        self.pass.may_list(self.report)
    }

    fn give_up(&mut self, part: &[usize]) {
        for member in part {
            let report = self.report;
            // A response that had to be read again, and was not, proves nothing.
            if let Some(evaluation) = self.pass.evaluation(*member)
                && (!evaluation.has_ended(report) || evaluation.is_whole(report))
            {
                evaluation.end(report, Ok(None));
            }
        }
    }
}

impl OneReport<'_, '_> {
    async fn read_alone(&mut self, member: usize) -> PartEnd {
        let report = self.report;
        let Some(request) = self.pass.request(member) else {
            return PartEnd::new(0, PartOutcome::Whole);
        };
        let client = self.pass.client;
        let before = self.looks.remove(&member);
        let Some(evaluation) = self.pass.evaluation(member) else {
            return PartEnd::new(0, PartOutcome::Whole);
        };
        evaluation.forget_report(report);
        let filter = DeviceFilter::organization(request.organization);
        let mut rows = OfOne {
            report,
            evaluation,
            requests: 0,
        };
        let end = read_report(client, ReportRead::of(&request, report, filter), &mut rows).await;
        let requests = rows.requests;
        let failed = end.as_ref().err().map(ninjaone_client::Error::kind);
        evaluation.end(report, end);
        let has = evaluation.own_rows(report);
        if let Some(kind) = failed {
            return PartEnd::new(requests, PartOutcome::Failed(kind));
        }
        let mut end = PartEnd::new(requests, PartOutcome::Whole);
        let before = before.filter(|_| self.pass.is_whole(member, report));
        end.leaves_out = self.pass.compare(report, before, has);
        end
    }

    async fn read_many(&mut self, part: &[usize]) -> PartEnd {
        let (report, client) = (self.report, self.pass.client);
        let Some(request) = part.first().and_then(|first| self.pass.request(*first)) else {
            return PartEnd::new(0, PartOutcome::Whole);
        };
        for member in part {
            if let Some(evaluation) = self.pass.evaluation(*member) {
                evaluation.forget_report(report);
            }
        }
        let filter = self.pass.filter(part);
        let mut router = Router {
            part: part.iter().copied().collect(),
            pass: &mut *self.pass,
            last: None,
            own: 0,
            lost: 0,
            foreign: 0,
            orphan: 0,
            pages: 0,
            requests: 0,
        };
        let end = read_report(
            client,
            ReportRead::of(&request, report, filter),
            &mut router,
        )
        .await;
        let Router {
            own,
            lost,
            foreign,
            orphan,
            pages,
            requests,
            ..
        } = router;
        for member in part {
            if let Some(evaluation) = self.pass.evaluation(*member) {
                evaluation.among_others(report, pages, lost);
                evaluation.end(report, end.clone());
            }
        }
        let is_listed = self.pass.is_listed(part);
        match end {
            Ok(Some(Completeness::Complete)) if lost == 0 => {}
            Ok(_) => return PartEnd::new(requests, PartOutcome::Lossy),
            Err(error) => {
                let kind = error.kind();
                if kind == Vendor::InvalidRequest && is_listed {
                    self.pass.learn(report, OrganizationListHabit::Refused);
                }
                return PartEnd::new(requests, PartOutcome::Failed(kind));
            }
        }
        self.pass.counts.foreign_rows += foreign;
        self.pass.counts.orphan_rows += orphan;
        // Some rows of unknown devices are usual.
        if is_listed && foreign + orphan > own && foreign + orphan > MOST_OF_NO_LIST {
            self.pass.learn(report, OrganizationListHabit::Ignored);
        }
        let mut ended = PartEnd::new(requests, PartOutcome::Whole);
        ended.look_again = self.doubtful(part, is_listed);
        ended
    }

    /// The members whose rows are read again, alone: members without a row that had rows before; the largest of those that lost many; a few
    /// members without a row that were never read before; and a few others, as long as the report is not known to honour a list of
    /// organizations.
    fn doubtful(&mut self, part: &[usize], is_listed: bool) -> Vec<usize> {
        let report = self.report;
        let (mut lack, mut without, mut with) = (Vec::new(), Vec::new(), Vec::new());
        let mut short = Vec::new();
        for member in part {
            let before = self.pass.rows_before(*member, report);
            let Some(evaluation) = self.pass.evaluation(*member) else {
                continue;
            };
            let rows = evaluation.own_rows(report);
            self.looks.insert(*member, rows);
            if evaluation.own_rows(Report::Devices) == 0 {
                continue;
            }
            match (rows, before) {
                (0, 0) => without.push(*member),
                (0, _) => lack.push(*member),
                (rows, before) if lacks_many(rows, before) => short.push((before, *member)),
                _ => with.push(*member),
            }
        }
        // Rows also decrease for good reasons. The largest of these customers show whether the list is the reason.
        short.sort_unstable_by(|left, right| right.cmp(left));
        lack.extend(short.into_iter().take(LOOKED_AT).map(|(_, member)| member));
        if !is_listed {
            return lack;
        }
        if self.pass.habit(report) == OrganizationListHabit::Honoured {
            // A server may not know a new organization yet.
            without.retain(|member| self.pass.is_new(*member));
            lack.extend(spread_over(&without, LOOKED_AT));
        } else {
            lack.extend(spread_over(&without, LOOKED_AT));
            lack.extend(largest(&with, &self.looks));
        }
        lack
    }
}

/// Reads the short device list once more, to find the devices that changed their organization during the pass.
///
/// A device that this list lacks may have moved to an organization outside the pass. So the device list of its customer is read alone, and
/// the customer is judged only if every device is still in its organization.
struct SecondLook<'p, 'r> {
    pass: &'p mut GroupPass<'r>,
    /// Members whose devices were not all found in their organization again.
    unlooked: BTreeSet<usize>,
    /// Members that were read together, with the number of devices that were found.
    looks: BTreeMap<usize, u64>,
}

impl SecondLook<'_, '_> {
    /// The number of devices that were found again, for each member of a part, and the members that lack one.
    fn found(
        &self,
        part: &[usize],
        found: &HashSet<DeviceId>,
    ) -> (BTreeMap<usize, u64>, BTreeSet<usize>) {
        let mut numbers: BTreeMap<_, _> = part.iter().map(|member| (*member, 0)).collect();
        let mut lacking = BTreeSet::new();
        for (device, route) in &self.pass.routes {
            match numbers.get_mut(&route.member) {
                Some(number) if found.contains(device) => *number += 1,
                Some(_) => {
                    lacking.insert(route.member);
                }
                None => {}
            }
        }
        (numbers, lacking)
    }
}

#[async_trait]
impl PartReader for SecondLook<'_, '_> {
    async fn read(&mut self, part: &[usize]) -> PartEnd {
        let pass = &mut *self.pass;
        let params = DevicesParams::default().filter(pass.filter(part));
        let mut pages = pass.client.devices().list(params);
        reading::note(&pages);
        let mut lost = 0;
        let mut moved = BTreeSet::new();
        let (mut found, mut appeared) = (HashSet::new(), BTreeSet::new());
        let end = loop {
            let page = match pages.next_page().await {
                Ok(Some(page)) => page,
                Ok(None) => break pages.completeness(),
                Err(error) => {
                    let requests = u64::from(pages.pages_so_far()) + 1;
                    return PartEnd::new(requests, PartOutcome::Failed(error.kind()));
                }
            };
            lost += page.malformed.len();
            for row in &page.rows {
                let (Some(id), Some(organization)) = (row.id, row.organization_id) else {
                    lost += 1;
                    continue;
                };
                let was = pass.routes.get(&id).copied();
                match was {
                    Some(was) if was.organization == organization => {
                        found.insert(id);
                    }
                    Some(was) => {
                        moved.insert(was.member);
                        moved.extend(pass.by_organization.get(&organization));
                    }
                    // The device was added during the pass, or the first list left it out.
                    None => appeared.extend(pass.by_organization.get(&organization)),
                }
            }
        };
        let requests = u64::from(pages.pages_so_far());
        // If a customer's list is known to be incomplete, a new device shows nothing more.
        appeared.retain(|member| {
            let evaluation = pass.evaluation(*member);
            evaluation.is_some_and(|of| {
                let devices = of.own_rows(Report::Devices);
                of.is_whole(Report::Devices) && devices < DEVICE_CEILING as u64
            })
        });
        moved.extend(appeared);
        for member in &moved {
            if pass.evaluation(*member).is_some() {
                pass.set(*member, Member::Alone);
            }
        }
        let is_whole = end.is_some_and(Completeness::is_complete);
        let is_alone = part.len() == 1;
        // A lost row that the first reading lost, too, is not a device that moved.
        if !is_whole || (lost > 0 && !self.pass.lost_devices && !is_alone) {
            return PartEnd::new(requests, PartOutcome::Lossy);
        }
        let mut ended = PartEnd::new(requests, PartOutcome::Whole);
        let (numbers, lacking) = self.found(part, &found);
        for (member, number) in numbers {
            if is_alone {
                let before = self.looks.remove(&member);
                ended.leaves_out = before.is_some_and(|before| number > before);
            } else {
                self.looks.insert(member, number);
            }
            if !lacking.contains(&member) {
                self.unlooked.remove(&member);
            } else if !is_alone && !moved.contains(&member) {
                ended.look_again.push(member);
            }
        }
        ended
    }

    fn may_list(&self) -> bool {
        self.pass.may_list(Report::Devices)
    }

    fn give_up(&mut self, _part: &[usize]) {}
}
