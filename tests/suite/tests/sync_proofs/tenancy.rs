//! Two tenancies, and the one mistake that has to be impossible: whose id every lookup, every write and every audit row carries.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use ninjaone_simulator::Fault;
use regentra_harness::{keys::rotating_keyring, scripted::Scripted};
use regentra_sync::{
    Choice, Connect, Discover, ErrorKind, Integration, MapOrganization, SweepOutcome, SyncOutcome,
    model::{
        AssetStatus, AuditAction, AuditDetails, AuditRow, ComplianceOrgId, CredentialId,
        DeviceList, LeaseKey, MappingId, MspOrgId, OrganizationId, OrganizationList, OutboxAction,
        RegionKey, SignalKey,
    },
    ninjaone::{
        Access, Assessment, AssessmentRequest, DeviceListRequest, DeviceLists, DeviceListsRequest,
        GroupAssessment, GroupRequest, NinjaOne, Redeemed, Redemption,
    },
    regentra_evidence::{SignalKind, Status},
    schedule::{GroupedSweep, SweepEvent},
    store::{AssetFilter, CommitOutcome, MemoryStore, Result, StoreErrorKind, SweepCommit},
};

use crate::{
    simulated::Server,
    site::{Site, mapping, operator, request, together, us},
    snapshot::{Snapshot, assert_same},
    story::{Operation, Story, bystander, customer, ours},
    watched::{Call, Watch, Watched},
};

/// Remembers every call.
#[derive(Debug, Default)]
struct Recording(Mutex<Vec<Call>>);

#[async_trait]
impl Watch for Recording {
    async fn before(&self, call: &Call) -> Result<()> {
        self.0.lock().unwrap().push(call.clone());
        Ok(())
    }

    async fn after(&self, _call: &Call) -> Result<()> {
        Ok(())
    }
}

async fn begin() -> Story {
    Story::begin(Site::new(
        |clock| Arc::new(MemoryStore::new().with_clock(clock)),
        (),
    ))
    .await
}

/// A process whose calls are recorded.
fn recorded(story: &Story, operation: Operation) -> (Integration, Arc<Recording>) {
    let recording = Arc::new(Recording::default());
    let watched = Watched {
        store: Arc::clone(&story.site.store),
        watch: Arc::<Recording>::clone(&recording),
    };
    (story.process_over(operation, Arc::new(watched)), recording)
}

impl Recording {
    fn calls(&self) -> Vec<Call> {
        let calls = std::mem::take(&mut *self.0.lock().unwrap());
        assert!(!calls.is_empty(), "something was recorded");
        calls
    }
}

/// The MSP whose rows a call reads or writes. The plan and the budget have none: one lists ids over all, the other is keyed by
/// the NinjaOne tenant.
fn msp_of(call: &Call) -> Option<MspOrgId> {
    use Call as C;
    match call {
        C::Credentials { msp }
        | C::Credential { msp, .. }
        | C::ConnectionSettings { msp, .. }
        | C::CommitSettings { msp, .. }
        | C::AdoptedFrameworks { msp, .. }
        | C::CommitFrameworks { msp, .. }
        | C::CommitConnect { msp, .. }
        | C::CommitSecrets { msp, .. }
        | C::CommitDisconnect { msp, .. }
        | C::BeginAuthorization { msp, .. }
        | C::TakeAuthorization { msp, .. }
        | C::MappingsOf { msp, .. }
        | C::MappingsPage { msp, .. }
        | C::CompaniesPage { msp, .. }
        | C::AssetsPage { msp, .. }
        | C::MappingCounts { msp, .. }
        | C::Mapping { msp, .. }
        | C::Companies { msp }
        | C::Company { msp, .. }
        | C::AddCompany { msp, .. }
        | C::CommitDiscovery { msp, .. }
        | C::CommitMapping { msp, .. }
        | C::CommitPromotion { msp, .. }
        | C::AssetsOf { msp, .. }
        | C::CommitAssets { msp, .. }
        | C::SweepState { msp, .. }
        | C::CommitSweep { msp, .. }
        | C::TicketsOf { msp, .. }
        | C::TicketsPage { msp, .. }
        | C::TicketCounts { msp, .. }
        | C::Outbox { msp, .. }
        | C::CommitDelivery { msp, .. }
        | C::MspAudit { msp, .. }
        | C::CommitAudit { msp, .. }
        | C::TakeLease { msp, .. }
        | C::RenewLease { msp, .. }
        | C::ReleaseLease { msp, .. }
        | C::RowsAhead { msp }
        | C::AllRuns { msp }
        | C::RunsOf { msp, .. }
        | C::RunsPage { msp, .. }
        | C::TicksWithoutRoot { msp, .. }
        | C::HeadsWithoutRoot { msp, .. }
        | C::CommitRoot { msp, .. }
        | C::LastRoot { msp }
        | C::RootsWaiting { msp, .. }
        | C::RootHandedOut { msp, .. }
        | C::AnchoringFailure { msp }
        | C::RememberAnchoringFailure { msp, .. }
        | C::HeadsOfRoot { msp, .. }
        | C::HeadsOfCustomer { msp, .. } => Some(*msp),
        C::CurrentSignals { .. }
        | C::SignalsAhead { .. }
        | C::StoreTime {}
        | C::KeepKeyCheck { .. }
        | C::SignalHistory { .. }
        | C::EvidenceChain { .. }
        | C::CustomerAudit { .. }
        | C::Spend { .. }
        | C::BudgetWait { .. }
        | C::BudgetUsage { .. }
        | C::ActiveCredentials { .. } => None,
    }
}

