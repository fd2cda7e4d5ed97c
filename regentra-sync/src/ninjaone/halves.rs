//! Reads many organizations at once. If a response fails or loses a row, the list is split in halves and each half is read again, until the
//! affected organization is found.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use async_trait::async_trait;
use ninjaone_client::{DeviceFilter, ErrorKind, OrganizationId};

use super::group::Checkpoint;
use crate::error::{self, Error, Result};

/// After this many failures in a row, the server is taken to be down, and nothing more is read. One bad member of the largest group causes
/// nine failures.
const MOST_FAILURES: usize = 12;

/// After this many refused lists, no request uses a list of organizations.
const MOST_REFUSALS: usize = 2;

/// The filter for the devices of these organizations. For a single organization, it is the same filter as for reading the organization
/// alone.
pub(super) fn devices_of(organizations: &[OrganizationId]) -> DeviceFilter {
    match organizations {
        [alone] => DeviceFilter::organization(*alone),
        many => DeviceFilter::organization_in(many.iter().copied()),
    }
}

/// The error of a member that was not read to its end. When the event is delivered again, it reads the member.
pub(super) fn left_over() -> Error {
    let message = "answers for many organizations were not whole, and the requests that may be spent on reading again are spent: this one is \
                   read in another pass";
    Error::new(error::ErrorKind::Ninjaone(ErrorKind::Truncated), message).retryable(true)
}

/// Reads something for a part of the members. A part of one member is requested by its organization, without a list.
#[async_trait]
pub(super) trait PartReader: Send {
    /// Reads for these members, and replaces what was read for them before.
    async fn read(&mut self, part: &[usize]) -> PartEnd;

    /// Whether a part of several members can be requested with a list of organizations.
    fn may_list(&self) -> bool;

    /// Called when nothing more is read for these members. What was read for them before stays.
    fn give_up(&mut self, part: &[usize]);
}

/// How reading for a part ended.
#[derive(Debug)]
pub(super) struct PartEnd {
    /// Requests made.
    pub(super) requests: u64,
    pub(super) outcome: PartOutcome,
    /// Members of the part for which the response cannot be trusted. Each is read alone.
    pub(super) look_again: Vec<usize>,
    /// A member that was read alone has more rows than in the group, so the server leaves rows out for lists.
    pub(super) leaves_out: bool,
}

impl PartEnd {
    pub(super) const fn new(requests: u64, outcome: PartOutcome) -> Self {
        Self {
            requests,
            outcome,
            look_again: Vec::new(),
            leaves_out: false,
        }
    }
}

#[derive(Debug)]
pub(super) enum PartOutcome {
    /// It was read to its end, and every row is known.
    Whole,
    /// It was read, but rows are lost, or it is unknown whether it was read to its end.
    Lossy,
    /// The request failed.
    Failed(ErrorKind),
}

/// Whether a request fails in the same way for every member. Then requests for fewer members show nothing.
const fn is_of_everybody(error: ErrorKind) -> bool {
    matches!(
        error,
        ErrorKind::Config
            | ErrorKind::Unauthenticated
            | ErrorKind::WrongRegionOrClient
            | ErrorKind::ScopeNotGranted
            | ErrorKind::AuthorizeAgain
            | ErrorKind::RateLimited { .. }
            | ErrorKind::Certificate
            | ErrorKind::Budget
            | ErrorKind::TokenStore
    )
}

/// Whether an error usually means that the tenant does not have the report, or that the connection may not read it. Reading two members
/// alone shows whether this is so, or whether the refusal is about one member.
const fn is_probed(error: ErrorKind) -> bool {
    matches!(
        error,
        ErrorKind::UserContextRequired
            | ErrorKind::Forbidden
            | ErrorKind::NotAvailable
            | ErrorKind::NotFound
    )
}

