use std::collections::BTreeSet;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::{MemoryStore, State, holds, outcome};
use crate::{
    model::{AnchoringFailure, ComplianceOrgId, EvidenceHead, EvidenceRoot, MspOrgId},
    store::{
        Anchors, CommitOutcome, Precondition, Result, RootCommit, Stamped as _, check_not_ahead,
    },
};

impl State {
    fn heads(&self, msp: MspOrgId, is_wanted: impl Fn(&EvidenceHead) -> bool) -> Vec<EvidenceHead> {
        let heads = self.heads.get(&msp).into_iter().flatten();
        heads.filter(|head| is_wanted(head)).cloned().collect()
    }
}

#[async_trait]
impl Anchors for MemoryStore {
    async fn ticks_without_root(
        &self,
        msp: MspOrgId,
        before: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<OffsetDateTime>> {
        self.with(|state| {
            let heads = state.heads(msp, |head| head.root.is_none() && head.tick < before);
            let ticks: BTreeSet<_> = heads.into_iter().map(|head| head.tick).collect();
            Ok(ticks.into_iter().take(limit as usize).collect())
        })
        .await
    }

    async fn heads_without_root(
        &self,
        msp: MspOrgId,
        tick: OffsetDateTime,
    ) -> Result<Vec<EvidenceHead>> {
        self.with(|state| Ok(state.heads(msp, |head| head.root.is_none() && head.tick == tick)))
            .await
    }

    async fn commit_root(&self, msp: MspOrgId, commit: RootCommit) -> Result<CommitOutcome> {
        self.with(|state| {
            outcome((|| {
                state.begins(msp, commit.event, &commit, self.clock.now())?;
                let RootCommit { event, root } = commit;
                let roots = state.roots.entry(msp).or_default();
                let next = roots.last().map_or(1, |last| last.number.saturating_add(1));
                let heads = state.heads.get_mut(&msp).into_iter().flatten();
                let free: Vec<_> = heads
                    .filter(|head| head.root.is_none() && head.tick == root.tick)
                    .collect();
                let holds_still = root.number == next && root.heads == free.len() as u64;
                holds(holds_still, Precondition::Root)?;
                for head in free {
                    head.root = Some(root.number);
                }
                roots.push(root);
                Ok(state.committed(msp, event))
            })())
        })
        .await
    }

    async fn last_root(&self, msp: MspOrgId) -> Result<Option<EvidenceRoot>> {
        self.with(|state| {
            Ok(state
                .roots
                .get(&msp)
                .and_then(|roots| roots.last())
                .cloned())
        })
        .await
    }

    async fn roots_waiting(&self, msp: MspOrgId, limit: u32) -> Result<Vec<EvidenceRoot>> {
        self.with(|state| {
            let roots = state.roots.get(&msp).into_iter().flatten();
            let waiting = roots.filter(|root| root.handed_out_at.is_none());
            Ok(waiting.take(limit as usize).cloned().collect())
        })
        .await
    }

    async fn root_handed_out(&self, msp: MspOrgId, number: u64, at: OffsetDateTime) -> Result<()> {
        self.with(|state| {
            check_not_ahead(at, self.clock.now())?;
            let mut roots = state.roots.get_mut(&msp).into_iter().flatten();
            if let Some(root) = roots.find(|root| root.number == number) {
                root.handed_out_at = root.handed_out_at.or(Some(at));
            }
            Ok(())
        })
        .await
    }

    async fn anchoring_failure(&self, msp: MspOrgId) -> Result<Option<AnchoringFailure>> {
        self.with(|state| Ok(state.anchoring_failures.get(&msp).cloned()))
            .await
    }

    async fn remember_anchoring_failure(
        &self,
        msp: MspOrgId,
        failure: Option<AnchoringFailure>,
    ) -> Result<()> {
        self.with(|state| {
            failure.check_not_ahead(self.clock.now())?;
            match failure {
                Some(failure) => state.anchoring_failures.insert(msp, failure),
                None => state.anchoring_failures.remove(&msp),
            };
            Ok(())
        })
        .await
    }

    async fn heads_of_root(&self, msp: MspOrgId, number: u64) -> Result<Vec<EvidenceHead>> {
        self.with(|state| Ok(state.heads(msp, |head| head.root == Some(number))))
            .await
    }

    async fn heads_of_customer(
        &self,
        msp: MspOrgId,
        customer: ComplianceOrgId,
    ) -> Result<Vec<EvidenceHead>> {
        self.with(|state| {
            let is_theirs = |head: &EvidenceHead| head.root.is_some() && head.customer == customer;
            Ok(state.heads(msp, is_theirs))
        })
        .await
    }
}
