//! Laws that hold for every fleet and every list of rows, however odd.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod antivirus_posture;
mod backup_activity;
mod chain;
mod disk_encryption;
mod evaluator;
mod patch_sla;
mod sums;
mod world;

use std::{fmt::Debug, sync::Arc};

use proptest::{prelude::*, sample::select};
use regentra_evidence::{
    AntivirusPosture, BackupActivity, DeviceClass, DeviceFact, DeviceKey, DiskEncryption, Fleet,
    PatchSla, ReportState, Signal, Status, device_inventory,
};

use crate::{
    evaluator::Evaluator,
    sums::{check_clean, check_pass, check_sums},
    world::{
        ANSWERED, NOW, device_facts, digest_key, fleet, fleet_by, live, silent_fleet, stricter,
    },
};

/// Rows in another order, some of them twice, each for one of two parts.
fn rearranged<F: Clone + Debug + 'static>(
    facts: BoxedStrategy<Vec<F>>,
) -> impl Strategy<Value = (Vec<F>, Vec<(F, bool)>)> {
    facts
        .prop_flat_map(|facts| {
            let repeated = prop::collection::vec(any::<prop::sample::Index>(), 0..8);
            (Just(facts), repeated)
        })
        .prop_flat_map(|(facts, repeated)| {
            let mut more = facts.clone();
            if !facts.is_empty() {
                more.extend(repeated.iter().map(|index| index.get(&facts).clone()));
            }
            let parts = prop::collection::vec(any::<bool>(), more.len());
            (Just(facts), Just(more).prop_shuffle(), parts)
        })
        .prop_map(|(facts, more, parts)| (facts, more.into_iter().zip(parts).collect()))
}

/// From good to bad; `None` when it was not judged.
fn badness(signal: &Signal) -> Option<u8> {
    match signal.status {
        Status::Pass => Some(0),
        Status::Warning => Some(1),
        Status::Fail => Some(2),
        Status::Unknown | Status::NotApplicable => None,
    }
}

/// The same devices, of classes whose rows can be good and bad.
fn telling<E: Evaluator>(mut devices: Vec<DeviceFact>) -> Vec<DeviceFact> {
    for fact in &mut devices {
        if !E::can_tell(fact.class) || fact.class == DeviceClass::Unreadable {
            fact.class = DeviceClass::WindowsWorkstation;
        }
    }
    devices
}

/// What stricter rules make of the same rows: no pass that the promise does not give, and no failure excused.
fn check_stricter(promised: &Signal, strict: &Signal) -> Result<(), TestCaseError> {
    if strict.status == Status::Pass {
        prop_assert_eq!(promised.status, Status::Pass);
    }
    if promised.status == Status::Fail {
        prop_assert_eq!(strict.status, Status::Fail);
    }
    Ok(())
}