/// Whether a quarter or more of the earlier rows are missing.
pub(super) const fn lacks_many(rows: u64, before: u64) -> bool {
    rows < before && rows.saturating_mul(4) <= before.saturating_mul(3)
}

/// At most this many organizations without a row are read alone, for a report that is not known to honour a list of organizations.
pub(super) const LOOKED_AT: usize = 3;

/// More rows of devices that no list contains are unusual.
pub(super) const MOST_OF_NO_LIST: u64 = 100;

/// At most `number` of these members, spread evenly over them.
pub(super) fn spread_over(members: &[usize], number: usize) -> Vec<usize> {
    let step = members.len().div_ceil(number.max(1)).max(1);
    members.iter().copied().step_by(step).collect()
}

/// The member with the most rows. It shows best whether a server leaves out a part of each organization's rows: of a single row, such a
/// server leaves out nothing.
pub(super) fn largest(members: &[usize], rows: &BTreeMap<usize, u64>) -> Option<usize> {
    let rows = |member: &usize| rows.get(member).copied();
    // Among equals, the first.
    members.iter().rev().copied().max_by_key(rows)
}

/// The requests that were spent, and those that may still be spent.
#[derive(Debug)]
pub(super) struct Spending<'a> {
    /// Requests that may still be spent on reading again.
    pub(super) left: u64,
    pub(super) requests: u64,
    pub(super) read_again: u64,
    /// Failures in a row.
    pub(super) failures: usize,
    pub(super) checkpoint: &'a dyn Checkpoint,
}

impl Spending<'_> {
    pub(super) const fn count(&mut self, requests: u64, is_again: bool) {
        self.requests += requests;
        if is_again {
            self.read_again += requests;
            self.left = self.left.saturating_sub(requests);
        }
    }
}

