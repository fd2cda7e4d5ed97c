//! Rotation of refresh tokens: an access token is used only after the refresh token that came with it is stored.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{RefreshToken, TokenAnswer, TokenStore};
use crate::{Error, ErrorKind};

/// A token response whose refresh token has not been stored yet.
///
/// The access token of such a response is not used: if the process then ended, the only valid refresh token would be lost. The response is
/// kept if the store fails or the future is dropped.
#[derive(Default)]
pub(crate) struct Rotation(Mutex<Option<Unstored>>);

struct Unstored {
    spent: Option<RefreshToken>,
    next: RefreshToken,
    answer: TokenAnswer,
}

impl Rotation {
    /// Accepts a token response. `spent` is the refresh token that was used to request it.
    pub(crate) fn accept(
        &self,
        spent: Option<RefreshToken>,
        mut answer: TokenAnswer,
    ) -> Option<TokenAnswer> {
        let next = answer
            .refresh_token
            .take()
            .map(|token| RefreshToken::new(secrecy::ExposeSecret::expose_secret(&token)));
        match next {
            Some(next) if !spent.as_ref().is_some_and(|spent| spent.is(&next)) => {
                *self.lock() = Some(Unstored {
                    spent,
                    next,
                    answer,
                });
                None
            }
            // Not rotated: nothing to store.
            _ => Some(answer),
        }
    }

    /// Stores the refresh token of the kept response, and then returns the response.
    pub(crate) async fn settle(
        &self,
        store: &Arc<dyn TokenStore>,
    ) -> Result<Option<TokenAnswer>, Error> {
        let Some((spent, next)) = self
            .lock()
            .as_ref()
            .map(|unstored| (unstored.spent.clone(), unstored.next.clone()))
        else {
            return Ok(None);
        };
        store.store(spent.as_ref(), &next).await.map_err(|error| {
            Error::new(
                ErrorKind::TokenStore,
                "the new refresh token could not be stored: it is kept in memory and stored at the next request",
            )
            .of("oauth.token")
            .caused_by(error)
        })?;
        Ok(self.lock().take().map(|unstored| unstored.answer))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Unstored>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
