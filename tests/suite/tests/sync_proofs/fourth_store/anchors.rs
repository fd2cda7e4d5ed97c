use async_trait::async_trait;
use regentra_sync::{
    model::{AnchoringFailure, ComplianceOrgId, EvidenceHead, EvidenceRoot, MspOrgId},
    store::{Anchors, CommitOutcome, Guard, Result, RootCommit, Stamped as _, check_not_ahead},
};
use time::OffsetDateTime;

use super::{HashMapStore, State};

impl State {
    fn heads_that(&self, msp: MspOrgId, are: impl Fn(&EvidenceHead) -> bool) -> Vec<EvidenceHead> {
        let heads = self.heads.get(&msp).map_or(&[][..], Vec::as_slice);
        heads.iter().filter(|head| are(head)).cloned().collect()
    }

    fn roots_of(&self, msp: MspOrgId) -> &[EvidenceRoot] {
        self.roots.get(&msp).map_or(&[], Vec::as_slice)
    }

    fn check_root(&self, msp: MspOrgId, root: &EvidenceRoot) -> std::result::Result<(), Guard> {
        let next = self.roots_of(msp).len() as u64 + 1;
        let loose = self.heads_that(msp, |head| head.root.is_none() && head.tick == root.tick);
        if root.number == next && root.heads == loose.len() as u64 {
            Ok(())
        } else {
            Err(Guard::Root)
        }
    }
}

#[async_trait]
impl Anchors for HashMapStore {
    async fn ticks_without_root(
        &self,
        msp: MspOrgId,
        before: OffsetDateTime,
        limit: u32,
    ) -> Result<Vec<OffsetDateTime>> {
        let loose = self
            .state()
            .heads_that(msp, |head| head.root.is_none() && head.tick < before);
        let mut ticks: Vec<_> = loose.iter().map(|head| head.tick).collect();
        ticks.sort_unstable();
        ticks.dedup();
        ticks.truncate(limit as usize);
        Ok(ticks)
    }

    async fn heads_without_root(
        &self,
        msp: MspOrgId,
        tick: OffsetDateTime,
    ) -> Result<Vec<EvidenceHead>> {
        let is_loose = |head: &EvidenceHead| head.root.is_none() && head.tick == tick;
        Ok(self.state().heads_that(msp, is_loose))
    }

    async fn commit_root(&self, msp: MspOrgId, commit: RootCommit) -> Result<CommitOutcome> {
        let root = &commit.root;
        self.commit(
            msp,
            commit.event,
            &commit,
            |state| state.check_root(msp, root),
            |state, ()| {
                for head in state.heads.entry(msp).or_default() {
                    if head.root.is_none() && head.tick == root.tick {
                        head.root = Some(root.number);
                    }
                }
                state.roots.entry(msp).or_default().push(root.clone());
            },
        )
    }

    async fn last_root(&self, msp: MspOrgId) -> Result<Option<EvidenceRoot>> {
        Ok(self.state().roots_of(msp).last().cloned())
    }

    async fn roots_waiting(&self, msp: MspOrgId, limit: u32) -> Result<Vec<EvidenceRoot>> {
        let state = self.state();
        let waiting = state.roots_of(msp).iter();
        let waiting = waiting.filter(|root| root.handed_out_at.is_none());
        Ok(waiting.take(limit as usize).cloned().collect())
    }

    async fn root_handed_out(&self, msp: MspOrgId, number: u64, at: OffsetDateTime) -> Result<()> {
        check_not_ahead(at, self.clock.now())?;
        let mut state = self.state();
        for root in state.roots.entry(msp).or_default() {
            if root.number == number {
                root.handed_out_at.get_or_insert(at);
            }
        }
        Ok(())
    }

    async fn anchoring_failure(&self, msp: MspOrgId) -> Result<Option<AnchoringFailure>> {
        Ok(self.state().anchoring_failures.get(&msp).cloned())
    }

    async fn remember_anchoring_failure(
        &self,
        msp: MspOrgId,
        failure: Option<AnchoringFailure>,
    ) -> Result<()> {
        failure.check_not_ahead(self.clock.now())?;
        let known = &mut self.state().anchoring_failures;
        match failure {
            Some(failure) => known.insert(msp, failure),
            None => known.remove(&msp),
        };
        Ok(())
    }

    async fn heads_of_root(&self, msp: MspOrgId, number: u64) -> Result<Vec<EvidenceHead>> {
        let is_under = |head: &EvidenceHead| head.root == Some(number);
        Ok(self.state().heads_that(msp, is_under))
    }

    async fn heads_of_customer(
        &self,
        msp: MspOrgId,
        customer: ComplianceOrgId,
    ) -> Result<Vec<EvidenceHead>> {
        let is_theirs = |head: &EvidenceHead| head.customer == customer && head.root.is_some();
        Ok(self.state().heads_that(msp, is_theirs))
    }
}
