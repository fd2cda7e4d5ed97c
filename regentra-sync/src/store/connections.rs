//! Credentials: connect, rotate, disconnect.

use std::fmt::Debug;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::{commit::CommitOutcome, error::Result};
use crate::{
    model::{
        AuditRow, ConnectionSettings, Credential, CredentialGuard, CredentialId, EventId,
        Generation, MspOrgId, PendingAuthorization, SealedSecrets, SettingsGuard, StateDigest,
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

    /// Keeps the check value of a host's identity key where none is kept, or no credential of any MSP is active, and returns the one
    /// that is kept: while a credential is active, the first that was offered. There is one in a store, whatever the MSP.
    async fn keep_key_check(&self, offered: KeyCheck) -> Result<KeyCheck>;

    /// Writes a credential for the first time, or again.
    ///
    /// Guards: the stored generation is `expected` (`None`: there is no row), else [`Guard::Credential`]; unless
    /// `allow_duplicate`, no *other* active credential, of any MSP, has the same fingerprint, else [`Guard::Fingerprint`].
    ///
    /// Writes: the credential, the audit rows on the MSP's trail. The settings of a region that was connected before stay as they are.
    ///
    /// [`Guard::Credential`]: super::Guard::Credential
    /// [`Guard::Fingerprint`]: super::Guard::Fingerprint
    async fn commit_connect(&self, msp: MspOrgId, commit: ConnectCommit) -> Result<CommitOutcome>;

    /// Rewrites the sealed columns of a connected credential: a rotated refresh token, or another sealing key.
    ///
    /// Guards: the credential is active and of that generation, and its secrets are of version `expected`, else
    /// [`Guard::Credential`].
    ///
    /// Writes: the sealed columns, the secrets' version plus one, the audit rows on the MSP's trail.
    ///
    /// [`Guard::Credential`]: super::Guard::Credential
    async fn commit_secrets(&self, msp: MspOrgId, commit: SecretsCommit) -> Result<CommitOutcome>;

    /// The settings of one connection, connected or not; the default ones where nobody has decided. `None` when there is no such
    /// credential, also when it is another MSP's.
    async fn connection_settings(
        &self,
        msp: MspOrgId,
        credential: CredentialId,
    ) -> Result<Option<StoredSettings>>;

    /// Writes the settings of a connection.
    ///
    /// Guards: there is such a credential, connected or not, and its settings are of that version, else [`Guard::Settings`].
    ///
    /// Writes: the settings, whole, with what this release does not read of them; their version plus one; the audit rows on the
    /// MSP's trail.
    ///
    /// [`Guard::Settings`]: super::Guard::Settings
    async fn commit_settings(&self, msp: MspOrgId, commit: SettingsCommit)
    -> Result<CommitOutcome>;

    /// Disconnects a credential in one step.
    ///
    /// Guards: the credential is active and of that generation, else [`Guard::Credential`].
    ///
    /// Writes, for exactly this credential:
    /// 1. the credential as [`disconnected`](super::effects::disconnected) says;
    /// 2. no authorization under way that [`is_revoked`](super::effects::is_revoked);
    /// 3. the [`EndedMappings`](super::effects::EndedMappings) of all its mappings, whatever their state, with reason *disconnected*,
    ///    and their signature history deleted;
    /// 4. the audit row on the MSP's trail, and the [`customer_rows`](super::effects::customer_rows) on those of customers.
    ///
    /// [`Guard::Credential`]: super::Guard::Credential
    async fn commit_disconnect(
        &self,
        msp: MspOrgId,
        commit: DisconnectCommit,
    ) -> Result<CommitOutcome>;

    /// Remembers an authorization that was begun, replacing one of the same state, and forgets those of this MSP that are
    /// expired: at `now`, or by the store's clock, whichever is later.
    ///
    /// Refuses, before it writes anything, one that was begun by a clock that does not fit the store's:
    /// [`check_begun`](super::check_begun).
    async fn begin_authorization(
        &self,
        msp: MspOrgId,
        pending: PendingAuthorization,
        now: OffsetDateTime,
    ) -> Result<()>;

    /// Takes a pending authorization out: once, and only before it expires (at `expires_at` exactly it is expired), at `now` and by
    /// the store's clock: one that is behind gives nobody more time. Of two calls at once one gets it. Those of this MSP that are
    /// expired are forgotten.
    ///
    /// A `now` ahead of the store's clock is refused with [`check_not_ahead`](super::check_not_ahead), and nothing is forgotten.
    async fn take_authorization(
        &self,
        msp: MspOrgId,
        state: &StateDigest,
        now: OffsetDateTime,
    ) -> Result<Option<PendingAuthorization>>;
}

/// Everything that connecting writes.
#[derive(Clone, Debug)]
pub struct ConnectCommit {
    /// The request.
    pub event: EventId,
    /// The whole new row.
    pub credential: Credential,
    /// The generation that was read; `None` when there was no row.
    pub expected: Option<Generation>,
    /// Whether the client id may be connected elsewhere too.
    pub allow_duplicate: bool,
    /// Rows for the MSP's trail.
    pub audit: Vec<AuditRow>,
}

/// Everything that rewriting the sealed columns writes.
#[derive(Clone, Debug)]
pub struct SecretsCommit {
    /// The request.
    pub event: EventId,
    /// The credential has to be connected still.
    pub guard: CredentialGuard,
    /// The version of the secrets that was read.
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
    /// The new settings, whole.
    pub settings: ConnectionSettings,
    /// Rows for the MSP's trail.
    pub audit: Vec<AuditRow>,
}

/// Everything that disconnecting starts from; what it writes, [`Connections::commit_disconnect`] says.
#[derive(Clone, Debug)]
pub struct DisconnectCommit {
    /// The request.
    pub event: EventId,
    /// The credential has to be connected still.
    pub guard: CredentialGuard,
    /// When.
    pub at: OffsetDateTime,
    /// The row for the MSP's trail, from which the customers' are made.
    pub audit: AuditRow,
}
