#![doc = include_str!("../README.md")]

mod api;
mod builder;
mod client;
#[cfg(test)]
mod client_tests;
mod clock;
mod diagnosis;
mod error;
mod field;
mod filter;
mod id;
mod limit;
mod meter;
pub mod models;
mod oauth;
mod object_only;
mod observer;
mod open_enum;
mod paging;
mod pasted;
mod region;
mod repair;
mod request;
mod response;
mod retry;
mod retry_after;
#[cfg(test)]
mod scripted;
mod timestamp;
mod transport;
mod tree;
mod unreadable;
mod vendor_error;

pub use api::{
    Names, OneOf, activities, alerts, backup, contacts, custom_fields, device, devices, endpoints,
    groups, jobs, locations, organizations, policies, queries, roles, software, tags, users,
    vulnerabilities,
};
pub use builder::ClientBuilder;
pub use client::Client;
pub use diagnosis::RegionDiagnosis;
pub use error::{Error, ErrorKind};
pub use filter::DeviceFilter;
pub use id::*;
pub use limit::{
    BudgetError, BudgetGrant, BudgetKey, BudgetUse, Lane, Limiter, RateLimit, SharedBudget,
};
pub use oauth::{
    Authorization, AuthorizationCode, Credentials, MemoryTokenStore, PendingAuthorization,
    RefreshToken, Scope, Scopes, TokenStore, TokenStoreError,
};
pub use observer::{ClientEvent, ClientObserver, PageSizeReason, WaitReason};
pub use paging::{Collected, Completeness, MalformedRow, Page, Pager, RepairedField};
pub use region::{BaseUrl, Region};
pub use request::{Endpoint, Paging, Request};
pub use retry::RetryPolicy;
pub use timestamp::Timestamp;
pub use transport::{Transport, TransportError, TransportErrorKind};
pub use unreadable::Unreadable;
