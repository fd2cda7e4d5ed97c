//! The companies of an MSP's portal.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    id::{derive, opaque_id},
    name::fold_name,
    sensitive::Sensitive,
    tenant::{ComplianceOrgId, MspOrgId},
};

opaque_id! {
    /// A company of an MSP's portal.
    CompanyId
}

impl CompanyId {
    /// The company that the sync creates for this name. The id is derived from the name, so two runs that create the same company at the
    /// same time create only one.
    #[must_use]
    pub fn of_name(msp: MspOrgId, name: &str) -> Self {
        Self(derive(
            "company",
            &[msp.as_uuid().as_bytes(), fold_name(name).as_bytes()],
        ))
    }
}

/// A customer in the MSP's portal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortalCompany {
    /// Which company.
    pub id: CompanyId,
    /// Its name.
    pub name: Sensitive,
    /// The customer's own compliance organization, once it was promoted (`converted_to_organization_id`).
    pub converted_to: Option<ComplianceOrgId>,
    /// When it was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}
