use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use regentra_evidence::HeadTree;
use time::{OffsetDateTime, macros::datetime};

use super::integration::{Integration, RACES, superseded};
use crate::{
    error::Result,
    host::AnchorSink,
    model::{AnchoringFailure, EventId, EvidenceHead, EvidenceRoot, MspOrgId, is_ahead},
    store::{CommitOutcome, ROWS_PER_READ, RootCommit},
};

/// How many MSPs' roots are handed out side by side.
const SIDE_BY_SIDE: usize = 8;

/// How long planning waits for the sink, over all MSPs.
const PLANNING_WAITS: Duration = Duration::from_secs(10);

/// The kind of failure of a sink that planning did not wait for any longer.
const TOO_SLOW: &str = "sink.deadline";

/// No tick is later.
const END_OF_TIME: OffsetDateTime = datetime!(9999-12-31 23:59:59 UTC);

/// What anchoring did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Anchored {
    /// Roots made.
    pub made: u64,
    /// Roots that the sink took.
    pub handed_out: u64,
    /// Roots that wait, because the sink failed.
    pub waiting: u64,
}

impl Integration {
    /// Makes the roots over an MSP's heads of the ticks up to now, and hands every root that waits to the host's sink. Without a
    /// sink nothing is made. A sink that fails is logged and leaves its roots waiting; that is no error.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store); [`ErrorKind::Superseded`](crate::error::ErrorKind::Superseded) when other processes
    /// made roots at the same time, again and again.
    pub async fn anchor(&self, msp: MspOrgId) -> Result<Anchored> {
        let now = self.now();
        // A head of this very moment counts.
        let before = now.checked_add(time::Duration::MICROSECOND).unwrap_or(now);
        let Some(sink) = &self.inner.anchor_sink else {
            return Ok(Anchored::default());
        };
        let made = self.make_roots(msp, before).await;
        if let Err(error) = &made {
            self.remember_failure(msp, error.kind().as_str()).await;
        }
        let made = made?;
        let (handed_out, waiting) = self.hand_out(msp, &**sink, true).await?;
        Ok(Anchored {
            made,
            handed_out,
            waiting,
        })
    }

    /// The same over all MSPs, when the next tick is planned. Whatever fails waits; no sweep waits for it, and no MSP for another one.
    pub(super) async fn anchor_before(&self, tick: OffsetDateTime) {
        let Some(sink) = &self.inner.anchor_sink else {
            return;
        };
        let msps = match self.msps().await {
            Ok(msps) => msps,
            Err(error) => {
                tracing::warn!(%error, "roots over evidence could not be made");
                return;
            }
        };
        let mut unmade = BTreeSet::new();
        for msp in &msps {
            if let Err(error) = self.make_roots(*msp, tick).await {
                tracing::warn!(%msp, %error, "roots over evidence could not be made");
                self.remember_failure(*msp, error.kind().as_str()).await;
                unmade.insert(*msp);
            }
        }
        // Another MSP is first each time, so that a sink that is too slow for all leaves nobody out for good.
        let first = usize::try_from(tick.unix_timestamp() / 3_600).unwrap_or(0);
        let first = first.checked_rem(msps.len()).unwrap_or(0);
        let in_turn = msps.iter().cycle().skip(first).take(msps.len());
        let (unmade, ended) = (&unmade, &Mutex::new(BTreeSet::new()));
        let hand_out = stream::iter(in_turn).for_each_concurrent(SIDE_BY_SIDE, |msp| async move {
            let is_made = !unmade.contains(msp);
            if let Err(error) = self.hand_out(*msp, &**sink, is_made).await {
                tracing::warn!(%msp, %error, "roots over evidence could not be handed out");
            }
            let mut ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
            ended.insert(*msp);
        });
        if tokio::time::timeout(PLANNING_WAITS, hand_out).await.is_ok() {
            return;
        }
        tracing::warn!("roots over evidence wait: the sink takes too long");
        let ended = ended.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for msp in msps.iter().filter(|msp| !ended.contains(msp)) {
            let waits = self.inner.store.roots_waiting(*msp, 1).await;
            if waits.is_ok_and(|roots| !roots.is_empty()) {
                self.remember_failure(*msp, TOO_SLOW).await;
            }
        }
    }

