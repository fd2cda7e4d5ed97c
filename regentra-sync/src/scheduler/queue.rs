//! Events that wait for their time.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;

use crate::schedule::{Event, EventSubject};

/// An event that waits.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) event: Event,
    /// When it starts, or is tried again.
    pub(super) at: OffsetDateTime,
    /// Which attempt it will be; counts from 1.
    pub(super) attempt: u32,
    /// When the next tick of its cadence is due: from then on its successor is in its place.
    pub(super) until: OffsetDateTime,
    /// A person asked for it.
    pub(super) is_requested: bool,
}

/// Events by the time they start at.
#[derive(Debug, Default)]
pub(super) struct Queue {
    by_start: BTreeSet<(OffsetDateTime, EventSubject)>,
    waiting: BTreeMap<EventSubject, Waiting>,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Puts an event in, in place of an older one of its subject. An older one does not take the place of a newer.
    ///
    /// It takes its place in the line too: where there is too much to do for one interval, it is the oldest that go first, or
    /// those at the end of the line would be left out in every tick.
    pub(super) fn put(&mut self, mut waiting: Waiting) {
        let subject = waiting.event.subject();
        if let Some(there) = self.waiting.get(&subject) {
            if waiting.event.scheduled_at() < there.event.scheduled_at() {
                return;
            }
            waiting.at = waiting.at.min(there.at);
            self.by_start.remove(&(there.at, subject));
        }
        self.by_start.insert((waiting.at, subject));
        self.waiting.insert(subject, waiting);
    }

    /// Drops the events of ticks that lie in the future: a clock that ran ahead planned them.
    pub(super) fn drop_ahead(&mut self, now: OffsetDateTime) {
        let (by_start, waiting) = (&mut self.by_start, &mut self.waiting);
        waiting.retain(|subject, waiting| {
            let is_kept = waiting.event.scheduled_at() <= now;
            if !is_kept {
                by_start.remove(&(waiting.at, *subject));
            }
            is_kept
        });
    }

    /// Events that are to be tried again later than `latest` are tried then: the clock was set back since.
    pub(super) fn no_later_than(&mut self, latest: OffsetDateTime) {
        let late = self
            .by_start
            .iter()
            .rev()
            .take_while(|(at, _)| *at > latest);
        let late: Vec<_> = late.copied().collect();
        for (at, subject) in late {
            self.by_start.remove(&(at, subject));
            self.by_start.insert((latest, subject));
            if let Some(waiting) = self.waiting.get_mut(&subject) {
                waiting.at = latest;
            }
        }
    }

    /// Takes out the event whose time came first, of those that nothing running keeps waiting.
    pub(super) fn take(
        &mut self,
        now: OffsetDateTime,
        is_free: impl Fn(&Event) -> bool,
    ) -> Option<Waiting> {
        let is_free = |subject: &EventSubject| {
            let waiting = self.waiting.get(subject);
            waiting.is_some_and(|waiting| is_free(&waiting.event))
        };
        let mut ready = self.by_start.iter().take_while(|(at, _)| *at <= now);
        let ready = *ready.find(|(_, subject)| is_free(subject))?;
        self.by_start.remove(&ready);
        self.waiting.remove(&ready.1)
    }

    /// The first time after `now` at which an event starts.
    pub(super) fn next_start(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let mut later = self.by_start.iter().skip_while(|(at, _)| *at <= now);
        later.next().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};
    use uuid::Uuid;

    use super::*;
    use crate::{
        model::{ComplianceOrgId, EventId, MappingId, MspOrgId, OrganizationId, RegionKey},
        schedule::{EventKey, SweepEvent},
    };

