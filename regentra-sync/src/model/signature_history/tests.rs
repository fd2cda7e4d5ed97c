use proptest::prelude::*;
use time::{Duration, macros::datetime};

use super::*;

const START: OffsetDateTime = datetime!(2026-10-01 06:30 UTC);

fn device() -> DeviceDigest {
    DeviceDigest::from_bytes([0xd; 32])
}

/// Sweeps day by day: out of date (`true`), up to date (`false`), or not seen. Since when the device is out of date, as days
/// from the start, on each day it is seen so.
fn ages(history: &mut SignatureRecords, sightings: &[Option<bool>]) -> Vec<Option<i64>> {
    let mut ages = Vec::new();
    for (sighting, day) in sightings.iter().zip(0_i64..) {
        let now = START + Duration::days(day);
        if *sighting == Some(true) {
            let known = history.get(&device());
            let since = known.and_then(|known| match known.state {
                SignatureState::UpToDate => Some(now),
                SignatureState::OutOfDate => Some(known.since),
                SignatureState::OutOfDateAtFirst => None,
            });
            ages.push(since.map(|since| (since - START).whole_days()));
        }
        let seen = sighting.map(|sighting| (device(), sighting));
        let SignatureChanges { changed, forgotten } = SignatureChanges::between(history, seen, now);
        assert_eq!(forgotten, []);
        history.extend(changed);
    }
    ages
}

#[test]
fn an_age_runs_from_the_first_out_of_date_sighting_after_an_up_to_date_one() {
    const OUT: Option<bool> = Some(true);
    const UP: Option<bool> = Some(false);
    type Case<'a> = (&'a str, &'a [Option<bool>], &'a [Option<i64>]);
    let table: [Case<'_>; 8] = [
        (
            "out of date at first",
            &[OUT, OUT, OUT],
            &[None, None, None],
        ),
        (
            "up to date once",
            &[OUT, UP, OUT, OUT],
            &[None, Some(2), Some(2)],
        ),
        ("seen to change", &[UP, OUT, OUT], &[Some(1), Some(1)]),
        ("changed again", &[UP, OUT, UP, OUT], &[Some(1), Some(3)]),
        (
            "missed in between",
            &[UP, OUT, None, None, OUT],
            &[Some(1), Some(1)],
        ),
        (
            "missed before it changed",
            &[UP, None, None, OUT],
            &[Some(3)],
        ),
        ("missed at first", &[None, OUT, None, OUT], &[None, None]),
        ("never out of date", &[UP, UP, None], &[]),
    ];
    for (name, sightings, expected) in table {
        assert_eq!(
            ages(&mut SignatureRecords::new(), sightings),
            expected,
            "{name}"
        );
    }
}

#[test]
fn what_an_older_release_stored_keeps_its_running_age() {
    let since = START - Duration::days(40);
    let state = SignatureState::OutOfDate;
    let mut history = SignatureRecords::from([(device(), SignatureRecord { state, since })]);
    assert_eq!(
        ages(&mut history, &[Some(true), None, Some(true)]),
        [Some(-40), Some(-40)]
    );
}

#[test]
fn states_keep_their_names() {
    for state in [
        SignatureState::UpToDate,
        SignatureState::OutOfDate,
        SignatureState::OutOfDateAtFirst,
    ] {
        assert_eq!(SignatureState::from_name(state.as_str()), Some(state));
    }
    assert_eq!(SignatureState::from_name("fresh"), None);
}

proptest! {
    /// Forgetting a device (a disconnect, an un-mapping, a move) at any point never makes its signatures younger than they were:
    /// their age is then what it was, or not known, until it is seen up to date.
    #[test]
    fn forgetting_a_device_never_makes_old_signatures_fresh(
        sightings in proptest::collection::vec(proptest::option::of(any::<bool>()), 1..20),
        forgotten_at in 0_usize..20,
    ) {
        let whole = ages(&mut SignatureRecords::new(), &sightings);
        let at = forgotten_at.min(sightings.len());
        let missed: Vec<_> = sightings[..at].iter().map(|_| None).chain(sightings[at..].iter().copied()).collect();
        let after = ages(&mut SignatureRecords::new(), &missed);
        let skipped = sightings[..at].iter().filter(|seen| **seen == Some(true)).count();
        for (whole, after) in whole[skipped..].iter().zip(after) {
            prop_assert!(after.is_none() || after == *whole, "{:?} instead of {:?}", after, whole);
        }
    }
}