/// The customer whose rows a call reads or writes.
fn customer_of(call: &Call) -> Option<ComplianceOrgId> {
    use Call as C;
    match call {
        C::SweepState { customer, .. }
        | C::CommitSweep { customer, .. }
        | C::CurrentSignals { customer, .. }
        | C::SignalsAhead { customer }
        | C::SignalHistory { customer, .. }
        | C::EvidenceChain { customer, .. }
        | C::CustomerAudit { customer, .. }
        | C::HeadsOfCustomer { customer, .. } => Some(*customer),
        C::TakeLease { key, .. } => match key {
            LeaseKey::EvidenceSweep(customer) => Some(*customer),
            LeaseKey::Discovery(_)
            | LeaseKey::AssetSync(_)
            | LeaseKey::RegionSync(_)
            | LeaseKey::SweepGroup(_) => None,
            other => panic!("whose is {other:?}?"),
        },
        C::TicketsOf { customer, .. } => *customer,
        C::TicketsPage { page, .. } => page.filter.customer,
        C::TicketCounts { filter, .. } => filter.customer,
        _ => None,
    }
}

fn credential_of(call: &Call) -> Option<CredentialId> {
    match call {
        Call::Credential { credential, .. }
        | Call::ConnectionSettings { credential, .. }
        | Call::MappingsOf { credential, .. } => Some(*credential),
        Call::CommitSettings { commit, .. } => Some(commit.guard.credential),
        Call::CommitConnect { commit, .. } => Some(commit.credential.id),
        Call::CommitSecrets { commit, .. } => Some(commit.guard.credential),
        Call::CommitDisconnect { commit, .. } => Some(commit.guard.credential),
        Call::CommitDiscovery { commit, .. } => Some(commit.guard.credential),
        Call::CommitAssets { commit, .. } => commit.credential.map(|guard| guard.credential),
        Call::CommitSweep { commit, .. } => Some(commit.credential.credential),
        _ => None,
    }
}

#[tokio::test]
async fn every_credential_lookup_carries_the_msps_id() {
    for operation in Operation::ALL {
        let story = begin().await;
        let (process, recording) = recorded(&story, operation);
        story.perform(&process, operation).await.unwrap();
        let (mut lookups, eu) = (0, RegionKey::parse("eu").unwrap());
        for call in recording.calls() {
            if let Some(msp) = msp_of(&call) {
                assert_eq!(msp, ours(), "{operation:?}: {}", call.name());
            }
            if let Some(credential) = credential_of(&call) {
                lookups += 1;
                let own = [us(), eu.clone()].map(|region| CredentialId::of(ours(), &region));
                assert!(own.contains(&credential), "{operation:?}: {}", call.name());
            }
        }
        let has_credential = !matches!(
            operation,
            Operation::MapToNewCompany
                | Operation::Unmap
                | Operation::Promote
                | Operation::Deliver
                | Operation::AdoptFrameworks
        );
        assert_eq!(
            lookups > 0,
            has_credential || operation == Operation::RotateKey,
            "{operation:?}"
        );
    }
}

