use std::collections::{BTreeMap, BTreeSet};

use ninjaone_client::Lane;
use serde::Serialize;

use super::{
    integration::Integration,
    map::{Alone, Choice, Mapped},
};
use crate::{
    error::Result,
    host::DEVICE_CEILING,
    model::{
        Actor, Asset, AssetStatus, CompanyId, CredentialId, EventId, ListedDevice, Mapping,
        MappingId, MappingState, MspOrgId, PortalCompany, RegionKey, Sensitive, confusable_name,
        fold_name, is_readable,
    },
    ninjaone::DeviceListRequest,
    rules::serial_key,
    store::AssetFilter,
};

/// What to do with every organization that is pending review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Bulk {
    /// Each becomes a company of its own: one of its name that has no organization yet, else one is created.
    CreateNew,
    /// Those whose name is exactly one company's become that company's.
    ApplyExact,
    /// None of them is synced.
    DontSync,
}

/// What is to be done with one organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
#[non_exhaustive]
pub enum BulkStep {
    /// It is mapped to a company that exists.
    Map {
        /// Which company.
        company: CompanyId,
        /// Why this one.
        reason: SuggestionReason,
    },
    /// A company of its name is created, and it is mapped to that.
    Create,
    /// It is not synced.
    Ignore,
    /// It stays pending review.
    Leave {
        /// Why.
        left: LeftReason,
    },
}

/// One organization that is pending review, and what is to be done with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PendingStep {
    /// The organization.
    pub mapping: Mapping,
    /// What is to be done.
    #[serde(flatten)]
    pub step: BulkStep,
}

/// Why an organization stays pending review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LeftReason {
    /// It has no readable name.
    NoReadableName,
    /// Another organization that is pending review has the same name, as far as a person could tell them apart.
    SameNameAsAnother,
    /// The company of its name has an organization already.
    CompanyHasOrganization,
    /// Several companies have its name.
    SeveralCompanies,
    /// No company has exactly its name.
    NoExactCompany,
}

impl LeftReason {
    /// What it means, as part of a sentence.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::NoReadableName => "it has no readable name",
            Self::SameNameAsAnother => "another pending organization has the same name",
            Self::CompanyHasOrganization => "the company of its name has an organization already",
            Self::SeveralCompanies => "several companies have its name",
            Self::NoExactCompany => "no company has exactly its name",
        }
    }
}

/// What became of one organization.
#[derive(Debug)]
pub struct MappedPending {
    /// The organization, as it was.
    pub mapping: Mapping,
    /// What was done; `Ok(Err(_))` when it stays pending review.
    pub outcome: Result<std::result::Result<Mapped, LeftReason>>,
}

impl MappedPending {
    /// Whether it stays pending review, for whatever reason.
    #[must_use]
    pub const fn is_left(&self) -> bool {
        !matches!(self.outcome, Ok(Ok(_)))
    }
}

/// Why a company is suggested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum SuggestionReason {
    /// It is the only company of exactly this name, without regard to case, white space and invisible characters.
    ExactName,
    /// Most of the organization's devices are known under it by their serial numbers.
    Devices {
        /// How many.
        known: u64,
        /// Of how many that have a serial number.
        of: u64,
    },
}

/// A company that an organization may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// The organization.
    pub mapping: MappingId,
    /// The company.
    pub company: CompanyId,
    /// Why.
    #[serde(flatten)]
    pub reason: SuggestionReason,
}

/// A decision about every organization that is pending review.
#[derive(Clone, Debug)]
pub struct MapPending {
    /// The region; `None` for all of them.
    pub region: Option<RegionKey>,
    /// What is decided.
    pub bulk: Bulk,
    /// Who asks.
    pub actor: Actor,
    /// Names the request: sent twice, it is done once.
    pub event: EventId,
}

