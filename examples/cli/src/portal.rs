//! The MSP's organizations and companies as the store has them, and finding one by what a person types.

use anyhow::bail;
use regentra_sync::model::{
    CompanyId, Mapping, MappingId, PortalCompany, RegionKey, fold_name, is_same_name,
};

use crate::{format::count, host::Reading, shown::Shown};

/// Beginnings of ids that are shorter are taken for names only.
const SHORTEST_ID: usize = 4;

/// Everything that is mapped, or may be.
#[derive(Debug)]
pub struct Portal {
    /// The organizations of every region, whatever was decided, by region and id.
    pub organizations: Vec<(RegionKey, Mapping)>,
    /// Rows of the last lists of organizations that do not say which organization they are.
    pub lost_organizations: u64,
    /// The companies, by name.
    pub companies: Vec<PortalCompany>,
}

impl Portal {
    /// Reads it.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn read(host: &Reading) -> anyhow::Result<Self> {
        let (mut organizations, mut lost_organizations) = (Vec::new(), 0);
        for connection in host.views.connections(host.msp).await? {
            lost_organizations += connection.lost_organizations;
            let mappings = host.views.mappings(host.msp, connection.credential);
            for mapping in mappings.await? {
                organizations.push((connection.region.clone(), mapping));
            }
        }
        let mut companies = host.views.companies(host.msp).await?;
        companies.sort_by_cached_key(|company| (fold_name(company.name.as_str()), company.id));
        Ok(Self {
            organizations,
            lost_organizations,
            companies,
        })
    }

    /// The company of this id, beginning of an id (at least four digits), or name.
    ///
    /// # Errors
    /// When there is none, or several.
    pub fn company(&self, wanted: &str) -> anyhow::Result<&PortalCompany> {
        let named: Vec<_> = self
            .companies
            .iter()
            .filter(|company| is_same_name(company.name.as_str(), wanted))
            .collect();
        let found = if named.is_empty() && wanted.len() >= SHORTEST_ID {
            let begins = wanted.to_ascii_lowercase();
            let of_id = |company: &&PortalCompany| company.id.to_string().starts_with(&begins);
            self.companies.iter().filter(of_id).collect()
        } else {
            named
        };
        match found.as_slice() {
            [company] => Ok(company),
            [] => bail!(
                "there is no company `{}`: `regentra companies` lists them",
                Shown::bounded(wanted)
            ),
            _ => bail!(
                "several companies are called `{}`: use the id, `regentra companies` shows it",
                Shown::bounded(wanted)
            ),
        }
    }

    /// The organization of this NinjaOne id, or name.
    ///
    /// # Errors
    /// When there is none, or several.
    pub fn organization(
        &self,
        wanted: &str,
        region: Option<&RegionKey>,
    ) -> anyhow::Result<&Mapping> {
        let here = || {
            let of_region = move |of: &RegionKey| region.is_none_or(|region| region == of);
            self.organizations
                .iter()
                .filter(move |(of, _)| of_region(of))
                .map(|(_, mapping)| mapping)
        };
        let of_id: Vec<_> = here()
            .filter(|mapping| mapping.external_org_id.to_string() == wanted)
            .collect();
        let found = if of_id.is_empty() {
            here()
                .filter(|mapping| is_same_name(mapping.name.as_str(), wanted))
                .collect()
        } else {
            of_id
        };
        match found.as_slice() {
            [mapping] => Ok(mapping),
            [] if self.lost_organizations > 0 => bail!(
                "no organization `{}` is known, and {} of NinjaOne's list could not be read: `regentra organizations` lists it again",
                Shown::bounded(wanted),
                count(self.lost_organizations, "row", "rows")
            ),
            [] => bail!(
                "there is no organization `{}`: `regentra organizations` lists them",
                Shown::bounded(wanted)
            ),
            _ => bail!(
                "several organizations are `{}`: use the id from `regentra organizations`, and --region if that is not enough",
                Shown::bounded(wanted)
            ),
        }
    }

    /// The organization behind a mapping.
    #[must_use]
    pub fn mapping(&self, id: MappingId) -> Option<&Mapping> {
        self.organizations
            .iter()
            .map(|(_, mapping)| mapping)
            .find(|mapping| mapping.id == id)
    }

    /// What an organization is called: its name, and its id in NinjaOne.
    #[must_use]
    pub fn organization_label(&self, id: MappingId) -> Shown {
        self.mapping(id)
            .map_or_else(|| Shown::text("an organization that is gone"), label)
    }

    /// What a company is called.
    #[must_use]
    pub fn company_name(&self, id: CompanyId) -> Shown {
        let company = self.companies.iter().find(|company| company.id == id);
        company.map_or_else(
            || Shown::text("a company that is gone"),
            |company| Shown::name(&company.name),
        )
    }

    /// What a company is called, for a program.
    #[must_use]
    pub fn company_text(&self, id: CompanyId) -> &str {
        self.companies
            .iter()
            .find(|company| company.id == id)
            .map_or("a company that is gone", |company| company.name.as_str())
    }

    /// The organizations that are mapped to a company.
    pub fn mapped_to(&self, company: CompanyId) -> impl Iterator<Item = &Mapping> {
        self.organizations
            .iter()
            .map(|(_, mapping)| mapping)
            .filter(move |mapping| mapping.state.company() == Some(company))
    }

    /// Whether organizations of more than one region are known, so that a region has to be shown.
    #[must_use]
    pub fn has_several_regions(&self) -> bool {
        let mut regions = self.organizations.iter().map(|(region, _)| region);
        let first = regions.next();
        regions.any(|region| Some(region) != first)
    }
}

/// What an organization is called: its name, and its id in NinjaOne.
#[must_use]
pub fn label(mapping: &Mapping) -> Shown {
    let (name, id) = (Shown::name(&mapping.name), mapping.external_org_id);
    Shown::text(format_args!("{name} ({id})"))
}