/// The one commit among the calls of a sweep.
fn the_commit(calls: &[Call]) -> (MspOrgId, ComplianceOrgId, &SweepCommit) {
    let mut commits = calls.iter().filter_map(|call| match call {
        Call::CommitSweep {
            msp,
            customer,
            commit,
        } => Some((*msp, *customer, commit)),
        _ => None,
    });
    let commit = commits.next().unwrap();
    assert!(commits.next().is_none(), "a sweep commits once");
    commit
}

fn keys(commit: &SweepCommit) -> Vec<SignalKey> {
    let tickets = commit.tickets.iter().map(|write| write.ticket.key);
    let outbox = commit.outbox.iter().flat_map(|row| match &row.action {
        OutboxAction::Open { key, .. }
        | OutboxAction::Update { key, .. }
        | OutboxAction::Close { key, .. }
        | OutboxAction::Note { key, .. } => vec![*key],
        // The MSP's own message about the tick, with what earlier sweeps of it put there.
        OutboxAction::Digest { .. } => Vec::new(),
        other => panic!("whose is {other:?}?"),
    });
    tickets.chain(outbox).collect()
}

/// A commit writes what its event is about, in that customer's tenant, and nothing else.
#[track_caller]
fn is_all_of(event: &SweepEvent, msp: MspOrgId, customer: ComplianceOrgId, commit: &SweepCommit) {
    assert_eq!(msp, event.msp_credential_org_id);
    assert_eq!(customer, event.customer_compliance_org_id);
    assert_eq!(commit.credential.credential, event.credential());
    assert_eq!(commit.mapping.mapping, event.mapping_id);
    assert_eq!(commit.lease.key, LeaseKey::EvidenceSweep(customer));
    assert_eq!((commit.signals.len(), commit.evidence.len()), (5, 5));
    for stored in &commit.signals {
        assert_eq!((stored.mapping, stored.event), (event.mapping_id, event.id));
    }
    for row in &commit.evidence {
        assert_eq!((row.mapping, row.event), (event.mapping_id, event.id));
    }
    let AuditDetails::Swept { mapping, .. } = commit.audit.details else {
        panic!("a sweep is audited as one: {:?}", commit.audit);
    };
    assert_eq!((mapping, commit.audit.event), (event.mapping_id, event.id));
    for key in keys(commit) {
        assert_eq!(key.compliance_org, event.customer_compliance_org_id);
        assert_eq!(key.mapping, event.mapping_id);
    }
}

#[tokio::test]
async fn every_evidence_write_and_every_audit_row_of_a_sweep_carries_the_customers_id() {
    let story = begin().await;
    let site = &story.site;
    for msp in [ours(), bystander()] {
        let all_fail = SignalKind::ALL.map(|signal| (signal, Status::Fail));
        site.ninjaone.of(msp).script().verdicts = all_fail.into();
    }
    let mut customers = BTreeSet::new();
    for msp in [ours(), bystander()] {
        for organization in [1, 2, 5] {
            let event = site.sweep_event(mapping(msp, organization)).await;
            let (process, recording) = recorded(&story, Operation::SweepThatFails);
            let swept = process.sweep(&event).await.unwrap();
            assert!(matches!(swept, SweepOutcome::Committed(_)), "{swept:?}");
            let calls = recording.calls();
            for call in &calls {
                if let Some(msp) = msp_of(call) {
                    assert_eq!(msp, event.msp_credential_org_id, "{}", call.name());
                }
                if let Some(customer) = customer_of(call) {
                    assert_eq!(
                        customer,
                        event.customer_compliance_org_id,
                        "{}",
                        call.name()
                    );
                }
                if let Some(credential) = credential_of(call) {
                    assert_eq!(credential, event.credential(), "{}", call.name());
                }
                let is_msps_trail = matches!(call, Call::CommitAudit { .. });
                assert!(
                    !is_msps_trail,
                    "a sweep writes on the customer's trail alone"
                );
                if let Call::AssetsOf { filter, .. } = call {
                    assert_eq!(*filter, AssetFilter::All, "ids of devices known elsewhere");
                }
            }
            let (msp, customer, commit) = the_commit(&calls);
            is_all_of(&event, msp, customer, commit);
            customers.insert(customer);
        }
    }
    assert_eq!(customers.len(), 4, "two of each MSP");
}