impl Integration {
    /// What [`map_pending`](Self::map_pending) would do with each organization that is pending review, of one region or of all.
    /// Changes nothing, and asks NinjaOne nothing.
    ///
    /// Two organizations whose names are equal, as far as a person could tell them apart, are never given one company; and
    /// neither is an organization given a company that has another one. They stay pending review, and so does one without a
    /// readable name.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    #[tracing::instrument(name = "regentra.preview_pending", skip_all, fields(%msp))]
    pub async fn preview_pending(
        &self,
        msp: MspOrgId,
        region: Option<&RegionKey>,
        bulk: Bulk,
    ) -> Result<Vec<PendingStep>> {
        let store = &self.inner.store;
        let companies = store.companies(msp).await?;
        let mut everywhere = Vec::new();
        for credential in store.credentials(msp).await? {
            let wanted = region.is_none_or(|region| *region == credential.region);
            let mappings = store.mappings(msp, credential.id).await?;
            everywhere.extend(mappings.into_iter().map(|mapping| (wanted, mapping)));
        }
        Ok(plan(&everywhere, &companies, bulk))
    }

    /// Decides about every organization that is pending review, of one region or of all, as
    /// [`preview_pending`](Self::preview_pending) says. One that fails does not stop the rest.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store) when they cannot be listed; what becomes of each is in the answer.
    #[tracing::instrument(name = "regentra.map_pending", skip_all, fields(%msp))]
    pub async fn map_pending(
        &self,
        msp: MspOrgId,
        request: MapPending,
    ) -> Result<Vec<MappedPending>> {
        let MapPending {
            region,
            bulk,
            actor,
            event,
        } = request;
        let mut mapped = Vec::new();
        for PendingStep { mapping, step } in
            self.preview_pending(msp, region.as_ref(), bulk).await?
        {
            let choice = match step {
                BulkStep::Map { company, .. } if bulk == Bulk::ApplyExact => {
                    Ok(Choice::UseExisting(company))
                }
                // Looked up again when it is done: a person may map another organization to the company meanwhile.
                BulkStep::Map { .. } | BulkStep::Create => Ok(Choice::CreateNew),
                BulkStep::Ignore => Ok(Choice::DontSync),
                BulkStep::Leave { left } => Err(left),
            };
            let outcome = match choice {
                Err(left) => Ok(Err(left)),
                Ok(choice) => {
                    let of_this = event.for_mapping(mapping.id);
                    let decided = self.decide(msp, mapping.id, choice, Alone::No, actor, of_this);
                    Box::pin(decided).await.map(Ok)
                }
            };
            mapped.push(MappedPending { mapping, outcome });
        }
        Ok(mapped)
    }

    /// Which company each organization of a region that is pending review may be, with the reason: the only one of exactly its
    /// name; else the one under which most of its devices are known by their serial numbers. For the latter the devices of each
    /// organization without the former are asked for: one list each.
    ///
    /// # Errors
    /// [`ErrorKind::NotConnected`](crate::error::ErrorKind::NotConnected), [`ErrorKind::Sealing`](crate::error::ErrorKind::Sealing),
    /// [`ErrorKind::Ninjaone`](crate::error::ErrorKind::Ninjaone), [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    #[tracing::instrument(name = "regentra.suggestions", skip_all, fields(%msp, %region))]
    pub async fn suggestions(&self, msp: MspOrgId, region: &RegionKey) -> Result<Vec<Suggestion>> {
        let store = &self.inner.store;
        let credential = self.connected(msp, CredentialId::of(msp, region)).await?;
        let mappings = store.mappings(msp, credential.id).await?;
        let pending: Vec<_> = mappings
            .into_iter()
            .filter(|mapping| {
                mapping.state == MappingState::PendingReview && mapping.missing_since.is_none()
            })
            .collect();
        let known = if pending.iter().all(|mapping| mapping.suggestion.is_some()) {
            KnownSerials::default()
        } else {
            KnownSerials::of(&store.assets(msp, AssetFilter::All).await?)
        };
        let mut suggestions = Vec::new();
        for mapping in pending {
            let found = if let Some(company) = mapping.suggestion {
                Some((company, SuggestionReason::ExactName))
            } else if known.0.is_empty() {
                None
            } else {
                let access = self.open(msp, &credential, Lane::Interactive).await?;
                let request = DeviceListRequest {
                    organization: mapping.external_org_id,
                    ceiling: DEVICE_CEILING,
                    // Companies are distinguished by serial numbers alone.
                    entra_device_id_field: None,
                };
                let listed = self.inner.ninjaone.devices(&access, request);
                known.company_of(&listed.await?.devices)
            };
            suggestions.extend(found.map(|(company, reason)| Suggestion {
                mapping: mapping.id,
                company,
                reason,
            }));
        }
        Ok(suggestions)
    }
}