macro_rules! laws {
    ($($name:ident: $evaluator:ty,)+) => {$(
        mod $name {
            use super::*;

            type E = $evaluator;

            proptest! {
                #[test]
                fn order_split_and_repetition_change_nothing(
                    devices in device_facts(),
                    (facts, rearranged) in rearranged(<E as Evaluator>::facts()),
                ) {
                    let fleet = fleet(&devices);
                    let mut whole = <E as Evaluator>::new(Arc::clone(&fleet));
                    for fact in &facts {
                        Evaluator::observe(&mut whole, fact);
                    }
                    let mut parts = [(); 2].map(|()| <E as Evaluator>::new(Arc::clone(&fleet)));
                    for (fact, part) in &rearranged {
                        Evaluator::observe(&mut parts[usize::from(*part)], fact);
                    }
                    let [mut left, right] = parts;
                    let mut swapped = right.clone();
                    Evaluator::merge(&mut swapped, left.clone());
                    Evaluator::merge(&mut left, right);

                    let (expected, digest) = Evaluator::finish(whole, ANSWERED);
                    let json = serde_json::to_string(&expected).unwrap();
                    for merged in [left, swapped] {
                        let (signal, own) = Evaluator::finish(merged, ANSWERED);
                        prop_assert_eq!(serde_json::to_string(&signal).unwrap(), json.clone());
                        prop_assert_eq!(own, digest.clone());
                    }
                }

                #[test]
                fn counts_add_up_and_a_pass_means_what_it_says(
                    devices in device_facts(),
                    facts in <E as Evaluator>::facts(),
                ) {
                    let signal = E::judge(&fleet(&devices), &facts);
                    check_sums(&signal);
                    check_pass(&signal);
                    check_clean(&signal);
                    let json = serde_json::to_string(&signal).unwrap();
                    prop_assert_eq!(serde_json::from_str::<Signal>(&json).unwrap(), signal);
                }

                /// A fleet that passes but for a few rows; the times of any of its rows are made unreadable.
                #[test]
                fn rows_without_a_readable_time_never_make_a_pass(
                    devices in 1_u64..9,
                    odd in <E as Evaluator>::facts().prop_map(|mut odd| { odd.truncate(4); odd }),
                    mask in prop::collection::vec(prop::bool::weighted(0.3), 64),
                ) {
                    let all: Vec<_> = (1..=devices).map(live).collect();
                    let fleet = fleet(&all);
                    let mut facts = odd;
                    facts.extend((1..=devices).flat_map(E::enough));
                    let before = E::judge(&fleet, &facts);
                    let undated: Vec<_> = facts
                        .iter()
                        .zip(mask)
                        .map(|(fact, undate)| if undate { E::undated(fact) } else { fact.clone() })
                        .collect();
                    prop_assert_eq!(undated.len(), facts.len());
                    let after = E::judge(&fleet, &undated);
                    check_sums(&after);
                    prop_assert!(
                        after.status != Status::Pass || before.status == Status::Pass,
                        "{:?} became a pass: {:?}", before.status, undated
                    );
                }

                /// A fleet that passes but for a few devices and rows; fields of any of its rows are made unreadable.
                #[test]
                fn rows_with_fields_that_cannot_be_read_never_make_a_pass(
                    devices in 1_u64..9,
                    odd in <E as Evaluator>::facts().prop_map(|mut odd| { odd.truncate(4); odd }),
                    mask in prop::collection::vec((prop::bool::weighted(0.3), any::<u8>()), 64),
                ) {
                    let all: Vec<_> = (1..=devices).map(live).collect();
                    let fleet = fleet(&all);
                    let mut facts = odd;
                    facts.extend((1..=devices).flat_map(E::enough));
                    let before = E::judge(&fleet, &facts);
                    let damaged: Vec<_> = facts
                        .iter()
                        .zip(mask)
                        .map(|(fact, (damage, field))| if damage { E::damaged(fact, field) } else { fact.clone() })
                        .collect();
                    prop_assert_eq!(damaged.len(), facts.len());
                    let after = E::judge(&fleet, &damaged);
                    check_sums(&after);
                    prop_assert!(
                        after.status != Status::Pass || before.status == Status::Pass,
                        "{:?} became a pass: {:?}", before.status, damaged
                    );
                }

                /// The same of devices, of any class.
                #[test]
                fn a_class_that_cannot_be_read_never_makes_a_pass(
                    devices in 1_u64..9,
                    mut others in device_facts(),
                    odd in <E as Evaluator>::facts().prop_map(|mut odd| { odd.truncate(4); odd }),
                    mask in prop::collection::vec(prop::bool::weighted(0.3), 16),
                ) {
                    others.truncate(4);
                    let mut all: Vec<_> = (1..=devices).map(live).collect();
                    all.extend(others.into_iter().map(|fact| DeviceFact {
                        device: DeviceKey::new(fact.device.get() + 8),
                        ..fact
                    }));
                    let mut facts = odd;
                    facts.extend((1..=16).flat_map(E::enough));
                    let before = E::judge(&fleet(&all), &facts);
                    for (device, damage) in all.iter_mut().zip(mask) {
                        if damage {
                            device.class = DeviceClass::Unreadable;
                        }
                    }
                    let after = E::judge(&fleet(&all), &facts);
                    check_sums(&after);
                    prop_assert!(
                        after.status != Status::Pass || before.status == Status::Pass,
                        "{:?} became a pass: {:?} {:?}", before.status, all, facts
                    );
                }

                #[test]
                fn a_good_row_never_worsens(
                    devices in device_facts(),
                    mut facts in <E as Evaluator>::facts(),
                    good in E::good(),
                ) {
                    let fleet = fleet(&telling::<E>(devices));
                    let before = E::judge(&fleet, &facts);
                    facts.push(good);
                    let after = E::judge(&fleet, &facts);
                    if let (Some(before), Some(after)) = (badness(&before), badness(&after)) {
                        prop_assert!(after <= before);
                    }
                }

                #[test]
                fn a_bad_row_never_improves(
                    devices in device_facts(),
                    mut facts in <E as Evaluator>::facts(),
                    bad in E::bad(),
                ) {
                    let fleet = fleet(&telling::<E>(devices));
                    let before = E::judge(&fleet, &facts);
                    facts.push(bad);
                    let after = E::judge(&fleet, &facts);
                    if let (Some(before), Some(after)) = (badness(&before), badness(&after)) {
                        prop_assert!(after >= before);
                    }
                }

                #[test]
                fn rules_that_are_accepted_never_pass_what_the_promise_does_not(
                    devices in prop_oneof![device_facts().boxed(), silent_fleet().boxed()],
                    facts in prop_oneof![
                        <E as Evaluator>::facts(),
                        prop::collection::vec(E::good(), 0..48).boxed(),
                    ],
                    rules in stricter(),
                ) {
                    let promised = E::judge(&fleet(&devices), &facts);
                    let strict = E::judge(&fleet_by(rules, &devices), &facts);
                    check_sums(&strict);
                    check_pass(&strict);
                    check_stricter(&promised, &strict)?;
                }

                #[test]
                fn a_partial_answer_never_passes(
                    devices in device_facts(),
                    facts in <E as Evaluator>::facts(),
                ) {
                    let mut truncated = Fleet::builder(NOW);
                    for fact in &devices {
                        truncated.observe(*fact);
                    }
                    truncated.truncated();
                    let signal = E::judge(&truncated.build(), &facts);
                    prop_assert_ne!(signal.status, Status::Pass);
                    prop_assert!(!signal.complete);

                    for report in [
                        ReportState::failed(),
                        ReportState::not_available(),
                        ReportState::with_malformed_rows(),
                    ] {
                        let mut evaluator = <E as Evaluator>::new(fleet(&devices));
                        for fact in &facts {
                            Evaluator::observe(&mut evaluator, fact);
                        }
                        let (signal, _) = Evaluator::finish(evaluator, report);
                        prop_assert_ne!(signal.status, Status::Pass);
                        check_sums(&signal);
                    }
                }
            }
        }
    )+};
}

