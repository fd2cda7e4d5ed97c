//! The same over real HTTP, against the simulated tenant: requests, pages and tokens are on their way when it strikes.

use std::{pin::pin, sync::Arc};

use async_trait::async_trait;
use regentra_harness::suspension::run_to_suspension;
use regentra_sync::store::{Result, StoreError, StoreErrorKind};

use crate::{
    simulated::Server,
    snapshot::{Snapshot, assert_same},
    watched::{Call, Watch, Watched},
};

async fn undisturbed(server: &Server) -> Snapshot {
    let host = server.host().await;
    let before = host.site.snapshot().await;
    assert!(host.handle(&host.process()).await);
    let end = host.site.snapshot().await;
    for change in ["\"retired\"", "RENAMED"] {
        let has = |state: &Snapshot| state.rows(" asset ").any(|row| row.contains(change));
        assert!(!has(&before) && has(&end), "{change}");
    }
    let tickets = |state: &Snapshot| state.rows(" ticket ").count();
    assert!(tickets(&before) == 0 && tickets(&end) > 0);
    end
}

#[tokio::test]
async fn dropped_while_requests_are_on_their_way() {
    let server = Server::start().await;
    let expected = undisturbed(&server).await;
    // Every gap is struck in memory; here some of many, ever further apart.
    let mut suspension = 2;
    loop {
        let host = server.host().await;
        let process = host.process();
        let is_over = {
            let run = pin!(host.handle(&process));
            run_to_suspension(run, suspension).await.is_some()
        };
        let end = host.delivered_again().await;
        assert_same(
            &end,
            &expected,
            format!("dropped at suspension {suspension}"),
        );
        if is_over {
            break;
        }
        suspension += suspension / 2;
    }
    assert!(suspension > 40, "requests suspend");
}

/// Loses the answer to every commit.
#[derive(Debug)]
struct AnswersGetLost;

#[async_trait]
impl Watch for AnswersGetLost {
    async fn before(&self, _call: &Call) -> Result<()> {
        Ok(())
    }

    async fn after(&self, call: &Call) -> Result<()> {
        if call.is_commit() {
            return Err(StoreError::new(StoreErrorKind::Unavailable, "cut off"));
        }
        Ok(())
    }
}

#[tokio::test]
async fn every_commit_is_made_and_its_answer_lost() {
    let server = Server::start().await;
    let expected = undisturbed(&server).await;
    let host = server.host().await;
    let watched = Watched {
        store: Arc::clone(&host.site.store),
        watch: Arc::new(AnswersGetLost),
    };
    let process = server.process(Arc::new(watched), &host.site.clock);
    assert!(!host.handle(&process).await);
    assert_same(&host.delivered_again().await, &expected, "answers got lost");
}
