//! The refresh token of a connection, sealed in the store, as the client reads and rotates it.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use ninjaone_client::{RefreshToken, TokenStore, TokenStoreError};
use secrecy::{ExposeSecret as _, SecretString};

use super::integration::RACES;
use crate::{
    error::{Error, ErrorKind, Result},
    host::Clock,
    model::{Credential, CredentialGuard, EventId, Field, MspOrgId, SealedSecrets},
    seal::Keyring,
    store::{CommitOutcome, SecretsCommit, Store},
};

/// The refresh token of one connection, under one generation: what was got for it is never written once it was disconnected or
/// authorized anew.
pub(crate) struct SealedRefreshToken {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) msp: MspOrgId,
    pub(crate) connection: CredentialGuard,
}

impl fmt::Debug for SealedRefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedRefreshToken")
            .field("msp", &self.msp)
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}

impl SealedRefreshToken {
    /// The connection's secrets and its refresh token, as they are now.
    async fn stored(&self) -> Result<(Credential, SealedSecrets, SecretString)> {
        let credential = self.connection.credential;
        let stored = self.store.credential(self.msp, credential).await?;
        let stored = stored.filter(|stored| stored.is_active && stored.guard() == self.connection);
        let gone = || {
            let message = "this NinjaOne region was disconnected or connected anew meanwhile; start over if it is connected";
            Error::new(ErrorKind::NotConnected, message)
        };
        let credential = stored.ok_or_else(gone)?;
        let secrets = credential.secrets.clone().ok_or_else(gone)?;
        let sealed = secrets.refresh_token.as_ref().ok_or_else(gone)?;
        let (region, field) = (&credential.region, Field::RefreshToken);
        let token = self.keyring.open(self.msp, region, field, sealed)?;
        Ok((credential, secrets, token))
    }

    /// Writes `next` in the place of `spent`, in one commit that finds both the connection and its secrets as they were read.
    async fn rotate(&self, spent: &RefreshToken, next: &RefreshToken) -> Result<()> {
        let event = EventId::new(self.clock.now());
        for _ in 0..RACES {
            let (credential, secrets, held) = self.stored().await?;
            if held.expose_secret() != spent.expose_secret() {
                // Either this was written before, and only the answer got lost, or another process rotated the token. In both
                // cases what is stored follows what is spent, and must not be replaced by what may be older.
                tracing::debug!(credential = %credential.id, "the refresh token was rotated already");
                return Ok(());
            }
            let token = SecretString::from(next.expose_secret());
            let (region, field) = (&credential.region, Field::RefreshToken);
            let sealed = self.keyring.seal(self.msp, region, field, &token)?;
            let commit = SecretsCommit {
                event,
                guard: self.connection,
                expected: credential.secrets_version,
                secrets: SealedSecrets {
                    refresh_token: Some(sealed),
                    ..secrets
                },
                audit: Vec::new(),
            };
            match self.store.commit_secrets(self.msp, commit).await? {
                CommitOutcome::Committed | CommitOutcome::AlreadyCommitted => return Ok(()),
                // A key rotation, another process, or a disconnect: what is stored says which.
                CommitOutcome::Superseded(_) => {}
            }
        }
        let message = "this connection's secrets were rewritten elsewhere again and again";
        Err(Error::new(ErrorKind::Superseded, message))
    }
}

#[async_trait]
impl TokenStore for SealedRefreshToken {
    async fn load(&self) -> std::result::Result<Option<RefreshToken>, TokenStoreError> {
        let (_, _, token) = self.stored().await.map_err(TokenStoreError::new)?;
        Ok(Some(RefreshToken::new(token.expose_secret())))
    }

    async fn store(
        &self,
        spent: Option<&RefreshToken>,
        next: &RefreshToken,
    ) -> std::result::Result<(), TokenStoreError> {
        let rotated = match spent {
            Some(spent) => self.rotate(spent, next).await,
            // The first token of a connection is written with the connection.
            None => Err(Error::new(
                ErrorKind::Internal,
                "a connection is authorized by `complete_authorization` alone",
            )),
        };
        rotated.map_err(TokenStoreError::new)
    }
}