/// A group is one MSP's, and each of its commits one customer's.
#[tokio::test]
async fn every_evidence_write_and_every_audit_row_of_a_group_carries_its_own_customers_id() {
    let story = begin().await;
    let site = &story.site;
    for msp in [ours(), bystander()] {
        let all_fail = SignalKind::ALL.map(|signal| (signal, Status::Fail));
        site.ninjaone.of(msp).script().verdicts = all_fail.into();
    }
    for msp in [ours(), bystander()] {
        let group = site.group_event(msp).await;
        let (process, recording) = recorded(&story, Operation::SweepGroup);
        let swept = process.sweep_group(&group).await.unwrap();
        let is_committed = |outcome| matches!(outcome, &Ok(SweepOutcome::Committed(_)));
        assert!(swept.iter().all(|(_, outcome)| is_committed(outcome)));
        let customers: BTreeSet<_> = group
            .events()
            .map(|event| event.customer_compliance_org_id)
            .collect();
        assert_eq!((group.sweeps.len(), customers.len()), (3, 2));
        let (mut commits, mut audited, mut events) = (0, 0, group.events());
        for call in recording.calls() {
            if let Some(of) = msp_of(&call) {
                assert_eq!(of, msp, "{}", call.name());
            }
            if let Some(customer) = customer_of(&call) {
                assert!(customers.contains(&customer), "{}", call.name());
            }
            if let Some(credential) = credential_of(&call) {
                assert_eq!(credential, group.credential(), "{}", call.name());
            }
            match &call {
                Call::CommitSweep {
                    msp,
                    customer,
                    commit,
                } => {
                    commits += 1;
                    is_all_of(&events.next().unwrap(), *msp, *customer, commit);
                }
                Call::CommitAudit { rows, .. } => {
                    audited += 1;
                    // The MSP's own trail names no customer and no organization.
                    let told = serde_json::to_string(rows).unwrap();
                    assert!(told.contains("\"group_swept\""), "{told}");
                    for event in group.events() {
                        for id in [
                            event.customer_compliance_org_id.to_string(),
                            event.mapping_id.to_string(),
                        ] {
                            assert!(!told.contains(&id), "{told}");
                        }
                    }
                }
                _ => {}
            }
        }
        assert_eq!((commits, audited), (3, 1));
    }
}

/// A NinjaOne that answers a group with the assessments that it has for these places, in this order.
#[derive(Clone, Debug)]
struct Misanswering {
    behind: Scripted,
    places: Vec<usize>,
}

#[async_trait]
impl NinjaOne for Misanswering {
    async fn authenticate(&self, access: &Access) -> regentra_sync::Result<()> {
        self.behind.authenticate(access).await
    }

    async fn redeem(&self, redemption: Redemption) -> regentra_sync::Result<Redeemed> {
        self.behind.redeem(redemption).await
    }

    async fn organizations(
        &self,
        access: &Access,
        ceiling: usize,
    ) -> regentra_sync::Result<OrganizationList> {
        self.behind.organizations(access, ceiling).await
    }

    async fn devices(
        &self,
        access: &Access,
        request: DeviceListRequest<'_>,
    ) -> regentra_sync::Result<DeviceList> {
        self.behind.devices(access, request).await
    }

    async fn assess(
        &self,
        access: &Access,
        request: AssessmentRequest<'_>,
    ) -> regentra_sync::Result<Assessment> {
        self.behind.assess(access, request).await
    }

    async fn assess_group(
        &self,
        access: &Access,
        request: GroupRequest<'_>,
    ) -> regentra_sync::Result<GroupAssessment> {
        let mut right = self.behind.assess_group(access, request).await?;
        let all = right.assessments.into_iter().map(|of| of.unwrap());
        let all: Vec<_> = all.collect();
        let places = self.places.iter();
        right.assessments = places.map(|place| Ok(all[*place].clone())).collect();
        Ok(right)
    }

    async fn device_lists(
        &self,
        access: &Access,
        request: DeviceListsRequest<'_>,
    ) -> regentra_sync::Result<DeviceLists> {
        // Of the organizations in the wrong order, and not of all.
        let right = self.behind.device_lists(access, request).await?;
        let left = right.lists.into_iter().rev().skip(1);
        Ok(DeviceLists {
            lists: left.collect(),
            counts: right.counts,
        })
    }
}

