use std::collections::BTreeMap;

use ninjaone_client::Lane;
use time::OffsetDateTime;

use super::integration::{Integration, RACES, busy, superseded};
use crate::{
    error::Result,
    host::ORGANIZATION_CEILING,
    model::{
        Actor, AuditDetails, AuditRow, CompanyId, Credential, CredentialGuard, CredentialId,
        EventId, LeaseKey, ListedOrganization, Mapping, MappingId, MappingState, MspOrgId,
        OrganizationList, PortalCompany, RegionKey, RunKind, RunOutcome, RunRecord, RunSubject,
        TenantView, Version, fold_name, is_readable, present,
    },
    store::{CommitOutcome, DiscoveryCommit, SeenOrganization},
};

/// What a discovery saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    /// Organizations in the answer, those without a readable name included.
    pub listed: u64,
    /// Of these, how many have no readable name.
    pub nameless: u64,
    /// Rows that do not say which organization they are. Each is an organization that is not listed above.
    pub unreadable_rows: u64,
    /// New ones.
    pub added: u64,
    /// Renamed ones; their mapping is as it was.
    pub renamed: u64,
    /// No longer listed; flagged, not deleted.
    pub missing: u64,
    /// Listed again.
    pub returned: u64,
    /// The list was cut at the ceiling of 5,000.
    pub truncated: bool,
}

/// Which organizations to list.
#[derive(Clone, Debug)]
pub struct Discover {
    /// The region.
    pub region: RegionKey,
    /// Who asks.
    pub actor: Actor,
    /// Names the request: sent twice, it is done once.
    pub event: EventId,
}

impl Integration {
    /// Lists a region's organizations: adds new ones as pending review, with a suggestion where exactly one company has that
    /// name. Nothing that was decided changes, and nobody is asked again about an ignored one. A second discovery of the same
    /// organizations writes nothing.
    ///
    /// An organization without a readable name is added too, and keeps the name it had. Only a complete list of a connection
    /// that sees the whole tenant says that an organization is gone.
    ///
    /// # Errors
    /// [`ErrorKind::NotConnected`](crate::error::ErrorKind::NotConnected), [`ErrorKind::Busy`](crate::error::ErrorKind::Busy),
    /// [`ErrorKind::Sealing`](crate::error::ErrorKind::Sealing), [`ErrorKind::Ninjaone`](crate::error::ErrorKind::Ninjaone),
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    #[tracing::instrument(name = "regentra.discover", skip_all, fields(%msp, region = %request.region))]
    pub async fn discover(&self, msp: MspOrgId, request: Discover) -> Result<Discovery> {
        let Discover {
            region,
            actor,
            event,
        } = request;
        let credential = self.connected(msp, CredentialId::of(msp, &region)).await?;
        let access = self.open(msp, &credential, Lane::Interactive).await?;
        let held = self.lease(msp, LeaseKey::Discovery(credential.id)).await?;
        let held =
            held.ok_or_else(|| busy("the organizations are being listed already; wait for it"))?;
        let started_at = self.now();
        let listing = self
            .inner
            .ninjaone
            .organizations(&access, ORGANIZATION_CEILING);
        let listed = self.with_lease(msp, &held, listing).await;
        let (outcome, requests) = match &listed {
            Ok(list) if list.is_complete() => (RunOutcome::Succeeded, list.requests),
            Ok(list) => (RunOutcome::PARTIAL, list.requests),
            Err(error) => (RunOutcome::failed(error.kind()), 0),
        };
        let discovery = match listed.map(OrganizationList::strip_nul) {
            Ok(list) => {
                self.apply_listing(msp, &credential, &list, actor, event)
                    .await
            }
            Err(error) => Err(error),
        };
        let subject = RunSubject::of_connection(RunKind::Discovery, credential.id);
        let record = RunRecord {
            subject,
            started_at,
            finished_at: self.now(),
            outcome,
            requests,
            reading: None,
        };
        self.release(msp, held, vec![record]).await?;
        discovery
    }

    /// Writes what a list of organizations changes.
    pub(super) async fn apply_listing(
        &self,
        msp: MspOrgId,
        credential: &Credential,
        list: &OrganizationList,
        actor: Actor,
        mut event: EventId,
    ) -> Result<Discovery> {
        let guard = credential.guard();
        let unreadable = list.malformed_rows;
        let lost_organizations =
            (unreadable != credential.lost_organizations).then_some(unreadable);
        for _ in 0..RACES {
            let known = self.inner.store.mappings(msp, guard.credential).await?;
            let companies = self.inner.store.companies(msp).await?;
            let now = self.now();
            let changes = changes(credential, list, &known, &companies, now);
            let discovery = changes.discovery;
            if changes.added.is_empty() && changes.seen.is_empty() && lost_organizations.is_none() {
                return Ok(discovery);
            }
            let commit = DiscoveryCommit {
                lost_organizations,
                ..changes.into_commit(guard, event, actor, now)
            };
            match self.inner.store.commit_discovery(msp, commit).await? {
                CommitOutcome::Committed => return Ok(discovery),
                // The event was delivered before, and the list has changed since.
                CommitOutcome::AlreadyCommitted => event = event.again(),
                CommitOutcome::Superseded(_) => {
                    // Disconnected, or reconnected with other credentials that may see other organizations.
                    self.connected(msp, guard.credential).await?;
                    break;
                }
            }
        }
        Err(superseded())
    }
}

