#![doc = include_str!("../README.md")]

pub use {ninjaone_client, regentra_evidence};

pub mod anchor;
pub mod assessment;
pub mod asset;
pub mod assets;
pub mod audit;
pub mod authorization;
pub mod budget;
pub mod clock;
pub mod collect;
pub mod company;
pub mod conformance;
pub mod credential;
pub mod custom_fields;
pub mod diagnosis;
pub mod error;
pub mod event;
pub mod evidence_chain;
pub mod facts;
mod hex;
pub mod id;
pub mod integration;
pub mod live;
pub mod mapping;
pub mod memory;
pub mod ninjaone;
pub mod policy;
pub mod private;
pub mod progress;
mod refresh_token;
pub mod region;
pub mod run;
pub mod schedule;
pub mod scheduler;
pub mod seal;
pub mod signature_history;
pub mod store;
pub mod tenant;
pub mod ticket;
pub mod ticket_plan;

pub use self::{
    asset::AssetId,
    audit::AuditId,
    company::CompanyId,
    credential::{CredentialId, Generation},
    error::{Error, ErrorKind},
    id::EventId,
    integration::{Integration, IntegrationBuilder},
    mapping::MappingId,
    memory::MemoryStore,
    policy::Policy,
    region::RegionKey,
    run::WorkerId,
    scheduler::Scheduler,
    tenant::{ComplianceOrgId, MspOrgId},
};