/// Every answer for a group of three: in any order, one's twice or more often, of fewer and of more.
fn answers() -> Vec<Vec<usize>> {
    let mut answers = vec![Vec::new()];
    for begin in 0.. {
        let Some(shorter) = answers.get(begin).filter(|answer| answer.len() < 4) else {
            return answers;
        };
        let longer: Vec<_> = (0..3)
            .map(|place| [shorter.as_slice(), &[place]].concat())
            .collect();
        answers.extend(longer);
    }
    answers
}

/// Each of three organizations, two of them of one customer, has verdicts of its own.
fn tell_apart(story: &Story) {
    let ninjaone = story.site.ninjaone.of(ours());
    let mut script = ninjaone.script();
    script.verdicts_of.clear();
    for (organization, signal) in [
        (1, SignalKind::DiskEncryption),
        (2, SignalKind::PatchSla),
        (5, SignalKind::BackupActivity),
    ] {
        script
            .verdicts_of
            .insert((organization, signal), Status::Fail);
    }
}

#[tokio::test]
async fn an_answer_for_a_group_that_mixes_customers_up_is_written_for_none_of_those() {
    let right = begin().await;
    tell_apart(&right);
    let group = right.site.group_event(ours()).await;
    right
        .process(Operation::SweepGroup)
        .sweep_group(&group)
        .await
        .unwrap();
    let expected = right.site.snapshot().await;
    let answers = answers();
    assert_eq!(answers.len(), 121);
    for places in answers {
        let what = format!("{places:?}");
        let story = begin().await;
        tell_apart(&story);
        let wrong = Misanswering {
            behind: story.site.ninjaone.of(ours()),
            places: places.clone(),
        };
        let rows = Arc::clone(&story.site.store);
        let process = Integration::builder(rows, rotating_keyring(false), Arc::new(wrong))
            .clock(Arc::new(story.site.clock.clone()))
            .policy(together())
            .build();
        let swept = process.sweep_group(&group).await.unwrap();
        assert_eq!(swept.len(), 3, "{what}: one end for each");
        for (place, (event, outcome)) in swept.iter().enumerate() {
            assert_eq!(*event, group.events().nth(place).unwrap(), "{what}");
            if places.get(place) == Some(&place) {
                assert!(matches!(outcome, Ok(SweepOutcome::Committed(_))), "{what}");
            } else {
                let kind = outcome.as_ref().unwrap_err().kind();
                assert_eq!(kind, ErrorKind::Internal, "{what}: {place}");
            }
        }
        // What is written is what the right answer would have written, and what was left is written by that.
        let written = story.site.snapshot().await;
        for (place, event) in group.events().enumerate() {
            let rows = format!("{} {}", event.customer_compliance_org_id, event.mapping_id);
            let of = |snapshot: &Snapshot| -> Vec<String> {
                snapshot.rows(&rows).map(str::to_owned).collect()
            };
            let is_same = of(&written) == of(&expected);
            let is_committed = places.get(place) == Some(&place);
            assert_eq!(is_same, is_committed, "{what}: {rows}");
        }
        let again = story.process(Operation::SweepGroup);
        let swept = again.sweep_group(&group).await.unwrap();
        assert!(swept.iter().all(|(_, outcome)| outcome.is_ok()), "{what}");
        // Who opens a ticket in a tick with too many of them depends on the order; whose rows there are does not.
        let of_customers =
            |of: &Snapshot| -> Vec<String> { of.rows("customer ").map(str::to_owned).collect() };
        let end = story.site.snapshot().await;
        assert_eq!(of_customers(&end), of_customers(&expected), "{what}");
    }
}

#[tokio::test]
async fn a_list_of_devices_that_a_pass_lacks_is_no_organization_that_is_gone() {
    let story = begin().await;
    let site = &story.site;
    let wrong = Misanswering {
        behind: site.ninjaone.of(ours()),
        places: Vec::new(),
    };
    let rows = Arc::clone(&site.store);
    let process = Integration::builder(rows, rotating_keyring(false), Arc::new(wrong))
        .clock(Arc::new(site.clock.clone()))
        .policy(together())
        .build();
    let event = site.sync_event(ours()).await;
    let synced = process.sync(&event).await.unwrap();
    let ends = synced.iter().map(|synced| {
        let outcome = synced.outcome.as_ref();
        let end = outcome.map(|of| matches!(of, SyncOutcome::Synced { .. }));
        (synced.mapping, end.map_err(regentra_sync::Error::kind))
    });
    let ends: BTreeMap<_, _> = ends.collect();
    // Each has the devices of its own list, and the one without a list is left.
    let expected = BTreeMap::from([
        (mapping(ours(), 1), Ok(true)),
        (mapping(ours(), 2), Ok(true)),
        (mapping(ours(), 5), Err(ErrorKind::Internal)),
    ]);
    assert_eq!(ends, expected);
    for (organization, devices) in [(1, 4), (2, 1)] {
        let of = AssetFilter::Mapping(mapping(ours(), organization));
        let assets = site.store.assets(ours(), of).await.unwrap();
        let active = assets
            .iter()
            .filter(|asset| asset.status == AssetStatus::Active);
        assert_eq!(active.count(), devices, "{organization}");
    }
}

