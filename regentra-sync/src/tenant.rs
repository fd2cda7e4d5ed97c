//! The two tenancies, as types without conversion into each other.
//!
//! A managed service provider ([`MspOrgId`]) owns the NinjaOne credential, the mappings, the companies of its portal, the
//! assets and the tickets. A customer promoted to compliance has an organization of its own ([`ComplianceOrgId`]) that owns
//! its signals, its evidence and its audit trail. A function that takes one of them does not compile with the other:
//!
//! ```compile_fail,E0308
//! use regentra_sync::{ComplianceOrgId, MspOrgId};
//!
//! fn credentials_of(_msp: MspOrgId) {}
//!
//! fn mistake(customer: ComplianceOrgId) {
//!     credentials_of(customer);
//! }
//! ```
//!
//! ```compile_fail,E0308
//! use regentra_sync::{ComplianceOrgId, MspOrgId};
//!
//! fn evidence_of(_customer: ComplianceOrgId) {}
//!
//! fn mistake(msp: MspOrgId) {
//!     evidence_of(msp);
//! }
//! ```
//!
//! ```compile_fail,E0277
//! use regentra_sync::{ComplianceOrgId, MspOrgId};
//!
//! fn mistake(msp: MspOrgId) -> ComplianceOrgId {
//!     msp.into()
//! }
//! ```

use crate::id::opaque_id;

opaque_id! {
    /// A managed service provider: the tenant that owns credentials, mappings, companies, assets and tickets.
    MspOrgId
}

opaque_id! {
    /// A customer's own compliance organization: the tenant that owns signals, evidence and their audit trail.
    ComplianceOrgId
}