laws! {
    disk: DiskEncryption,
    antivirus: AntivirusPosture,
    patches: PatchSla,
    backups: BackupActivity,
}

proptest! {
    #[test]
    fn a_fleet_is_the_same_in_any_order_and_split(
        (facts, rearranged) in rearranged(device_facts().boxed()),
    ) {
        let whole = fleet(&facts);
        let mut parts = [(); 2].map(|()| Fleet::builder(NOW));
        for (fact, part) in &rearranged {
            parts[usize::from(*part)].observe(*fact);
        }
        let [mut left, right] = parts;
        let mut swapped = right.clone();
        swapped.merge(left.clone()).unwrap();
        left.merge(right).unwrap();
        for merged in [left.build(), swapped.build()] {
            prop_assert_eq!(&merged, &whole);
            prop_assert_eq!(
                device_inventory::finish_with_digest(&merged, &digest_key()),
                device_inventory::finish_with_digest(&whole, &digest_key())
            );
        }
    }

    #[test]
    fn an_inventory_by_accepted_rules_never_passes_what_the_promise_does_not(
        devices in prop_oneof![device_facts().boxed(), silent_fleet().boxed()],
        rules in stricter(),
    ) {
        let promised = device_inventory::finish(&fleet(&devices));
        let strict = device_inventory::finish(&fleet_by(rules, &devices));
        check_sums(&strict);
        check_stricter(&promised, &strict)?;
    }

    #[test]
    fn the_inventory_adds_up_and_follows_its_rows(
        devices in device_facts(),
        class in select(vec![DeviceClass::Mobile, DeviceClass::WindowsServer]),
    ) {
        let before = device_inventory::finish(&fleet(&devices));
        check_sums(&before);
        check_pass(&before);
        check_clean(&before);
        for offline in [false, true] {
            let mut devices = devices.clone();
            devices.push(DeviceFact {
                device: DeviceKey::new(99),
                approved: true,
                class,
                offline: Some(offline),
                last_contact: Some(NOW),
            });
            let after = badness(&device_inventory::finish(&fleet(&devices))).unwrap();
            let before = badness(&before).unwrap();
            let holds = if offline { after >= before } else { after <= before };
            prop_assert!(holds, "{} {}", before, after);
        }
    }
}