/// In a group, too, an event is one customer's wholly, or nothing is read for it and nothing written; the others are swept.
#[tokio::test]
async fn an_event_of_a_group_with_parts_of_two_customers_reads_and_writes_nothing() {
    let story = begin().await;
    let site = &story.site;
    let ours_1 = site.sweep_event(mapping(ours(), 1)).await;
    let group = site.group_event(ours()).await;
    let only = |number: i64| {
        let mut only = group.clone();
        only.sweeps
            .retain(|sweep| sweep.external_org_id.get() == number);
        only
    };
    let (right, honest) = (only(5), begin().await);
    honest
        .process(Operation::SweepGroup)
        .sweep_group(&right)
        .await
        .unwrap();
    let expected = honest.site.snapshot().await.without_passes();
    let mut mixtures = 0;
    for other in [mapping(ours(), 2), mapping(bystander(), 2)] {
        let other = site.sweep_event(other).await;
        for bits in 1..1_u32 << 3 {
            let all = [Part::Customer, Part::Mapping, Part::Organization];
            let chosen = all
                .iter()
                .zip(0..)
                .filter(|(_, bit)| bits & (1 << bit) != 0);
            let parts: Vec<_> = chosen.map(|(part, _)| *part).collect();
            let event = mixed(&ours_1, &other, &parts);
            if [&ours_1, &other].map(whose).contains(&whose(&event)) {
                continue;
            }
            mixtures += 1;
            let story = begin().await;
            let mut group = right.clone();
            let sweep = GroupedSweep {
                customer_compliance_org_id: event.customer_compliance_org_id,
                mapping_id: event.mapping_id,
                external_org_id: event.external_org_id,
                starts_at: event.starts_at,
            };
            group.sweeps.insert(0, sweep);
            story.site.ninjaone.of(ours()).script().asked.clear();
            let process = story.process(Operation::SweepGroup);
            let swept = process.sweep_group(&group).await.unwrap();
            let what = format!("{parts:?} of {}: {swept:?}", other.mapping_id);
            for (swept, outcome) in swept {
                let is_mixed = swept.mapping_id == event.mapping_id;
                let is_right = if is_mixed {
                    matches!(outcome, Ok(SweepOutcome::Skipped(_)))
                } else {
                    matches!(outcome, Ok(SweepOutcome::Committed(_)))
                };
                assert!(is_right, "{what}");
            }
            let ninjaone = story.site.ninjaone.of(ours());
            let asked = ninjaone
                .script()
                .asked
                .iter()
                .map(|asked| asked.1)
                .collect::<Vec<_>>();
            assert_eq!(asked, [Some(5)], "{what}");
            let end = story.site.snapshot().await.without_passes();
            assert_same(&end, &expected, &what);
        }
    }
    assert!(mixtures > 10, "{mixtures}");
}

/// The parts of a planned sweep that say whose it is.
#[derive(Clone, Copy, Debug)]
enum Part {
    Msp,
    Customer,
    Mapping,
    Region,
    Organization,
}

/// The event of one customer with some parts of another's.
fn mixed(event: &SweepEvent, other: &SweepEvent, parts: &[Part]) -> SweepEvent {
    let mut mixed = event.clone();
    for part in parts {
        match part {
            Part::Msp => mixed.msp_credential_org_id = other.msp_credential_org_id,
            Part::Customer => {
                mixed.customer_compliance_org_id = other.customer_compliance_org_id;
            }
            Part::Mapping => mixed.mapping_id = other.mapping_id,
            Part::Region => mixed.region = other.region.clone(),
            Part::Organization => mixed.external_org_id = other.external_org_id,
        }
    }
    mixed
}

