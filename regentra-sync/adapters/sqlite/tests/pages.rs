//! A page of a list costs what the page costs, whatever the length of the list.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test panics where it fails, and says what it measured"
)]

use std::time::{Duration, Instant};

use regentra_sync::{
    ErrorKind,
    host::StoreClock,
    model::{
        Actor, ActorId, AssetStatus, AuditAction, AuditDetails, AuditRow, CompanyId,
        ComplianceOrgId, CredentialId, Mapping, MappingId, RunKind, RunOutcome, RunRecord,
        RunSubject, Source, SyncCounts, TicketState,
    },
    regentra_evidence::SignalKind,
    store::{
        AssetPage, Assets as _, AuditFilter, AuditPage, AuditTrail as _, CompanyFilter,
        CompanyPage, Decision, MappingFilter, MappingPage, Mappings as _, RunFilter,
        RunOutcomeKind, RunPage, Runs as _, TicketFilter, TicketPage, Tickets as _,
        conformance::world::{World, at, clock, committed, mapping},
    },
};
use regentra_sync_sqlite::SqliteStore;
use sqlx::{Connection as _, sqlite::SqliteConnectOptions};
use uuid::Uuid;

/// Of so many readings the fastest counts: the others waited for another program.
const READINGS: usize = 20;

/// What a reading finds and the fastest takes is as expected.
async fn is_fast(what: &str, expected: usize, read: impl AsyncFn() -> usize) {
    let mut fastest = Duration::MAX;
    for _ in 0..READINGS {
        let begun = Instant::now();
        let found = read().await;
        fastest = fastest.min(begun.elapsed());
        assert_eq!(found, expected, "{what}");
    }
    println!("{what}: {expected} rows in {fastest:?}");
    assert!(fastest < Duration::from_millis(20), "{what}: {fastest:?}");
}

async fn of_organizations(world: &World<'_>, store: &SqliteStore, all: &[Mapping]) {
    let (half, last) = (&all[all.len() / 2], &all[all.len() - 1]);
    let first = MappingPage::first(MappingFilter::default(), 50);
    let pending = MappingFilter {
        decision: Some(Decision::PendingReview),
        ..MappingFilter::default()
    };
    let named = |name: &str| {
        let name = Some(name.to_owned());
        let filter = MappingFilter {
            name,
            ..MappingFilter::default()
        };
        MappingPage::first(filter, 50)
    };
    for (what, page, rows) in [
        ("organizations, the first", first.clone(), 50),
        (
            "organizations, one in the middle",
            first.clone().next(half),
            50,
        ),
        (
            "organizations, none after the last",
            first.clone().next(last),
            0,
        ),
        (
            "organizations, those that are pending",
            MappingPage::first(pending, 50),
            50,
        ),
        // Every name is looked at.
        (
            "organizations, the one of a name",
            named("ORGANIZATION 5999"),
            1,
        ),
        ("organizations, none of a name", named("nobody"), 0),
    ] {
        let read = async || store.mappings_page(world.msp, page.clone()).await;
        is_fast(what, rows, async || read().await.unwrap().len()).await;
    }
    let filter = MappingFilter::default;
    let counts = async || store.mapping_counts(world.msp, filter()).await.unwrap();
    let counts = async || usize::try_from(counts().await.pending_review).unwrap();
    is_fast("organizations, counted by decision", all.len(), counts).await;
}

/// Companies, assets and tickets, as many as the organizations ask for.
async fn fill(path: &std::path::Path) {
    let options = SqliteConnectOptions::new().filename(path);
    let mut db = sqlx::SqliteConnection::connect_with(&options)
        .await
        .unwrap();
    let numbers =
        "WITH RECURSIVE number (n) AS (VALUES (0) UNION ALL SELECT n + 1 FROM number WHERE n < 9)";
    for insert in [
        "INSERT INTO companies (msp_org_id, company_id, name, created_at) SELECT msp_org_id, randomblob(16), name, 0 FROM mappings \
         WHERE external_org_id >= 1000"
            .to_owned(),
        format!(
            "{numbers} INSERT INTO assets (msp_org_id, asset_id, company_id, external_source, credential_id, mapping_id, external_id, \
             status, name, version, created_at, updated_at) SELECT msp_org_id, randomblob(16), mapping_id, 'ninjaone', \
             credential_id, mapping_id, n, 'ACTIVE', 'PC-' || n, 1, 0, 0 FROM mappings, number WHERE external_org_id >= 1000"
        ),
        "INSERT INTO tickets (msp_org_id, ticket_id, compliance_org_id, mapping_id, signal, company_id, state, version, opened_at, \
         last_failed_at, passes, content_digest) SELECT msp_org_id, randomblob(16), mapping_id, mapping_id, 'patch_sla', \
         mapping_id, iif(external_org_id % 100, 'closed', 'open'), 1, \
         external_org_id, 0, 0, 'digest' FROM mappings WHERE external_org_id >= 1000"
            .to_owned(),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(insert))
            .execute(&mut db)
            .await
            .unwrap();
    }
}