    /// The same for one MSP that is disconnected: the planner does not see it any more.
    pub(super) async fn anchor_last(&self, msp: MspOrgId) {
        match tokio::time::timeout(PLANNING_WAITS, self.anchor(msp)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(%msp, %error, "roots over evidence could not be made or handed out");
            }
            Err(_) => {
                tracing::warn!(%msp, "roots over evidence wait: the sink takes too long");
                self.remember_failure(msp, TOO_SLOW).await;
            }
        }
    }

    /// Keeps for the diagnosis why an MSP's evidence is not anchored. Where the store does not take that either, the log has it, and the
    /// diagnosis sees what waits.
    async fn remember_failure(&self, msp: MspOrgId, error: &str) {
        let failure = AnchoringFailure {
            error: error.to_owned(),
            at: self.now(),
        };
        let remembered = self
            .inner
            .store
            .remember_anchoring_failure(msp, Some(failure));
        if let Err(error) = remembered.await {
            tracing::warn!(%msp, %error, "why evidence is not anchored could not be kept");
        }
    }

    /// Every MSP that is connected, ordered by id: for work of the host over all of them, such as a rotation of the sealing key.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub async fn msps(&self) -> Result<Vec<MspOrgId>> {
        let (mut after, mut msps) = (None, BTreeSet::new());
        loop {
            let page = self
                .inner
                .store
                .active_credentials(after, ROWS_PER_READ)
                .await?;
            let Some(last) = page.last() else {
                return Ok(msps.into_iter().collect());
            };
            after = Some(last.credential);
            msps.extend(page.into_iter().map(|active| active.msp));
        }
    }

    /// How many roots were made: over the heads of the ticks before this time, and over those of ticks that lie in the future. A
    /// clock that ran ahead swept those; what they are over is there already, and is not to wait for its time.
    async fn make_roots(&self, msp: MspOrgId, before: OffsetDateTime) -> Result<u64> {
        let store = &self.inner.store;
        let (mut made, store_time) = (0, store.store_time().await?);
        loop {
            let mut ticks = store.ticks_without_root(msp, before, ROWS_PER_READ).await?;
            if ticks.is_empty() {
                ticks = store
                    .ticks_without_root(msp, END_OF_TIME, ROWS_PER_READ)
                    .await?;
                ticks.retain(|tick| is_ahead(*tick, store_time));
            }
            if ticks.is_empty() {
                return Ok(made);
            }
            for tick in ticks {
                made += u64::from(self.make_root(msp, tick).await?);
            }
        }
    }

    /// How many roots the sink took, and how many wait after the first that it did not. When none waits, and every root `is_made`, what
    /// was remembered as a failure is forgotten.
    async fn hand_out(
        &self,
        msp: MspOrgId,
        sink: &dyn AnchorSink,
        is_made: bool,
    ) -> Result<(u64, u64)> {
        let (store, mut handed_out) = (&self.inner.store, 0);
        loop {
            let waiting = store.roots_waiting(msp, ROWS_PER_READ).await?;
            if waiting.is_empty() {
                if is_made && store.anchoring_failure(msp).await?.is_some() {
                    store.remember_anchoring_failure(msp, None).await?;
                }
                return Ok((handed_out, 0));
            }
            for (at, root) in waiting.iter().enumerate() {
                if let Err(error) = sink.keep(&root.anchor(msp)).await {
                    let source = std::error::Error::source(&error).map(ToString::to_string);
                    let kind = error.kind().as_str();
                    tracing::warn!(%msp, %error, kind, source, "an anchor was not kept; it waits");
                    self.remember_failure(msp, kind).await;
                    return Ok((handed_out, waiting.len().saturating_sub(at) as u64));
                }
                store.root_handed_out(msp, root.number, self.now()).await?;
                handed_out += 1;
            }
        }
    }

    /// Whether a root was made; another process may have done it.
    async fn make_root(&self, msp: MspOrgId, tick: OffsetDateTime) -> Result<bool> {
        let store = &self.inner.store;
        for _ in 0..RACES {
            let last = store.last_root(msp).await?;
            let heads = store.heads_without_root(msp, tick).await?;
            if heads.is_empty() {
                return Ok(false);
            }
            let tree = HeadTree::new(heads.iter().map(EvidenceHead::head));
            let number = last.map_or(1, |last| last.number.saturating_add(1));
            let commit = RootCommit {
                event: EventId::of_root(number),
                root: EvidenceRoot {
                    number,
                    tick,
                    heads: tree.len(),
                    root: tree.root(),
                    made_at: self.now(),
                    handed_out_at: None,
                },
            };
            match store.commit_root(msp, commit).await? {
                CommitOutcome::Committed => return Ok(true),
                CommitOutcome::AlreadyCommitted | CommitOutcome::Superseded(_) => {}
            }
        }
        Err(superseded())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    };

    use async_trait::async_trait;
    use regentra_evidence::{Anchor, KeyId, anchor::AnchorFault};

    use super::*;
    use crate::{
        host::{ManualClock, SinkError, SinkErrorKind, StoreClock},
        model::{Actor, AuditDetails},
        ninjaone::NinjaOneApi,
        schedule::{Event, PlanKind},
        seal::{Keyring, MasterKey},
        store::{
            Anchors as _, AuditTrail as _, MemoryStore, Runs as _, Store,
            conformance::world::{World, at, committed},
        },
        use_cases::Disconnect,
        views::Finding,
    };

    /// Keeps anchors while it works; fails, or never answers, when it does not.
    #[derive(Debug, Default)]
    struct Sink {
        kept: Mutex<Vec<Anchor>>,
        fails: AtomicBool,
        hangs: AtomicBool,
        hangs_for: Mutex<Option<String>>,
    }

    #[async_trait]
    impl AnchorSink for Sink {
        async fn keep(&self, anchor: &Anchor) -> std::result::Result<(), SinkError> {
            let hangs_for = self.hangs_for.lock().unwrap().clone();
            if self.hangs.load(Relaxed) || hangs_for.as_ref() == Some(&anchor.msp) {
                std::future::pending::<()>().await;
            }
            if self.fails.load(Relaxed) {
                return Err(SinkError::new(SinkErrorKind::Unreadable, "no"));
            }
            self.kept.lock().unwrap().push(anchor.clone());
            Ok(())
        }
    }

    /// Nothing here asks NinjaOne.
    fn ninjaone() -> Arc<NinjaOneApi> {
        Arc::new(NinjaOneApi::new())
    }

    fn host(store: &MemoryStore, sink: &Arc<Sink>) -> Integration {
        let key = |byte| MasterKey::from_bytes([byte; 32]);
        let keyring = Keyring::new(KeyId::new("k").unwrap(), key(1), key(2));
        Integration::builder(Arc::new(store.clone()), keyring, ninjaone())
            .clock(Arc::new(ManualClock::at(at(400))))
            .anchor_sink(Arc::<Sink>::clone(sink))
            .build()
    }

    /// A store by a clock that shows what the host's does.
    fn new_store() -> MemoryStore {
        store_at(400).0
    }

    /// Every event of a tick.
    async fn plan(host: &Integration, kind: PlanKind, tick: OffsetDateTime) -> Vec<Event> {
        let (mut events, mut from) = (Vec::new(), None);
        loop {
            let page = host.plan(kind, tick, from).await.unwrap();
            events.extend(page.events);
            from = page.next;
            if from.is_none() {
                return events;
            }
        }
    }

    fn store_at(minutes: i64) -> (MemoryStore, ManualClock) {
        let clock = ManualClock::at(at(minutes));
        let store = MemoryStore::new().with_clock(StoreClock::of(clock.clone()));
        (store, clock)
    }

    async fn findings(host: &Integration, msp: MspOrgId) -> Vec<Finding> {
        let found = host.diagnose(msp, None).await.unwrap();
        let findings = found.into_iter().map(|diagnosis| diagnosis.finding);
        let of_anchors = |finding: &Finding| {
            matches!(
                finding,
                Finding::AnchorsWaiting { .. } | Finding::RootsNotMade { .. }
            )
        };
        findings.filter(of_anchors).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_sink_last_answered_is_shown_until_everything_is_anchored() {
        let (store, sink) = (new_store(), Arc::new(Sink::default()));
        let world = World::new(&store, 1).await;
        let host = host(&store, &sink);
        sweep_in(&world, "first", at(0)).await;
        let waiting = |error: &str| {
            vec![Finding::AnchorsWaiting {
                roots: 1,
                since: at(400),
                error: Some(error.to_owned()),
            }]
        };
        sink.hangs.store(true, Relaxed);
        plan(&host, PlanKind::EvidenceSweep, at(360)).await;
        assert_eq!(findings(&host, world.msp).await, waiting("sink.deadline"));
        sink.hangs.store(false, Relaxed);
        sink.fails.store(true, Relaxed);
        plan(&host, PlanKind::EvidenceSweep, at(360)).await;
        let shown = findings(&host, world.msp).await;
        assert_eq!(shown, waiting("sink.unreadable"));
        assert!(shown[0].meaning().contains("(sink.unreadable)"));
        sink.fails.store(false, Relaxed);
        plan(&host, PlanKind::EvidenceSweep, at(360)).await;
        assert_eq!(findings(&host, world.msp).await, []);
        assert_eq!(store.anchoring_failure(world.msp).await.unwrap(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_heads_of_an_msp_that_disconnects_are_anchored() {
        for (fails, hangs) in [(false, false), (true, false), (false, true)] {
            let (store, sink) = (new_store(), Arc::new(Sink::default()));
            let world = World::new(&store, 1).await;
            let host = host(&store, &sink);
            sweep_in(&world, "last", at(360)).await;
            sink.fails.store(fails, Relaxed);
            sink.hangs.store(hangs, Relaxed);
            let disconnect = || Disconnect {
                region: world.credential.region.clone(),
                actor: Actor::Schedule,
                event: EventId::of_request("test", "disconnect"),
            };
            assert!(
                host.disconnect(world.msp, disconnect())
                    .await
                    .unwrap()
                    .changed
            );
            // The planner does not see the MSP any more.
            plan(&host, PlanKind::EvidenceSweep, at(720)).await;
            let left = store.ticks_without_root(world.msp, at(720), 10).await;
            assert!(left.unwrap().is_empty());
            if fails || hangs {
                let error = if fails {
                    "sink.unreadable"
                } else {
                    "sink.deadline"
                };
                let shown = Finding::AnchorsWaiting {
                    roots: 1,
                    since: at(400),
                    error: Some(error.to_owned()),
                };
                assert_eq!(findings(&host, world.msp).await, [shown]);
                sink.fails.store(false, Relaxed);
                sink.hangs.store(false, Relaxed);
                // Delivered again, it goes on with what is left.
                host.disconnect(world.msp, disconnect()).await.unwrap();
            }
            assert_eq!(findings(&host, world.msp).await, []);
            assert_eq!(sink.kept.lock().unwrap().len(), 1);
        }
    }

    #[tokio::test]
    async fn a_root_that_cannot_be_made_is_shown() {
        let (store, sink) = (new_store(), Arc::new(Sink::default()));
        let (world, other) = (World::new(&store, 1).await, World::new(&store, 2).await);
        sweep_in(&world, "first", at(0)).await;
        sweep_in(&other, "first", at(0)).await;
        // Something else was committed under the event of its first root, so that none is ever written.
        let event = EventId::of_root(1);
        committed(
            store
                .commit_audit(world.msp, event, Vec::new())
                .await
                .unwrap(),
        );
        let host = host(&store, &sink);
        let planned = plan(&host, PlanKind::EvidenceSweep, at(360)).await;
        assert_eq!(planned.len(), 2, "no sweep waits for it");
        let shown = Finding::RootsNotMade {
            since: at(400),
            error: Some("superseded".to_owned()),
        };
        assert_eq!(findings(&host, world.msp).await, vec![shown.clone()]);
        assert_eq!(findings(&host, other.msp).await, []);
        assert_eq!(sink.kept.lock().unwrap().len(), 1);
        let failed = host.anchor(world.msp).await.unwrap_err();
        assert_eq!(failed.kind().as_str(), "superseded");
        assert_eq!(findings(&host, world.msp).await, [shown]);
    }

    #[tokio::test]
    async fn heads_that_no_process_makes_a_root_over_are_shown_after_two_intervals() {
        let (store, clock) = store_at(400);
        let world = World::new(&store, 1).await;
        sweep_in(&world, "first", at(0)).await;
        let key = |byte| MasterKey::from_bytes([byte; 32]);
        let keyring = Keyring::new(KeyId::new("k").unwrap(), key(1), key(2));
        let without = Integration::builder(Arc::new(store.clone()), keyring, ninjaone())
            .clock(Arc::new(clock.clone()))
            .build();
        let host = host(&store, &Arc::default());
        for (minutes, is_shown) in [(719, false), (720, false), (721, true)] {
            clock.set(at(minutes));
            let shown = findings(&host, world.msp).await;
            assert_eq!(!shown.is_empty(), is_shown, "{minutes}");
            assert_eq!(findings(&without, world.msp).await, [], "who has no sink");
        }
        let error = None;
        let shown = Finding::RootsNotMade {
            since: at(0),
            error,
        };
        assert_eq!(findings(&host, world.msp).await, [shown]);
    }

    #[tokio::test]
    async fn heads_of_a_tick_to_come_do_not_wait_for_its_time() {
        let (store, clock) = store_at(20 * 24 * 60);
        let world = World::new(&store, 1).await;
        let tick = at(20 * 24 * 60);
        sweep_in(&world, "ahead", tick).await;
        clock.set(at(400));
        let heads = async || store.rows_ahead(world.msp).await.unwrap().heads;
        assert_eq!(heads().await, 5);
        let sink = Arc::<Sink>::default();
        let anchored = host(&store, &sink).anchor(world.msp).await.unwrap();
        assert_eq!((anchored.made, anchored.waiting), (1, 0));
        let kept = sink.kept.lock().unwrap().clone();
        assert_eq!((kept[0].tick, kept[0].at), (tick, at(400)));
        assert_eq!(heads().await, 0);
    }

    async fn sweep_in(world: &World<'_>, label: &str, tick: OffsetDateTime) {
        let mut commit = world.sweeping(label, 3).await;
        commit.scheduled_at = tick;
        let store = world.store;
        committed(
            store
                .commit_sweep(world.msp, world.customer, commit)
                .await
                .unwrap(),
        );
    }

    #[tokio::test]
    async fn planning_a_tick_anchors_the_heads_of_the_ticks_before_it_and_no_others() {
        let (store, sink) = (new_store(), Arc::new(Sink::default()));
        let (one, two) = (World::new(&store, 1).await, World::new(&store, 2).await);
        sweep_in(&one, "first", at(0)).await;
        sweep_in(&two, "first", at(0)).await;
        sweep_in(&one, "second", at(360)).await;
        let host = host(&store, &sink);
        let events = plan(&host, PlanKind::EvidenceSweep, at(360)).await;
        assert_eq!(events.len(), 2);
        plan(&host, PlanKind::EvidenceSweep, at(360)).await;
        let kept = sink.kept.lock().unwrap().clone();
        assert_eq!(kept.len(), 2, "once each: {kept:?}");
        for world in [&one, &two] {
            let msp = world.msp.to_string();
            let anchor = kept.iter().find(|anchor| anchor.msp == msp).unwrap();
            assert_eq!((anchor.number, anchor.tick, anchor.heads), (1, at(0), 5));
            assert_eq!(
                host.views().verify_anchors(world.msp, &kept).await.unwrap(),
                []
            );
        }
        // On demand the present tick's, too.
        let anchored = host.anchor(one.msp).await.unwrap();
        assert_eq!(
            (anchored.made, anchored.handed_out, anchored.waiting),
            (1, 1, 0)
        );
        let waiting = store.ticks_without_root(one.msp, at(999), 9).await.unwrap();
        assert!(waiting.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_sink_that_fails_or_never_answers_stops_no_sweep_and_its_roots_wait() {
        let (store, sink) = (new_store(), Arc::new(Sink::default()));
        let world = World::new(&store, 1).await;
        let host = host(&store, &sink);
        let waiting = || async {
            let found = host.diagnose(world.msp, None).await.unwrap();
            let roots = found
                .into_iter()
                .find_map(|diagnosis| match diagnosis.finding {
                    Finding::AnchorsWaiting { roots, .. } => Some(roots),
                    _ => None,
                });
            roots.unwrap_or(0)
        };
        sink.fails.store(true, Relaxed);
        sweep_in(&world, "first", at(0)).await;
        let events = plan(&host, PlanKind::EvidenceSweep, at(360)).await;
        assert_eq!((events.len(), waiting().await), (1, 1));
        sink.hangs.store(true, Relaxed);
        sweep_in(&world, "second", at(360)).await;
        let before = tokio::time::Instant::now();
        let events = plan(&host, PlanKind::EvidenceSweep, at(720)).await;
        assert_eq!((events.len(), waiting().await), (1, 2));
        assert_eq!(before.elapsed(), PLANNING_WAITS);
        // It works again: everything goes out, in order.
        sink.hangs.store(false, Relaxed);
        sink.fails.store(false, Relaxed);
        plan(&host, PlanKind::EvidenceSweep, at(1_080)).await;
        assert_eq!(waiting().await, 0);
        let kept = sink.kept.lock().unwrap().clone();
        let numbers: Vec<_> = kept.iter().map(|anchor| anchor.number).collect();
        assert_eq!(numbers, [1, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_providers_anchor_that_hangs_keeps_no_other_providers_back() {
        let (store, sink) = (new_store(), Arc::new(Sink::default()));
        let host = host(&store, &sink);
        let mut worlds = Vec::new();
        for number in 1..=5 {
            worlds.push(World::new(&store, number).await);
            sweep_in(&worlds[worlds.len() - 1], "first", at(0)).await;
        }
        *sink.hangs_for.lock().unwrap() = Some(worlds[0].msp.to_string());
        plan(&host, PlanKind::EvidenceSweep, at(360)).await;
        assert_eq!(sink.kept.lock().unwrap().len(), 4);
        let waiting = store.roots_waiting(worlds[0].msp, 9).await.unwrap();
        assert_eq!(waiting.len(), 1);
    }

    #[tokio::test]
    async fn heads_that_are_missing_or_others_than_were_anchored_are_named() {
        let (store, sink) = (new_store(), Arc::new(Sink::default()));
        let world = World::new(&store, 1).await;
        let host = host(&store, &sink);
        sweep_in(&world, "first", at(0)).await;
        host.anchor(world.msp).await.unwrap();
        let kept = sink.kept.lock().unwrap().clone();
        let other = Anchor {
            number: 2,
            ..kept[0].clone()
        };
        let faults = host
            .views()
            .verify_anchors(world.msp, &[other])
            .await
            .unwrap();
        assert_eq!(faults, [AnchorFault::OtherHeads { number: 2 }]);
    }

    /// What a test of an outside store does by hand is what the library does.
    #[tokio::test]
    async fn an_export_of_what_was_swept_and_anchored_verifies() {
        let (store, sink) = (new_store(), Arc::new(Sink::default()));
        let (one, two) = (World::new(&store, 1).await, World::new(&store, 2).await);
        let host = host(&store, &sink);
        let same: &dyn Store = &store;
        for (label, tick) in [("first", at(0)), ("second", at(360))] {
            for world in [&one, &two] {
                let mut commit = world.sweeping(label, 3).await;
                commit.scheduled_at = tick;
                if let AuditDetails::Swept { signals, .. } = &mut commit.audit.details {
                    for row in &commit.evidence {
                        let swept = crate::model::SweptSignal {
                            status: regentra_evidence::Status::Pass,
                            complete: true,
                            chain_head: row.link.head(),
                        };
                        signals.insert(row.signal, swept);
                    }
                }
                committed(
                    same.commit_sweep(world.msp, world.customer, commit)
                        .await
                        .unwrap(),
                );
            }
            host.anchor(one.msp).await.unwrap();
        }
        let anchors = sink.kept.lock().unwrap().clone();
        let keys = vec![crate::store::conformance::world::signer().public_key()];
        let trusted = regentra_evidence::TrustedKeys::new(keys.clone()).unwrap();
        let export = host
            .views()
            .evidence_export(one.msp, one.customer, &[], keys)
            .await
            .unwrap();
        assert_eq!(export.chains.len(), 5);
        for report in regentra_evidence::verify_export(&export, Some(&trusted), &anchors) {
            assert_eq!(report.fault, None, "{report:?}");
            assert_eq!(
                (report.records, report.signatures.signed, report.anchored),
                (2, 2, 2)
            );
        }
        let json = serde_json::to_string(&export).unwrap();
        assert!(
            !json.contains(&two.customer.to_string()),
            "nothing of another customer"
        );
    }
}