    const TICK: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);

    fn sweep(customer: u128, mapping: u128, tick: OffsetDateTime, minutes: i64) -> Waiting {
        let mapping_id = MappingId::from_uuid(Uuid::from_u128(mapping));
        let at = tick + Duration::minutes(minutes);
        Waiting {
            event: Event::EvidenceSweep(SweepEvent {
                id: EventId::of_sweep(mapping_id, tick),
                msp_credential_org_id: MspOrgId::from_uuid(Uuid::nil()),
                customer_compliance_org_id: ComplianceOrgId::from_uuid(Uuid::from_u128(customer)),
                mapping_id,
                region: RegionKey::from_stored("us"),
                external_org_id: OrganizationId::new(1),
                scheduled_at: tick,
                starts_at: at,
            }),
            at,
            attempt: 1,
            until: tick + Duration::hours(6),
            is_requested: false,
        }
    }

    fn taken(
        queue: &mut Queue,
        now: OffsetDateTime,
        running: &BTreeSet<EventKey>,
    ) -> Option<EventId> {
        let is_free = |event: &Event| !running.contains(&event.key());
        queue.take(now, is_free).map(|waiting| waiting.event.id())
    }

    #[test]
    fn events_come_in_the_order_of_their_times_and_not_before() {
        let mut queue = Queue::default();
        let (late, early) = (sweep(1, 1, TICK, 20), sweep(2, 2, TICK, 10));
        let ids = (early.event.id(), late.event.id());
        let (first, second) = (early.at, late.at);
        queue.put(late);
        queue.put(early);
        let free = BTreeSet::new();
        assert_eq!(queue.next_start(TICK), Some(first));
        assert_eq!(taken(&mut queue, TICK, &free), None);
        assert_eq!(taken(&mut queue, second, &free), Some(ids.0));
        assert_eq!(taken(&mut queue, second, &free), Some(ids.1));
        assert_eq!((queue.len(), queue.next_start(TICK)), (0, None));
    }

    #[test]
    fn an_event_whose_customer_is_worked_on_waits_and_lets_others_go_before() {
        let mut queue = Queue::default();
        let (first, other) = (sweep(1, 1, TICK, 0), sweep(2, 3, TICK, 1));
        let running = BTreeSet::from([first.event.key()]);
        let ids = (first.event.id(), other.event.id());
        queue.put(first);
        queue.put(other);
        let now = TICK + Duration::minutes(1);
        assert_eq!(taken(&mut queue, now, &running), Some(ids.1));
        assert_eq!(taken(&mut queue, now, &running), None);
        assert_eq!(queue.next_start(now), None, "it waits for no time");
        assert_eq!(taken(&mut queue, now, &BTreeSet::new()), Some(ids.0));
    }

    #[test]
    fn of_a_subject_only_the_newest_ticks_event_waits() {
        let mut queue = Queue::default();
        let next = TICK + Duration::hours(6);
        let (old, new) = (sweep(1, 1, TICK, 359), sweep(1, 1, next, 359));
        let (id, at) = (new.event.id(), old.at);
        queue.put(old.clone());
        queue.put(new);
        queue.put(old);
        assert_eq!((queue.len(), queue.next_start(TICK)), (1, Some(at)));
        assert_eq!(taken(&mut queue, at, &BTreeSet::new()), Some(id));
    }

    #[test]
    fn where_half_of_a_tick_is_done_the_other_half_goes_first_in_the_next() {
        let mut queue = Queue::default();
        let mut done: BTreeMap<u128, u32> = BTreeMap::new();
        for tick in 0..6 {
            let at = TICK + Duration::hours(6 * tick);
            for customer in 0..10 {
                let minutes = i64::try_from(customer).unwrap() * 30;
                queue.put(sweep(customer, customer, at, minutes));
            }
            for _ in 0..5 {
                let end = at + Duration::hours(6) - Duration::SECOND;
                let waiting = queue.take(end, |_| true).unwrap();
                let Event::EvidenceSweep(event) = waiting.event else {
                    unreachable!("only sweeps were put in");
                };
                let customer = event.customer_compliance_org_id.as_uuid().as_u128();
                *done.entry(customer).or_default() += 1;
            }
        }
        assert_eq!(done.len(), 10, "{done:?}");
        assert!(done.values().all(|times| *times == 3), "{done:?}");
    }

    #[test]
    fn events_of_ticks_in_the_future_are_dropped_and_keep_no_other_out() {
        let mut queue = Queue::default();
        let ahead = TICK + Duration::days(20);
        queue.put(sweep(1, 1, ahead, 5));
        queue.put(sweep(2, 2, TICK, 5));
        queue.drop_ahead(TICK);
        let right = sweep(1, 1, TICK, 10);
        let id = right.event.id();
        queue.put(right);
        assert_eq!(queue.len(), 2);
        let free = BTreeSet::new();
        let now = TICK + Duration::minutes(10);
        let _ = taken(&mut queue, now, &free);
        assert_eq!(taken(&mut queue, now, &free), Some(id));
    }
}
