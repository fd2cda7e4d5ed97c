//! Every event of a tick as one list, which a host of any size reads page by page.

use regentra_sync::{
    Integration, Result,
    schedule::{Event, PlanKind},
};
use time::OffsetDateTime;

pub trait PlanAll {
    fn plan_all(
        &self,
        kind: PlanKind,
        scheduled_at: OffsetDateTime,
    ) -> impl Future<Output = Result<Vec<Event>>> + Send;
}

impl PlanAll for Integration {
    async fn plan_all(&self, kind: PlanKind, scheduled_at: OffsetDateTime) -> Result<Vec<Event>> {
        let (mut events, mut from) = (Vec::new(), None);
        loop {
            let page = self.plan(kind, scheduled_at, from).await?;
            events.extend(page.events);
            from = page.next;
            if from.is_none() {
                return Ok(events);
            }
        }
    }
}