struct Changes {
    discovery: Discovery,
    added: Vec<Mapping>,
    seen: Vec<SeenOrganization>,
}

impl Changes {
    fn into_commit(
        self,
        guard: CredentialGuard,
        event: EventId,
        actor: Actor,
        now: OffsetDateTime,
    ) -> DiscoveryCommit {
        let Discovery {
            listed,
            nameless,
            unreadable_rows,
            added,
            renamed,
            missing,
            returned,
            truncated,
        } = self.discovery;
        let credential = guard.credential;
        let details = AuditDetails::Discovered {
            credential,
            listed,
            nameless,
            unreadable_rows,
            added,
            renamed,
            missing,
            returned,
            truncated,
        };
        DiscoveryCommit {
            event,
            guard,
            added: self.added,
            seen: self.seen,
            lost_organizations: None,
            audit: vec![AuditRow::new(event, now, actor, details)],
        }
    }
}

fn changes(
    credential: &Credential,
    list: &OrganizationList,
    known: &[Mapping],
    companies: &[PortalCompany],
    now: OffsetDateTime,
) -> Changes {
    let mut by_name: BTreeMap<String, Vec<CompanyId>> = BTreeMap::new();
    for company in companies {
        by_name
            .entry(fold_name(company.name.as_str()))
            .or_default()
            .push(company.id);
    }
    let suggestion = |name: &str| match by_name.get(&fold_name(name)).map(Vec::as_slice) {
        Some([company]) if is_readable(name) => Some(*company),
        _ => None,
    };
    let is_nameless = |listed: &&ListedOrganization| !is_readable(listed.name.as_str());
    let mut discovery = Discovery {
        nameless: list.organizations.iter().filter(is_nameless).count() as u64,
        unreadable_rows: list.malformed_rows,
        truncated: list.truncated,
        ..Discovery::default()
    };
    let (mut added, mut seen) = (Vec::new(), Vec::new());
    let listed: BTreeMap<_, _> = list
        .organizations
        .iter()
        .map(|listed| (listed.id, listed))
        .collect();
    discovery.listed = listed.len() as u64;
    let by_id: BTreeMap<_, _> = known
        .iter()
        .map(|mapping| (mapping.external_org_id, mapping))
        .collect();

    for organization in listed.values() {
        if by_id.contains_key(&organization.id) {
            continue;
        }
        discovery.added += 1;
        added.push(Mapping {
            id: MappingId::of(credential.id, organization.id),
            credential: credential.id,
            external_org_id: organization.id,
            name: organization.name.clone(),
            state: MappingState::PendingReview,
            suggestion: suggestion(organization.name.as_str()),
            version: Version::FIRST,
            discovered_at: now,
            missing_since: None,
            first_evidence_synced_at: None,
        });
    }
    for mapping in known {
        let listed = listed.get(&mapping.external_org_id);
        // A name that cannot be read now is no new name.
        let name = listed
            .map(|listed| &listed.name)
            .filter(|name| is_readable(name.as_str()))
            .unwrap_or(&mapping.name);
        // A clock that ran ahead does not say since when.
        let known_since = mapping.missing_since.map(|since| present(since, now));
        let missing_since = match listed {
            Some(_) => None,
            // Only a complete list of the whole tenant says that an organization is gone.
            None if list.is_complete() && credential.view != TenantView::Part => {
                known_since.or(Some(now))
            }
            None => known_since,
        };
        let is_pending = mapping.state == MappingState::PendingReview;
        let suggestion = if is_pending {
            suggestion(name.as_str())
        } else {
            mapping.suggestion
        };
        if *name == mapping.name
            && missing_since == mapping.missing_since
            && suggestion == mapping.suggestion
        {
            continue;
        }
        discovery.renamed += u64::from(*name != mapping.name);
        discovery.missing += u64::from(missing_since.is_some() && mapping.missing_since.is_none());
        discovery.returned += u64::from(missing_since.is_none() && mapping.missing_since.is_some());
        seen.push(SeenOrganization {
            mapping: mapping.id,
            name: name.clone(),
            suggestion,
            missing_since,
        });
    }
    Changes {
        discovery,
        added,
        seen,
    }
}
