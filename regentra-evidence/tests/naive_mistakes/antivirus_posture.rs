use regentra_evidence::{
    AntivirusPosture, Definitions, DeviceClass, DeviceFact, DeviceKey, Product, ProductFact,
    ProtectionState, Reason, Signal, SignatureHistory, Status, Vendor,
};
use time::Duration;

use crate::{ANSWERED, NOW, Naive, assert_ours, days_ago, fleet, naive, workstation};

fn product(device: u64, vendor: Vendor, state: ProtectionState) -> ProductFact {
    ProductFact {
        device: DeviceKey::new(device),
        product: Product::Real(vendor),
        state,
        definitions: Definitions::UpToDate,
        collected_at: Some(NOW),
    }
}

fn on(device: u64) -> ProductFact {
    product(device, Vendor::MicrosoftDefender, ProtectionState::On)
}

fn judge(
    devices: &[DeviceFact],
    facts: &[ProductFact],
    history: Option<&SignatureHistory>,
) -> Signal {
    let mut antivirus = AntivirusPosture::new(fleet(devices.iter().copied()));
    for fact in facts {
        let _ = antivirus.observe(*fact);
    }
    antivirus.finish(ANSWERED, history)
}

fn is_on(fact: &ProductFact) -> bool {
    fact.state == ProtectionState::On
}

#[test]
fn defender_stands_down_beside_another_product() {
    let facts = [
        product(1, Vendor::MicrosoftDefender, ProtectionState::Off),
        product(1, Vendor::Sentinelone, ProtectionState::On),
    ];
    assert_eq!(naive(facts.iter().all(is_on)), Naive::Fail);
    assert_ours(&judge(&[workstation(1)], &facts, None), Status::Pass, []);
}

#[test]
fn an_old_registration_of_the_same_product_lingers() {
    let facts = [
        product(1, Vendor::Bitdefender, ProtectionState::On),
        product(1, Vendor::Bitdefender, ProtectionState::Off),
    ];
    assert_eq!(naive(facts.last().is_some_and(is_on)), Naive::Fail);
    assert_ours(&judge(&[workstation(1)], &facts, None), Status::Pass, []);
}

#[test]
fn one_device_on_taken_for_all_protected() {
    let facts = [
        on(1),
        product(2, Vendor::MicrosoftDefender, ProtectionState::Off),
    ];
    assert_eq!(naive(facts.iter().any(is_on)), Naive::Pass);
    let devices = [workstation(1), workstation(2)];
    assert_ours(
        &judge(&devices, &facts, None),
        Status::Fail,
        [Reason::ProtectionOff],
    );
}

#[test]
fn no_row_taken_for_no_antivirus() {
    // Windows' security centre does not exist on servers: most report nothing.
    let server = |key| DeviceFact {
        class: DeviceClass::WindowsServer,
        ..workstation(key)
    };
    let devices = [server(1), server(2)];
    let facts: [ProductFact; 0] = [];
    let has_row = |device: &DeviceFact| facts.iter().any(|fact| fact.device == device.device);
    assert_eq!(naive(devices.iter().all(has_row)), Naive::Fail);
    assert_ours(
        &judge(&devices, &facts, None),
        Status::Unknown,
        [Reason::UnmeasuredDevices],
    );
}

#[test]
fn no_row_that_says_off_taken_for_all_on() {
    let facts = [on(1)];
    assert_eq!(naive(facts.iter().all(is_on)), Naive::Pass);
    let devices = [workstation(1), workstation(2)];
    assert_ours(
        &judge(&devices, &facts, None),
        Status::Warning,
        [Reason::UnmeasuredDevices],
    );
}

#[test]
fn the_product_called_none_taken_for_a_product() {
    let facts = [ProductFact {
        product: Product::None,
        ..on(1)
    }];
    assert_eq!(naive(facts.iter().all(is_on)), Naive::Pass);
    assert_ours(
        &judge(&[workstation(1)], &facts, None),
        Status::Fail,
        [Reason::ProtectionOff],
    );
}

#[test]
fn a_state_never_seen_before_taken_for_off() {
    let facts = [product(1, Vendor::Eset, ProtectionState::Unknown)];
    assert_eq!(naive(facts.iter().all(is_on)), Naive::Fail);
    assert_ours(
        &judge(&[workstation(1)], &facts, None),
        Status::Unknown,
        [Reason::UnmeasuredDevices],
    );
}

#[test]
fn the_time_of_collection_taken_for_the_age_of_the_signatures() {
    let facts = [ProductFact {
        definitions: Definitions::OutOfDate,
        ..on(1)
    }];
    let fresh = |fact: &ProductFact| {
        fact.collected_at
            .is_some_and(|at| NOW - at <= Duration::days(7))
    };
    assert_eq!(naive(facts.iter().all(fresh)), Naive::Pass);
    assert_ours(
        &judge(&[workstation(1)], &facts, None),
        Status::Warning,
        [Reason::AgeNotReported],
    );
}

#[test]
fn signatures_of_a_product_that_is_off() {
    let facts = [
        ProductFact {
            definitions: Definitions::OutOfDate,
            ..on(1)
        },
        product(1, Vendor::Avast, ProtectionState::Off),
    ];
    let current = |fact: &ProductFact| fact.definitions == Definitions::UpToDate;
    assert_eq!(
        naive(facts.iter().any(is_on) && facts.iter().any(current)),
        Naive::Pass
    );
    assert_ours(
        &judge(&[workstation(1)], &facts, None),
        Status::Warning,
        [Reason::AgeNotReported],
    );
}

#[test]
fn seven_days_and_twenty_three_hours_cut_to_seven_days() {
    let first_seen = days_ago(7) - Duration::hours(23);
    let history: SignatureHistory = [(DeviceKey::new(1), first_seen)].into_iter().collect();
    assert_eq!(naive((NOW - first_seen).whole_days() <= 7), Naive::Pass);
    let facts = [ProductFact {
        definitions: Definitions::OutOfDate,
        ..on(1)
    }];
    let signal = judge(&[workstation(1)], &facts, Some(&history));
    assert_ours(&signal, Status::Warning, [Reason::SignaturesAging]);
}

#[test]
fn signatures_that_nobody_speaks_of_taken_for_fresh() {
    let facts = [ProductFact {
        definitions: Definitions::Unknown,
        ..on(1)
    }];
    let out_of_date = |fact: &ProductFact| fact.definitions == Definitions::OutOfDate;
    assert_eq!(naive(!facts.iter().any(out_of_date)), Naive::Pass);
    assert_ours(
        &judge(&[workstation(1)], &facts, None),
        Status::Warning,
        [Reason::SignaturesUnmeasured],
    );
}

#[test]
fn an_on_row_a_month_older_than_todays_off_row() {
    let facts = [
        ProductFact {
            collected_at: Some(days_ago(29)),
            ..product(1, Vendor::Avast, ProtectionState::On)
        },
        product(1, Vendor::MicrosoftDefender, ProtectionState::Off),
    ];
    assert_eq!(naive(facts.iter().any(is_on)), Naive::Pass);
    assert_ours(
        &judge(&[workstation(1)], &facts, None),
        Status::Fail,
        [Reason::ProtectionOff],
    );
}

#[test]
fn a_product_without_a_name_that_is_on_taken_for_protection() {
    let facts = [ProductFact {
        product: Product::Nameless,
        ..on(1)
    }];
    assert_eq!(naive(facts.iter().any(is_on)), Naive::Pass);
    assert_ours(
        &judge(&[workstation(1)], &facts, None),
        Status::Unknown,
        [Reason::UnmeasuredDevices],
    );
}
