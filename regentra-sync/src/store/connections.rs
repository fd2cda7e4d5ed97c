//! Credentials: connect, rotate, disconnect.

use std::fmt::Debug;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::{commit::CommitOutcome, error::Result};
use crate::{
    model::{
        AuditRow, ConnectionSettings, Credential, CredentialGuard, CredentialId, EventId,
        Generation, MspOrgId, SealedSecrets, SettingsGuard, StateDigest, StoredAuthorization,
        StoredSettings, Version,
    },
    seal::KeyCheck,
};

/// The credentials of an MSP.
#[async_trait]
pub trait Connections: Debug + Send + Sync + 'static {
    /// All credentials of this MSP, connected or not, ordered by region.
    async fn credentials(&self, msp: MspOrgId) -> Result<Vec<Credential>>;

    /// One credential of this MSP; `None` also when it is another MSP's.
    async fn credential(
        &self,
        msp: MspOrgId,
        credential: CredentialId,
    ) -> Result<Option<Credential>>;

    /// Stores the check value of a host's identity key if the store has none, or if no credential of any MSP is active. Returns the stored
    /// value: as long as a credential is active, this is the first one that was offered. A store has one value for all MSPs.
    async fn keep_key_check(&self, offered: KeyCheck) -> Result<KeyCheck>;

    /// Writes a new credential, or replaces an existing one.
    ///
    /// Preconditions: the stored generation is `expected` (`None`: there is no row), else [`Precondition::Credential`]; unless
    /// `allow_duplicate`, no *other* active credential, of any MSP, has the same fingerprint, else [`Precondition::Fingerprint`].
    ///
    /// Writes: the credential; the audit rows on the MSP's trail. If the region was connected before, its settings stay as they are.
    ///
    /// [`Precondition::Credential`]: super::Precondition::Credential
    /// [`Precondition::Fingerprint`]: super::Precondition::Fingerprint
    async fn commit_connect(&self, msp: MspOrgId, commit: ConnectCommit) -> Result<CommitOutcome>;

    /// Rewrites the sealed columns of a connected credential: the refresh token was rotated, or the sealing key was.
    ///
    /// Preconditions: the credential is active and has the given generation, and its secrets have version `expected`, else
    /// [`Precondition::Credential`].
    ///
    /// Writes: the sealed columns, the secrets' version plus one, the audit rows on the MSP's trail.
    ///
    /// [`Precondition::Credential`]: super::Precondition::Credential
    async fn commit_secrets(&self, msp: MspOrgId, commit: SecretsCommit) -> Result<CommitOutcome>;

    /// The settings of one credential, connected or not; the defaults if none were written. `None` when this MSP has no such credential.
    async fn connection_settings(
        &self,
        msp: MspOrgId,
        credential: CredentialId,
    ) -> Result<Option<StoredSettings>>;

    /// Writes the settings of a connection.
    ///
    /// Preconditions: the credential exists, connected or not, and its settings have the given version, else [`Precondition::Settings`].
    ///
    /// Writes: the settings as a whole, including the parts that this release does not read; their version plus one; the audit rows on the
    /// MSP's trail.
    ///
    /// [`Precondition::Settings`]: super::Precondition::Settings
    async fn commit_settings(&self, msp: MspOrgId, commit: SettingsCommit)
    -> Result<CommitOutcome>;

    /// Disconnects a credential.
    ///
    /// Preconditions: the credential is active and has the given generation, else [`Precondition::Credential`].
    ///
    /// Writes, for exactly this credential:
    /// 1. the credential as [`disconnected`](super::effects::disconnected) says;
    /// 2. deletes every pending authorization that [`is_revoked`](super::effects::is_revoked);
    /// 3. the [`EndedMappings`](super::effects::EndedMappings) of all its mappings, whatever their state, with reason *disconnected*;
    ///    deletes the signature history of these mappings;
    /// 4. the audit row on the MSP's trail, and the [`customer_rows`](super::effects::customer_rows) on the customers' trails.
    ///
    /// [`Precondition::Credential`]: super::Precondition::Credential
    async fn commit_disconnect(
        &self,
        msp: MspOrgId,
        commit: DisconnectCommit,
    ) -> Result<CommitOutcome>;

    /// Stores a pending authorization; it replaces one with the same state. Deletes the expired authorizations of this MSP: those that
    /// expired by `now` or by the store's clock, whichever is later.
    ///
    /// Before it writes anything, refuses an authorization that was begun by a clock too far from the store's, with
    /// [`check_begun`](super::check_begun).
    async fn begin_authorization(
        &self,
        msp: MspOrgId,
        pending: StoredAuthorization,
        now: OffsetDateTime,
    ) -> Result<()>;

    /// Removes a pending authorization and returns it, unless it has expired by `now` or by the store's clock (at exactly `expires_at` it
    /// has expired). With both checks, a process whose clock is behind gains no time. Of two concurrent calls, one gets the authorization.
    /// Deletes the expired authorizations of this MSP.
    ///
    /// Refuses a `now` ahead of the store's clock with [`check_not_ahead`](super::check_not_ahead), and deletes nothing.
    async fn take_authorization(
        &self,
        msp: MspOrgId,
        state: &StateDigest,
        now: OffsetDateTime,
    ) -> Result<Option<StoredAuthorization>>;
}

/// Everything that connecting writes.
#[derive(Clone, Debug)]
pub struct ConnectCommit {
    /// The request.
    pub event: EventId,
    /// The whole new row.
    pub credential: Credential,
    /// The generation when the row was read; `None` if there was no row.
    pub expected: Option<Generation>,
    /// Whether the client id may also be connected elsewhere.
    pub allow_duplicate: bool,
    /// Rows for the MSP's trail.
    pub audit: Vec<AuditRow>,
}

/// Everything that rewriting the sealed columns writes.
#[derive(Clone, Debug)]
pub struct SecretsCommit {
    /// The request.
    pub event: EventId,
    /// The credential, which must still be connected.
    pub guard: CredentialGuard,
    /// The version of the secrets when they were read.
    pub expected: Version,
    /// The new columns.
    pub secrets: SealedSecrets,
    /// Rows for the MSP's trail.
    pub audit: Vec<AuditRow>,
}

/// Everything that changing the settings of a connection writes.
#[derive(Clone, Debug)]
pub struct SettingsCommit {
    /// The request.
    pub event: EventId,
    /// The settings as they were read.
    pub guard: SettingsGuard,
    /// The new settings, as a whole.
    pub settings: ConnectionSettings,
    /// Rows for the MSP's trail.
    pub audit: Vec<AuditRow>,
}

/// The input of a disconnect. [`Connections::commit_disconnect`] lists what it writes.
#[derive(Clone, Debug)]
pub struct DisconnectCommit {
    /// The request.
    pub event: EventId,
    /// The credential, which must still be connected.
    pub guard: CredentialGuard,
    /// When.
    pub at: OffsetDateTime,
    /// The row for the MSP's trail. The customers' rows are derived from it.
    pub audit: AuditRow,
}
