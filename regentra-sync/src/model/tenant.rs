//! The two tenancies, as types without conversion into each other.
//!
//! A managed service provider ([`MspOrgId`]) owns the NinjaOne credential, the mappings, the companies of its portal, the assets and the
//! tickets. A customer promoted to compliance has a separate organization ([`ComplianceOrgId`]) that owns its signals, its evidence and its
//! audit trail. A function that takes one kind of id does not compile with the other:
//!
//! ```compile_fail,E0308
//! use regentra_sync::model::{ComplianceOrgId, MspOrgId};
//!
//! fn credentials_of(_msp: MspOrgId) {}
//!
//! fn mistake(customer: ComplianceOrgId) {
//!     credentials_of(customer);
//! }
//! ```
//!
//! ```compile_fail,E0308
//! use regentra_sync::model::{ComplianceOrgId, MspOrgId};
//!
//! fn evidence_of(_customer: ComplianceOrgId) {}
//!
//! fn mistake(msp: MspOrgId) {
//!     evidence_of(msp);
//! }
//! ```
//!
//! ```compile_fail,E0277
//! use regentra_sync::model::{ComplianceOrgId, MspOrgId};
//!
//! fn mistake(msp: MspOrgId) -> ComplianceOrgId {
//!     msp.into()
//! }
//! ```
//!
//! The store traits do the same. Each takes the tenant that owns its rows; a sweep's commit, which writes on both sides, takes one of each.
//!
//! ```compile_fail,E0308
//! # use regentra_sync::{model::ComplianceOrgId, store::Store};
//! async fn mistake(store: &dyn Store, customer: ComplianceOrgId) {
//!     let _ = store.credentials(customer).await;
//! }
//! ```
//!
//! ```compile_fail,E0308
//! # use regentra_sync::{model::ComplianceOrgId, store::Store};
//! async fn mistake(store: &dyn Store, customer: ComplianceOrgId) {
//!     let _ = store.companies(customer).await;
//! }
//! ```
//!
//! ```compile_fail,E0308
//! # use regentra_sync::{model::ComplianceOrgId, store::Store};
//! async fn mistake(store: &dyn Store, customer: ComplianceOrgId) {
//!     let _ = store.assets(customer, regentra_sync::store::AssetFilter::All).await;
//! }
//! ```
//!
//! ```compile_fail,E0308
//! # use regentra_sync::{model::ComplianceOrgId, store::Store};
//! async fn mistake(store: &dyn Store, customer: ComplianceOrgId) {
//!     let _ = store.tickets(customer, None).await;
//! }
//! ```
//!
//! ```compile_fail,E0308
//! # use regentra_sync::{model::ComplianceOrgId, store::Store};
//! async fn mistake(store: &dyn Store, customer: ComplianceOrgId) {
//!     let _ = store.runs(customer).await;
//! }
//! ```
//!
//! ```compile_fail,E0308
//! # use regentra_sync::{model::ComplianceOrgId, store::Store};
//! async fn mistake(store: &dyn Store, customer: ComplianceOrgId) {
//!     let _ = store.msp_audit(customer, regentra_sync::store::AuditPage::newest(1)).await;
//! }
//! ```
//!
//! ```compile_fail,E0308
//! # use regentra_sync::{model::MspOrgId, store::Store};
//! async fn mistake(store: &dyn Store, msp: MspOrgId) {
//!     let _ = store.customer_audit(msp, regentra_sync::store::AuditPage::newest(1)).await;
//! }
//! ```
//!
//! ```compile_fail,E0308
//! # use regentra_sync::{model::MspOrgId, store::Store};
//! async fn mistake(store: &dyn Store, msp: MspOrgId) {
//!     let _ = store.current_signals(msp, time::OffsetDateTime::UNIX_EPOCH).await;
//! }
//! ```
//!
//! ```compile_fail,E0308
//! # use regentra_sync::{model::{ComplianceOrgId, MspOrgId}, store::{Store, SweepCommit}};
//! async fn mistake(store: &dyn Store, msp: MspOrgId, customer: ComplianceOrgId, commit: SweepCommit) {
//!     let _ = store.commit_sweep(customer, msp, commit).await;
//! }
//! ```
//!
//! The same calls compile with the right tenant:
//!
//! ```
//! # use regentra_sync::{model::{ComplianceOrgId, MspOrgId}, store::{AssetFilter, AuditPage, Store, SweepCommit}};
//! async fn calls(store: &dyn Store, msp: MspOrgId, customer: ComplianceOrgId, commit: SweepCommit) {
//!     let _ = store.credentials(msp).await;
//!     let _ = store.companies(msp).await;
//!     let _ = store.assets(msp, AssetFilter::All).await;
//!     let _ = store.tickets(msp, None).await;
//!     let _ = store.runs(msp).await;
//!     let _ = store.msp_audit(msp, AuditPage::newest(1)).await;
//!     let _ = store.customer_audit(customer, AuditPage::newest(1)).await;
//!     let _ = store.current_signals(customer, time::OffsetDateTime::UNIX_EPOCH).await;
//!     let _ = store.commit_sweep(msp, customer, commit).await;
//! }
//! ```

use super::id::opaque_id;

opaque_id! {
    /// A managed service provider: the tenant that owns credentials, mappings, companies, assets and tickets.
    MspOrgId
}

opaque_id! {
    /// A customer's own compliance organization: the tenant that owns signals, evidence and their audit trail.
    ComplianceOrgId
}
