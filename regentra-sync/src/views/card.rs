use super::{Acting, ConnectionStatus, Diagnosis, Views};
use crate::{error::Result, model::MspOrgId};

/// What an operator's card shows: every connection, and what is wrong. Both are derived from what was stored at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// How each connection stands, ordered by region.
    pub connections: Vec<ConnectionStatus>,
    /// What keeps them from doing what is expected, worst first.
    pub diagnoses: Vec<Diagnosis>,
}

impl Views {
    /// How the connections of an MSP stand, and what keeps them from doing what is expected, as far as the store shows it.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    #[tracing::instrument(name = "regentra.card", skip_all, fields(%msp))]
    pub async fn card(&self, msp: MspOrgId) -> Result<Card> {
        self.card_as(msp, Acting::default()).await
    }

    /// The same, with what the process knows besides.
    pub(crate) async fn card_as(&self, msp: MspOrgId, acting: Acting<'_>) -> Result<Card> {
        let snapshot = self.snapshot(msp, None).await?;
        Ok(Card {
            connections: snapshot.connection_status(&self.policy),
            diagnoses: self.diagnose_snapshot(&snapshot, None, acting).await?,
        })
    }
}
