#![doc = include_str!("../README.md")]

pub use {ninjaone_client, regentra_evidence};

pub mod assessment;
pub mod asset;
pub mod audit;
pub mod authorization;
pub mod budget;
pub mod clock;
pub mod collect;
pub mod company;
pub mod conformance;
pub mod credential;
pub mod event;
pub mod evidence_chain;
pub mod facts;
mod hex;
pub mod id;
pub mod mapping;
pub mod memory;
pub mod private;
pub mod region;
pub mod run;
pub mod seal;
pub mod signature_history;
pub mod store;
pub mod tenant;
pub mod ticket;

pub use self::{
    asset::AssetId,
    audit::AuditId,
    company::CompanyId,
    credential::{CredentialId, Generation},
    id::EventId,
    mapping::MappingId,
    memory::MemoryStore,
    run::WorkerId,
    tenant::{ComplianceOrgId, MspOrgId},
};