/// What is to be done with those that are wanted; the others are looked at as well, for equal names are equal in any region.
fn plan(mappings: &[(bool, Mapping)], companies: &[PortalCompany], bulk: Bulk) -> Vec<PendingStep> {
    let mut by_name: BTreeMap<String, Vec<CompanyId>> = BTreeMap::new();
    for company in companies {
        let name = fold_name(company.name.as_str());
        by_name.entry(name).or_default().push(company.id);
    }
    let taken: BTreeSet<_> = mappings
        .iter()
        .filter_map(|(_, mapping)| mapping.state.company())
        .collect();
    let is_pending = |mapping: &Mapping| mapping.state == MappingState::PendingReview;
    let mut namesakes: BTreeMap<String, u64> = BTreeMap::new();
    for (_, mapping) in mappings.iter().filter(|(_, mapping)| is_pending(mapping)) {
        let name = confusable_name(mapping.name.as_str());
        *namesakes.entry(name).or_default() += 1;
    }
    let step = |mapping: &Mapping| {
        if bulk == Bulk::DontSync {
            return BulkStep::Ignore;
        }
        let name = mapping.name.as_str();
        if !is_readable(name) {
            let left = LeftReason::NoReadableName;
            return BulkStep::Leave { left };
        }
        let namesakes = namesakes.get(&confusable_name(name)).copied();
        let same = by_name.get(&fold_name(name)).map(Vec::as_slice);
        let left = match same {
            _ if namesakes > Some(1) => LeftReason::SameNameAsAnother,
            None | Some([]) if bulk == Bulk::CreateNew => return BulkStep::Create,
            None | Some([]) => LeftReason::NoExactCompany,
            Some([company]) if taken.contains(company) => LeftReason::CompanyHasOrganization,
            Some([company]) => {
                return BulkStep::Map {
                    company: *company,
                    reason: SuggestionReason::ExactName,
                };
            }
            Some(_) => LeftReason::SeveralCompanies,
        };
        BulkStep::Leave { left }
    };
    mappings
        .iter()
        .filter(|(wanted, mapping)| *wanted && is_pending(mapping))
        .map(|(_, mapping)| PendingStep {
            step: step(mapping),
            mapping: mapping.clone(),
        })
        .collect()
}

/// The company of each serial number that is known under exactly one.
#[derive(Debug, Default)]
struct KnownSerials(BTreeMap<String, Option<CompanyId>>);

impl KnownSerials {
    fn of(assets: &[Asset]) -> Self {
        let mut known = BTreeMap::new();
        for asset in assets {
            let serial = serial_of(asset.content.serial_number.as_ref());
            if asset.status == AssetStatus::Retired {
                continue;
            }
            if let Some(serial) = serial {
                known
                    .entry(serial)
                    .and_modify(|company: &mut Option<CompanyId>| {
                        if *company != Some(asset.company) {
                            *company = None;
                        }
                    })
                    .or_insert(Some(asset.company));
            }
        }
        Self(known)
    }

    /// The company under which more than half of the devices are known. A serial number that two devices share is none.
    fn company_of(&self, devices: &[ListedDevice]) -> Option<(CompanyId, SuggestionReason)> {
        let mut serials: BTreeMap<String, u64> = BTreeMap::new();
        for device in devices {
            if let Some(serial) = serial_of(device.content.serial_number.as_ref()) {
                *serials.entry(serial).or_default() += 1;
            }
        }
        serials.retain(|_, devices| *devices == 1);
        let of = serials.len() as u64;
        let mut companies: BTreeMap<CompanyId, u64> = BTreeMap::new();
        for serial in serials.keys() {
            if let Some(Some(company)) = self.0.get(serial) {
                *companies.entry(*company).or_default() += 1;
            }
        }
        let (company, known) = companies.into_iter().find(|(_, known)| known * 2 > of)?;
        Some((company, SuggestionReason::Devices { known, of }))
    }
}

fn serial_of(serial: Option<&Sensitive>) -> Option<String> {
    serial_key(serial?.as_str())
}
