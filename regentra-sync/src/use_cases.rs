//! The use cases, which act on a host's store.

mod adopt;
mod anchor;
mod asset_sync;
mod authorize;
mod configure;
mod connect;
mod diagnose;
mod disconnect;
mod discover;
mod evidence_sweep;
mod integration;
mod map;
mod map_pending;
mod plan;
mod promote;
mod refresh_token;
mod rotate;
mod sweep_group;
mod test_connection;
mod tickets;

pub use self::{
    adopt::{AdoptFrameworks, Adopted},
    anchor::Anchored,
    asset_sync::{MappingSync, SyncAssets, SyncCompany, SyncOutcome},
    authorize::{
        AuthorizationLink, Authorized, BeginAuthorization, Callback, CompleteAuthorization,
        RequestedAccess,
    },
    configure::{Change, Configure, Configured},
    connect::{Connect, Connected},
    disconnect::{Disconnect, Disconnected},
    discover::{Discover, Discovery},
    evidence_sweep::{SkipReason, SweepOutcome, SweepReport},
    integration::{Integration, IntegrationBuilder},
    map::{Choice, MapOrganization, Mapped},
    map_pending::{
        Bulk, BulkStep, LeftReason, MapPending, MappedPending, PendingStep, Suggestion,
        SuggestionReason,
    },
    plan::{RequestSync, SweepNow},
    promote::Promote,
    test_connection::{TestConnection, TestSavedConnection},
};