/// Everything in an event that says whose it is.
fn whose(
    event: &SweepEvent,
) -> (
    MspOrgId,
    ComplianceOrgId,
    MappingId,
    &RegionKey,
    OrganizationId,
) {
    (
        event.msp_credential_org_id,
        event.customer_compliance_org_id,
        event.mapping_id,
        &event.region,
        event.external_org_id,
    )
}

/// Another region of the same MSP, with a promoted customer of its own.
async fn second_region(site: &mut Site) -> MappingId {
    let region = RegionKey::parse("eu").unwrap();
    let process = site.process();
    let connect = Connect {
        region: region.clone(),
        ..Site::connecting(ours(), "eu")
    };
    let credential = process.connect(ours(), connect).await.unwrap().credential;
    let event = request("discover eu");
    let discovery = process.discover(
        ours(),
        Discover {
            region: region.clone(),
            actor: operator(),
            event,
        },
    );
    discovery.await.unwrap();
    let mappings = site.store.mappings(ours(), credential).await.unwrap();
    let mapping = mappings.first().unwrap().id;
    let company = site.add_company(ours(), "Litware").await;
    let choice = Choice::UseExisting(company);
    let mapped = process.map(
        ours(),
        MapOrganization {
            mapping,
            choice,
            actor: operator(),
            event: request("map eu"),
        },
    );
    mapped.await.unwrap();
    site.promote(ours(), company, 104).await;
    mapping
}

/// An event is mixed up, in a queue or on purpose: it is one customer's wholly, or nothing is read and nothing written.
#[tokio::test]
async fn an_event_with_parts_of_two_customers_reads_and_writes_nothing() {
    let mut story = begin().await;
    let elsewhere = second_region(&mut story.site).await;
    let site = &story.site;
    let ours_1 = site.sweep_event(mapping(ours(), 1)).await;
    let others = [
        site.sweep_event(mapping(ours(), 2)).await,
        site.sweep_event(mapping(bystander(), 2)).await,
        site.sweep_event(elsewhere).await,
    ];
    let all = [
        Part::Msp,
        Part::Customer,
        Part::Mapping,
        Part::Region,
        Part::Organization,
    ];
    let mut mixtures = 0;
    for other in &others {
        for bits in 0..1_u32 << all.len() {
            let chosen = all
                .iter()
                .zip(0..)
                .filter(|(_, bit)| bits & (1 << bit) != 0);
            let parts: Vec<_> = chosen.map(|(part, _)| *part).collect();
            let event = mixed(&ours_1, other, &parts);
            if [&ours_1, other].map(whose).contains(&whose(&event)) {
                continue;
            }
            mixtures += 1;
            for msp in [ours(), bystander()] {
                site.ninjaone.of(msp).script().asked.clear();
            }
            let before = site.snapshot().await.without_runs();
            let process = site.process();
            let swept = process.sweep(&event).await.unwrap();
            let what = format!("{parts:?} of {}", other.mapping_id);
            assert!(
                matches!(swept, SweepOutcome::Skipped(_)),
                "{what}: {swept:?}"
            );
            for msp in [ours(), bystander()] {
                let ninjaone = site.ninjaone.of(msp);
                let asked = &ninjaone.script().asked;
                assert!(asked.is_empty(), "{what}: NinjaOne was asked");
            }
            assert_same(&site.snapshot().await.without_runs(), &before, &what);
        }
    }
    assert!(mixtures > 60, "{mixtures}");
}

