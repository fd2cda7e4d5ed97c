//! Distinguishes a wrong region from a wrong client. NinjaOne sends the same response for both.

use std::sync::Arc;

use crate::{
    BaseUrl, Client, Error, ErrorKind, RetryPolicy,
    client::Inner,
    limit::{BudgetKey, limiter_of},
    oauth::{Rotation, TokenCache, TokenGrant},
    paging::{LearnedOfReports, PageSizes},
    response::RequestKind,
};

/// The result of [`Client::diagnose`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegionDiagnosis {
    /// The client's own address knows the client id. If requests fail, the region is not the reason.
    RightHere,
    /// Another address knows the client id: it is the tenant's region.
    LivesAt(BaseUrl),
    /// No address knows the client id: it is mistyped, or was deleted.
    UnknownEverywhere,
    /// No address knows the client id, but these addresses could not be reached.
    Undecided(Vec<BaseUrl>),
}

impl Client {
    /// Checks which region knows the client id, to distinguish a wrong region from a wrong client.
    ///
    /// The client never does this by itself, because it sends client id and secret to every candidate. Pass only regions of NinjaOne
    /// ([`Region::ALL`](crate::Region::ALL)), never an address that a user typed. Each candidate receives one token request, until one
    /// knows the client id.
    ///
    /// ```no_run
    /// # async fn example(client: ninjaone_client::Client) -> Result<(), ninjaone_client::Error> {
    /// use ninjaone_client::{RegionDiagnosis, ErrorKind, Region};
    /// match client.authenticate().await {
    ///     Err(error) if error.kind() == ErrorKind::WrongRegionOrClient => match client.diagnose(Region::ALL).await? {
    ///         RegionDiagnosis::LivesAt(base) => println!("your tenant is at {base}"),
    ///         _ => println!("check the client id"),
    ///     },
    ///     other => other?,
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a user's credentials, because their authorization already determines the region.
    pub async fn diagnose(
        &self,
        candidates: impl IntoIterator<Item = impl Into<BaseUrl>>,
    ) -> Result<RegionDiagnosis, Error> {
        let TokenGrant::ClientCredentials {
            client_secret,
            scopes,
        } = self.inner.credentials.grant()
        else {
            return Err(Error::config(
                "only client credentials can be looked for in other regions",
            ));
        };
        let form = self
            .inner
            .credentials
            .client_token_request(client_secret, scopes);
        let here = self.inner.base.clone();
        let elsewhere = candidates
            .into_iter()
            .map(Into::into)
            .filter(|base| base.limit_host() != here.limit_host());
        let mut unreached = Vec::new();
        for base in std::iter::once(here.clone()).chain(elsewhere) {
            let asked = self
                .at(base.clone())
                .ask_for_token(RequestKind::ClientToken, form.clone())
                .await;
            match asked.map_err(|error| error.kind()) {
                Err(ErrorKind::WrongRegionOrClient) => {}
                // A server that refuses the secret or the scope knows the client.
                Ok(_) | Err(ErrorKind::Unauthenticated | ErrorKind::ScopeNotGranted) => {
                    return Ok(if base == here {
                        RegionDiagnosis::RightHere
                    } else {
                        RegionDiagnosis::LivesAt(base)
                    });
                }
                Err(_) => unreached.push(base),
            }
        }
        Ok(if unreached.is_empty() {
            RegionDiagnosis::UnknownEverywhere
        } else {
            RegionDiagnosis::Undecided(unreached)
        })
    }

    /// Returns the same client for another address, for one token request without retries.
    fn at(&self, base: BaseUrl) -> Self {
        let inner = &*self.inner;
        let key = BudgetKey::new(base.limit_host(), inner.credentials.client_id());
        let inner = Inner {
            credentials: inner.credentials.clone(),
            tokens: TokenCache::default(),
            rotation: Rotation::default(),
            transport: Arc::clone(&inner.transport),
            limit: inner.limit.clone(),
            limiter: limiter_of(&key),
            shared: inner.shared.clone(),
            key,
            retry: RetryPolicy::none(),
            timeout: inner.timeout,
            most_pages: inner.most_pages,
            most_rows: inner.most_rows,
            reports: LearnedOfReports::default(),
            page_sizes: PageSizes::default(),
            largest_answer: inner.largest_answer,
            largest_content: inner.largest_content,
            user_agent: inner.user_agent.clone(),
            observer: inner.observer.clone(),
            base,
        };
        Self::of(inner, self.lane)
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::{
        Credentials, Region, TransportError, TransportErrorKind,
        scripted::{Answer, answer, token},
    };

    /// A transport on which one host knows the client, and another host cannot be reached.
    #[derive(Debug)]
    struct World {
        lives_at: &'static str,
        secret_is_wrong: bool,
        unreachable: &'static str,
    }

    #[async_trait]
    impl crate::Transport for World {
        async fn send(&self, request: http::Request<bytes::Bytes>) -> Answer {
            let host = request.uri().host().unwrap();
            if host == self.unreachable {
                return Err(TransportError::new(TransportErrorKind::Connect));
            }
            if host != self.lives_at {
                return answer(404, r#"{"resultCode":"Client app not exist"}"#);
            }
            if self.secret_is_wrong {
                answer(401, r#"{"error":"invalid_client"}"#)
            } else {
                token()
            }
        }
    }

    async fn diagnose(
        lives_at: &'static str,
        secret_is_wrong: bool,
        unreachable: &'static str,
    ) -> RegionDiagnosis {
        Client::builder(
            Region::Eu,
            Credentials::client_credentials("diagnosed", "secret"),
        )
        .transport(Arc::new(World {
            lives_at,
            secret_is_wrong,
            unreachable,
        }))
        .build()
        .unwrap()
        .diagnose(Region::ALL)
        .await
        .unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_wrong_region_and_a_wrong_client_have_different_diagnoses() {
        assert_eq!(
            diagnose("eu.ninjarmm.com", true, "").await,
            RegionDiagnosis::RightHere
        );
        let oceania = RegionDiagnosis::LivesAt(Region::Oc.into());
        assert_eq!(diagnose("oc.ninjarmm.com", false, "").await, oceania);
        assert_eq!(
            diagnose("oc.ninjarmm.com", true, "ca.ninjarmm.com").await,
            oceania
        );
        assert_eq!(
            diagnose("nowhere", false, "").await,
            RegionDiagnosis::UnknownEverywhere
        );
        let undecided = RegionDiagnosis::Undecided(vec![Region::Fed.into()]);
        assert_eq!(
            diagnose("nowhere", false, "fed.ninjarmm.com").await,
            undecided
        );
    }
}
