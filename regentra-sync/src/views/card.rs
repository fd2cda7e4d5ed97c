use super::{Acting, ConnectionStatus, Diagnosis, Views};
use crate::{error::Result, model::MspOrgId};

/// The content of an operator's card: every connection, and what is wrong. Both are derived from the rows stored at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// The status of each connection, ordered by region.
    pub connections: Vec<ConnectionStatus>,
    /// The problems of the connections, worst first.
    pub diagnoses: Vec<Diagnosis>,
}

impl Views {
    /// The status of an MSP's connections, and their problems, as far as the store shows them.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    #[tracing::instrument(name = "regentra.card", skip_all, fields(%msp))]
    pub async fn card(&self, msp: MspOrgId) -> Result<Card> {
        self.card_as(msp, Acting::default()).await
    }

    /// Like [`card`](Self::card), with what only the running process knows.
    pub(crate) async fn card_as(&self, msp: MspOrgId, acting: Acting<'_>) -> Result<Card> {
        let snapshot = self.snapshot(msp, None).await?;
        Ok(Card {
            connections: snapshot.connection_status(&self.policy),
            diagnoses: self.diagnose_snapshot(&snapshot, None, acting).await?,
        })
    }
}