/// Reads for all members, together or each alone. If a part fails or loses rows, reads its halves.
///
/// # Errors
/// Only the errors of the checkpoint.
pub(super) async fn read_by_halves(
    reader: &mut dyn PartReader,
    members: Vec<usize>,
    together: bool,
    spending: &mut Spending<'_>,
) -> Result<()> {
    let each_alone = |members: &[usize]| members.iter().map(|of| vec![*of]).collect::<Vec<_>>();
    let mut queue: VecDeque<Vec<usize>> = if together {
        VecDeque::from([members.clone()])
    } else {
        each_alone(&members).into()
    };
    let mut read_alone = BTreeSet::new();
    // If each member is read alone to begin with, this first reading does not count as reading again.
    let mut at_first = queue.len();
    let (mut refused, mut reads) = (0, 0_usize);
    let mut probed: Option<Vec<usize>> = None;
    while let Some(mut part) = queue.pop_front() {
        let is_again = at_first == 0;
        at_first = at_first.saturating_sub(1);
        part.retain(|member| !read_alone.contains(member));
        if part.is_empty() {
            continue;
        }
        let is_down = spending.failures >= MOST_FAILURES;
        if (is_again && spending.left == 0) || (is_down && reads > 0) {
            reader.give_up(&part);
            continue;
        }
        spending.checkpoint.check().await?;
        let end = reader.read(&part).await;
        reads += 1;
        spending.count(end.requests.max(1), is_again);
        let is_alone = part.len() == 1;
        if is_alone {
            read_alone.extend(part.iter().copied());
        }
        let is_answered = !matches!(end.outcome, PartOutcome::Failed(_));
        let is_probe = is_alone && probed.is_some();
        if let Some(others) = probed.take_if(|_| is_probe && is_answered) {
            let (first, second) = others.split_at(others.len() / 2);
            queue.push_front(second.to_vec());
            queue.push_front(first.to_vec());
        }
        let is_split = match &end.outcome {
            PartOutcome::Whole => {
                spending.failures = 0;
                false
            }
            PartOutcome::Lossy => {
                spending.failures = 0;
                !is_alone
            }
            PartOutcome::Failed(error) => {
                // A server that refuses a request is not down.
                spending.failures += usize::from(!is_probed(*error));
                let is_probe = !is_alone && is_probed(*error);
                if is_probe {
                    probed = Some(part.clone());
                    for member in [part.last(), part.first()] {
                        queue.push_front(member.copied().into_iter().collect());
                    }
                }
                !is_alone && !is_probe && !is_of_everybody(*error)
            }
        };
        refused += usize::from(matches!(
            end.outcome,
            PartOutcome::Failed(ErrorKind::InvalidRequest)
        ));
        if is_split && (refused >= MOST_REFUSALS || !reader.may_list()) {
            // The server refuses lists of any length, or lists are known to leave out rows.
            for alone in each_alone(&part).into_iter().rev() {
                queue.push_front(alone);
            }
        } else if is_split {
            let (first, second) = part.split_at(part.len() / 2);
            queue.push_front(second.to_vec());
            queue.push_front(first.to_vec());
        } else {
            queue.extend(each_alone(&end.look_again));
        }
        if end.leaves_out {
            queue.extend(each_alone(&members));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_quarter_of_the_rows_is_many() {
        for (rows, before, is_many) in [
            (0, 0, false),
            (0, 1, true),
            (1, 1, false),
            (1, 2, true),
            (2, 3, true),
            (3, 4, true),
            (4, 5, false),
            (75, 100, true),
            (76, 100, false),
            (9, 8, false),
        ] {
            assert_eq!(lacks_many(rows, before), is_many, "{rows} of {before}");
        }
    }

    /// A server that fails or loses a row for some members.
    #[derive(Default)]
    struct Server {
        bad: BTreeSet<usize>,
        lossy: BTreeSet<usize>,
        suspect: BTreeSet<usize>,
        hidden: BTreeSet<usize>,
        is_down: bool,
        is_refused: bool,
        forbidden: BTreeSet<usize>,
        ends: BTreeMap<usize, &'static str>,
        reads: Vec<Vec<usize>>,
    }

    #[async_trait]
    impl PartReader for Server {
        async fn read(&mut self, part: &[usize]) -> PartEnd {
            self.reads.push(part.to_vec());
            let has = |of: &BTreeSet<usize>| part.iter().any(|member| of.contains(member));
            let (outcome, end) = if self.is_down || has(&self.bad) {
                (PartOutcome::Failed(ErrorKind::Server), "failed")
            } else if self.is_refused || has(&self.forbidden) {
                (PartOutcome::Failed(ErrorKind::NotAvailable), "refused")
            } else if has(&self.lossy) {
                (PartOutcome::Lossy, "lossy")
            } else {
                (PartOutcome::Whole, "whole")
            };
            self.ends.extend(part.iter().map(|member| (*member, end)));
            let mut end = PartEnd::new(1, outcome);
            if part.len() > 1 {
                let suspect = part.iter().filter(|member| self.suspect.contains(member));
                end.look_again = suspect.copied().collect();
            } else {
                end.leaves_out = has(&self.hidden);
            }
            end
        }

        fn may_list(&self) -> bool {
            true
        }

        fn give_up(&mut self, part: &[usize]) {
            for member in part {
                self.ends.entry(*member).or_insert("left");
            }
        }
    }

    #[derive(Debug)]
    struct GoOn;

    #[async_trait]
    impl Checkpoint for GoOn {
        async fn check(&self) -> Result<()> {
            Ok(())
        }
    }

    async fn read(server: &mut Server, members: usize, together: bool, left: u64) -> (u64, u64) {
        let mut spending = Spending {
            left,
            requests: 0,
            read_again: 0,
            failures: 0,
            checkpoint: &GoOn,
        };
        let all = (0..members).collect();
        read_by_halves(server, all, together, &mut spending)
            .await
            .unwrap();
        (spending.requests, spending.read_again)
    }

    #[tokio::test]
    async fn what_goes_well_is_read_once() {
        let mut server = Server::default();
        assert_eq!(read(&mut server, 200, true, 0).await, (1, 0));
        assert!(server.ends.values().all(|end| *end == "whole"));
    }

    #[tokio::test]
    async fn one_bad_member_is_found_by_halves() {
        for (bad, lossy, end) in [(true, false, "failed"), (false, true, "lossy")] {
            let of = BTreeSet::from([77]);
            let mut server = Server {
                bad: if bad { of.clone() } else { BTreeSet::new() },
                lossy: if lossy { of } else { BTreeSet::new() },
                ..Server::default()
            };
            let (requests, _) = read(&mut server, 200, true, 1_000).await;
            assert!(requests <= 1 + 2 * 8, "{requests}");
            for (member, ended) in server.ends {
                assert_eq!(ended, if member == 77 { end } else { "whole" });
            }
        }
    }

    #[tokio::test]
    async fn what_the_budget_does_not_reach_stays_as_it_was() {
        let mut server = Server {
            lossy: BTreeSet::from([0]),
            ..Server::default()
        };
        let (requests, again) = read(&mut server, 64, true, 3).await;
        assert_eq!((requests, again), (4, 3));
        let whole = server.ends.values().filter(|end| **end == "whole").count();
        assert_eq!(whole, 0, "the bad one is among the first half of each half");
        assert_eq!(server.ends[&0], "lossy");
    }

    #[tokio::test]
    async fn a_server_that_is_down_is_not_asked_for_everybody() {
        for together in [true, false] {
            let mut server = Server {
                is_down: true,
                ..Server::default()
            };
            read(&mut server, 200, together, 1_000).await;
            assert_eq!(server.reads.len(), MOST_FAILURES);
            assert_eq!(server.ends.len(), 200, "{together}");
        }
    }

    #[tokio::test]
    async fn one_member_that_nobody_may_read_does_not_hide_the_others() {
        for member in [0, 5, 19] {
            let mut server = Server {
                forbidden: BTreeSet::from([member]),
                ..Server::default()
            };
            let (requests, _) = read(&mut server, 20, true, 1_000).await;
            assert!(requests <= 30, "{requests}");
            for (of, ended) in server.ends {
                assert_eq!(ended, if of == member { "refused" } else { "whole" });
            }
        }
    }

    #[tokio::test]
    async fn what_nobody_may_have_is_asked_for_once_and_of_two_members() {
        let mut server = Server {
            is_refused: true,
            ..Server::default()
        };
        read(&mut server, 200, true, 1_000).await;
        assert_eq!(server.reads.len(), 3);
    }

    #[tokio::test]
    async fn a_member_that_is_suspect_is_read_alone_and_all_are_once_one_hid_rows() {
        let mut server = Server {
            suspect: BTreeSet::from([3, 4]),
            ..Server::default()
        };
        assert_eq!(read(&mut server, 10, true, 99).await, (3, 2));
        server.hidden = BTreeSet::from([4]);
        assert_eq!(read(&mut server, 10, true, 99).await, (11, 10));
    }

    proptest! {
        /// Every member ends as it would alone, at a cost of at most two requests per member besides the first.
        #[test]
        fn every_member_ends_as_alone(
            members in 1_usize..80,
            bad in prop::collection::btree_set(0_usize..80, 0..3),
            lossy in prop::collection::btree_set(0_usize..80, 0..6),
            together: bool,
        ) {
            let mut server = Server { bad, lossy, ..Server::default() };
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (requests, _) = runtime.block_on(read(&mut server, members, together, 10_000));
            prop_assert!(requests <= 2 * members as u64);
            for member in 0..members {
                let alone = if server.bad.contains(&member) { "failed" }
                    else if server.lossy.contains(&member) { "lossy" }
                    else { "whole" };
                prop_assert_eq!(server.ends[&member], alone);
            }
        }
    }
}