async fn of_companies_and_assets(world: &World<'_>, store: &SqliteStore, of: MappingId) {
    let all = CompanyFilter::default();
    let named = CompanyFilter {
        name: Some("nobody".to_owned()),
        ..all.clone()
    };
    for (what, filter, rows) in [
        ("companies, the first", all, 50),
        ("companies, none of a name", named, 0),
    ] {
        let page = CompanyPage::first(filter, 50);
        let read = async || store.companies_page(world.msp, page.clone()).await;
        is_fast(what, rows, async || read().await.unwrap().len()).await;
    }
    let first = AssetPage::first(50);
    let of_company = AssetPage {
        company: Some(CompanyId::from_uuid(of.as_uuid())),
        ..first.clone()
    };
    let of_source = AssetPage {
        source: Some(Source::Ninjaone),
        active_only: true,
        ..first.clone()
    };
    let rows = store.assets_page(world.msp, first.clone()).await.unwrap();
    assert_eq!(rows[0].status, AssetStatus::Active);
    for (what, page, rows) in [
        ("assets, the first", first.clone(), 50),
        ("assets, the second", first.next(&rows[49]), 50),
        ("assets of a company", of_company, 10),
        ("assets of a source", of_source, 50),
    ] {
        let read = async || store.assets_page(world.msp, page.clone()).await;
        is_fast(what, rows, async || read().await.unwrap().len()).await;
    }
}

async fn of_tickets(world: &World<'_>, store: &SqliteStore, of: MappingId) {
    let all = TicketFilter::default();
    let open = TicketFilter {
        state: Some(TicketState::Open),
        ..all
    };
    let mapping = TicketFilter {
        mapping: Some(of),
        ..all
    };
    let customer = TicketFilter {
        customer: Some(ComplianceOrgId::from_uuid(of.as_uuid())),
        ..all
    };
    let company = TicketFilter {
        company: Some(CompanyId::from_uuid(of.as_uuid())),
        ..all
    };
    // Every ticket is looked at.
    let signal = TicketFilter {
        signal: Some(SignalKind::DiskEncryption),
        ..all
    };
    let first = TicketPage::first(all, 50);
    let rows = store.tickets_page(world.msp, first).await.unwrap();
    for (what, page, rows) in [
        ("tickets, the first", first, 50),
        ("tickets, the second", first.next(&rows[49]), 50),
        ("tickets, open ones", TicketPage::first(open, 50), 50),
        ("tickets of a mapping", TicketPage::first(mapping, 50), 1),
        ("tickets of a customer", TicketPage::first(customer, 50), 1),
        ("tickets of a company", TicketPage::first(company, 50), 1),
        (
            "tickets of a signal that has none",
            TicketPage::first(signal, 50),
            0,
        ),
    ] {
        let read = async || store.tickets_page(world.msp, page).await;
        is_fast(what, rows, async || read().await.unwrap().len()).await;
    }
    let counts = async || store.ticket_counts(world.msp, all).await.unwrap();
    let open = async || usize::try_from(counts().await.open).unwrap();
    is_fast("tickets, counted by state", 50, open).await;
}