/// The trail of a customer holds what concerns this customer, and the MSP's nothing of a sweep but what a pass for many cost.
#[tokio::test]
async fn trails_hold_what_is_theirs() {
    let story = begin().await;
    for operation in [
        Operation::SweepThatFails,
        Operation::SweepGroup,
        Operation::SyncAssets,
        Operation::Disconnect,
    ] {
        let process = story.process(operation);
        story.perform(&process, operation).await.unwrap();
    }
    let snapshot = story.site.snapshot().await;
    let rows = |key: String| -> Vec<AuditRow> {
        let rows = snapshot.rows(&key).map(str::to_owned).collect::<Vec<_>>();
        rows.iter()
            .map(|row| serde_json::from_str(row).unwrap())
            .collect()
    };
    let mappings_of = |number| match number {
        101 => vec![mapping(ours(), 1), mapping(ours(), 5)],
        102 => vec![mapping(ours(), 2)],
        201 => vec![mapping(bystander(), 1), mapping(bystander(), 5)],
        202 => vec![mapping(bystander(), 2)],
        _ => Vec::new(),
    };
    for number in [101, 102, 103, 201, 202] {
        let is_ours = number < 200;
        let mut disconnected = 0;
        for row in rows(format!("customer {} audit", customer(number))) {
            match row.details {
                AuditDetails::Swept { mapping, .. } => {
                    assert!(mappings_of(number).contains(&mapping), "{number}: {row:?}");
                }
                AuditDetails::Disconnected {
                    mappings,
                    credential,
                    ..
                } => {
                    disconnected += 1;
                    assert_eq!(mappings, mappings_of(number).len() as u64);
                    assert_eq!(credential, CredentialId::of(ours(), &us()));
                }
                other => panic!("not for a customer: {other:?}"),
            }
        }
        let is_affected = is_ours && !mappings_of(number).is_empty();
        assert_eq!(disconnected, usize::from(is_affected), "{number}");
    }
    for msp in [ours(), bystander()] {
        let trail = rows(format!("msp {msp} audit"));
        let swept = trail
            .iter()
            .filter(|row| row.action == AuditAction::NinjaoneSwept);
        // What a pass for many customers cost, and nothing of any of them.
        let passes = swept.map(|row| matches!(row.details, AuditDetails::GroupSwept { .. }));
        let passes: Vec<_> = passes.collect();
        assert_eq!(passes, vec![true; usize::from(msp == ours())]);
        let disconnected = |row: &&AuditRow| row.action == AuditAction::NinjaoneDisconnected;
        let count = trail.iter().filter(disconnected).count();
        assert_eq!(count, usize::from(msp == ours()));
    }
}

/// NinjaOne ignores the filter and sends the whole fleet for every organization: what is stored is what it would be, and the
/// foreign rows are counted.
#[tokio::test]
async fn a_fleet_that_is_not_asked_for_reaches_nobody() {
    let server = Server::start().await;
    let host = server.host().await;
    assert!(host.handle(&host.process()).await);
    let expected = host.site.snapshot().await;

    let host = server.host().await;
    server.front.tenant().fault(Fault::FiltersIgnored);
    assert!(host.handle(&host.process()).await);
    server.front.tenant().clear_faults();
    let got = host.site.snapshot().await;
    let (mut compared, mut foreign) = (0, 0);
    for part in [" asset ", " signal ", " ticket ", " mapping "] {
        let rows: Vec<_> = got.rows(part).collect();
        assert_eq!(rows, expected.rows(part).collect::<Vec<_>>(), "{part}");
        compared += rows.len();
    }
    for row in got.rows(" audit ") {
        let row: AuditRow = serde_json::from_str(row).unwrap();
        match row.details {
            AuditDetails::Synced { counts, .. } => foreign += counts.foreign_rows,
            AuditDetails::Swept { counts, .. } => foreign += counts.foreign_rows,
            _ => {}
        }
    }
    assert!(
        compared > 40 && foreign > 40,
        "{compared} rows, {foreign} foreign"
    );
}

/// Even a commit that is made up by hand does not cross: the store holds the guard, for every caller.
#[tokio::test]
async fn a_commit_for_one_customer_is_refused_with_anothers_mapping() {
    let story = begin().await;
    let site = &story.site;
    let event = site.sweep_event(mapping(ours(), 1)).await;
    let (process, recording) = recorded(&story, Operation::SweepThatFails);
    let swept = process.sweep(&event).await.unwrap();
    assert!(matches!(swept, SweepOutcome::Committed(_)));
    let calls = recording.calls();
    let (msp, own, commit) = the_commit(&calls);
    for (msp, customer) in [
        (msp, customer(102)),
        (bystander(), customer(201)),
        (bystander(), customer(101)),
    ] {
        let before = site.snapshot().await;
        let commit = SweepCommit {
            event: request("by hand"),
            ..commit.clone()
        };
        let outcome = site.store.commit_sweep(msp, customer, commit).await;
        // Its tickets name the customer, and so betray it; with another MSP alone it is the guards that do not hold.
        let is_refused = match &outcome {
            Ok(outcome) => matches!(outcome, CommitOutcome::Superseded(_)) && customer == own,
            Err(error) => error.kind() == StoreErrorKind::Other && customer != own,
        };
        assert!(is_refused, "{outcome:?}");
        assert_same(&site.snapshot().await, &before, "nothing is written");
    }
}