async fn of_runs(world: &World<'_>, store: &SqliteStore, all: &[Mapping]) {
    let another = CredentialId::from_uuid(Uuid::from_u128(9));
    let subjects = all.iter().flat_map(|of| {
        let of_kind = |kind, credential| RunSubject {
            kind,
            credential,
            mapping: Some(of.id),
        };
        [
            of_kind(RunKind::AssetSync, of.credential),
            of_kind(RunKind::EvidenceSweep, of.credential),
            of_kind(RunKind::EvidenceSweep, another),
        ]
    });
    let records = subjects.zip(0..).map(|(subject, n)| RunRecord {
        subject,
        started_at: at(0),
        finished_at: at(1),
        outcome: match n % 500 {
            499 => RunOutcome::failed(ErrorKind::Unknown),
            498 => RunOutcome::PARTIAL,
            _ => RunOutcome::Succeeded,
        },
        requests: 6,
        reading: None,
    });
    let records: Vec<_> = records.collect();
    assert_eq!(records.len(), 15_000);
    let released = store.release_lease(world.msp, &world.lease, records);
    released.await.unwrap();
    let all_runs = RunFilter::default();
    let kind = RunFilter {
        kind: Some(RunKind::EvidenceSweep),
        ..all_runs
    };
    let failed = RunFilter {
        outcome: Some(RunOutcomeKind::Failed),
        ..all_runs
    };
    let mapping = RunFilter {
        mapping: Some(all[all.len() / 2].id),
        ..all_runs
    };
    let first = RunPage::first(all_runs, 50);
    let rows = store.runs_page(world.msp, first).await.unwrap();
    for (what, page, rows) in [
        ("runs, the first", first, 50),
        ("runs, the second", first.next(&rows[49]), 50),
        ("runs of a kind", RunPage::first(kind, 50), 50),
        ("runs that failed", RunPage::first(failed, 50), 30),
        ("runs of a mapping", RunPage::first(mapping, 50), 3),
    ] {
        let read = async || store.runs_page(world.msp, page).await;
        is_fast(what, rows, async || read().await.unwrap().len()).await;
    }
}

async fn of_audit(world: &World<'_>, store: &SqliteStore, of: MappingId) {
    let operator = Actor::Operator(ActorId::from_uuid(Uuid::from_u128(1)));
    let rows = (0..20_000).map(|n| {
        let synced = AuditDetails::Synced {
            mapping: of,
            counts: SyncCounts::default(),
            truncated_any: false,
            suspect_empty: false,
            suspect_shrunk: false,
            partial_view: false,
        };
        // The oldest are a person's.
        let (details, actor) = if n < 20 {
            (AuditDetails::Ignored { mapping: of }, operator)
        } else {
            (synced, Actor::Schedule)
        };
        AuditRow::new(world.event(&format!("row {n}")), at(n / 25), actor, details)
    });
    let event = world.event("rows");
    let commit = store.commit_audit(world.msp, event, rows.collect());
    committed(commit.await.unwrap());
    let all = AuditFilter::default();
    let action = AuditFilter {
        action: Some(AuditAction::NinjaoneIgnored),
        ..all
    };
    let actor = AuditFilter {
        actor: Some(operator),
        ..all
    };
    let both = AuditFilter {
        actor: Some(operator),
        ..action
    };
    let schedule = AuditFilter {
        actor: Some(Actor::Schedule),
        ..all
    };
    let hour = AuditFilter {
        from: Some(at(100)),
        until: Some(at(102)),
        ..all
    };
    let first = AuditPage::first(all, 50);
    let newest = store.msp_audit(world.msp, first).await.unwrap();
    for (what, page, rows) in [
        ("audit, the first", first, 50),
        ("audit, the second", first.next(&newest[49]), 50),
        ("audit of a rare action", AuditPage::first(action, 50), 20),
        ("audit of an operator", AuditPage::first(actor, 50), 20),
        (
            "audit of an operator's action",
            AuditPage::first(both, 50),
            20,
        ),
        ("audit of the schedule", AuditPage::first(schedule, 50), 50),
        ("audit of some minutes", AuditPage::first(hour, 50), 50),
    ] {
        let read = async || store.msp_audit(world.msp, page).await;
        is_fast(what, rows, async || read().await.unwrap().len()).await;
    }
}

#[tokio::test]
async fn a_page_of_50_of_every_list_of_5_000_organizations_takes_less_than_20_ms() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pages.db");
    let store = SqliteStore::migrate(&path)
        .await
        .unwrap()
        .with_clock(StoreClock::of(clock()));
    let world = World::new(&store, 1).await;
    let credential = world.credential.id;
    let organizations: Vec<Mapping> = (1_000..6_000).map(|id| mapping(credential, id)).collect();
    let half = organizations[2_500].id;
    world.discover(organizations.clone()).await;
    of_organizations(&world, &store, &organizations).await;
    fill(&path).await;
    of_companies_and_assets(&world, &store, half).await;
    of_tickets(&world, &store, half).await;
    of_runs(&world, &store, &organizations).await;
    of_audit(&world, &store, half).await;
}
