use time::Duration;

use super::*;
use crate::{
    device::{DeviceClass, DeviceFact},
    fixture::{
        NOW, days_ago, device, digest_key, each_changed, fleet, not_approved, reasons, stale,
        up_to_three, workstation, workstations,
    },
    rules::Rules,
    signature_history::SignaturesSeen,
};

const ANSWERED: ReportState = ReportState::answered();

fn on(device: u64) -> ProductFact {
    ProductFact {
        device: DeviceKey::new(device),
        product: Product::Real(Vendor::MicrosoftDefender),
        state: ProtectionState::On,
        definitions: Definitions::UpToDate,
        collected_at: Some(NOW),
    }
}

fn off(device: u64) -> ProductFact {
    ProductFact {
        state: ProtectionState::Off,
        ..on(device)
    }
}

fn strange(device: u64) -> ProductFact {
    ProductFact {
        state: ProtectionState::Unknown,
        ..on(device)
    }
}

fn none(device: u64) -> ProductFact {
    ProductFact {
        product: Product::None,
        state: ProtectionState::Unknown,
        definitions: Definitions::Unknown,
        ..on(device)
    }
}

fn out_of_date(device: u64) -> ProductFact {
    ProductFact {
        definitions: Definitions::OutOfDate,
        ..on(device)
    }
}

fn made_by(vendor: Vendor, fact: ProductFact) -> ProductFact {
    ProductFact {
        product: Product::Real(vendor),
        ..fact
    }
}

fn answer(device: u64, answer: CustomAnswer) -> CustomFact {
    CustomFact {
        device: DeviceKey::new(device),
        answer,
    }
}

fn evaluator(fleet: &Arc<Fleet>, facts: impl IntoIterator<Item = ProductFact>) -> AntivirusPosture {
    let mut antivirus = AntivirusPosture::new(Arc::clone(fleet));
    for fact in facts {
        let _ = antivirus.observe(fact);
    }
    antivirus
}

fn finished(signal: Signal) -> (Signal, AntivirusPostureMetadata) {
    let Metadata::AntivirusPosture(metadata) = &signal.metadata else {
        panic!("{signal:?}")
    };
    let metadata = metadata.clone();
    (signal, metadata)
}

fn judge(
    fleet: &Arc<Fleet>,
    facts: impl IntoIterator<Item = ProductFact>,
    history: Option<&SignatureHistory>,
) -> (Signal, AntivirusPostureMetadata) {
    finished(evaluator(fleet, facts).finish(ANSWERED, history))
}

fn since(times: &[(u64, OffsetDateTime)]) -> SignatureHistory {
    times
        .iter()
        .map(|(device, time)| (DeviceKey::new(*device), *time))
        .collect()
}

#[test]
fn a_device_is_on_if_any_real_product_is() {
    let sentinel_on = made_by(Vendor::Sentinelone, on(1));
    let sentinel_off = made_by(Vendor::Sentinelone, off(1));
    let table: [(&[ProductFact], [u64; 3]); 15] = [
        // rows -> on, off, unmeasured
        (&[], [0, 0, 1]),
        (&[on(1)], [1, 0, 0]),
        (&[off(1)], [0, 1, 0]),
        (&[strange(1)], [0, 0, 1]),
        // Defender stands down beside a third-party product.
        (&[off(1), sentinel_on], [1, 0, 0]),
        // An old registration of the same product lingers.
        (&[sentinel_off, sentinel_on], [1, 0, 0]),
        (&[off(1), sentinel_off], [0, 1, 0]),
        (&[on(1), strange(1)], [1, 0, 0]),
        (&[off(1), strange(1)], [0, 0, 1]),
        // No product is no product, whatever its state says.
        (&[none(1)], [0, 1, 0]),
        (
            &[ProductFact {
                state: ProtectionState::On,
                ..none(1)
            }],
            [0, 1, 0],
        ),
        (&[none(1), off(1)], [0, 1, 0]),
        (&[none(1), strange(1)], [0, 0, 1]),
        (&[none(1), on(1)], [1, 0, 0]),
        // A row that is too old says nothing.
        (
            &[ProductFact {
                collected_at: Some(days_ago(31)),
                ..on(1)
            }],
            [0, 0, 1],
        ),
    ];
    for (rows, [on, off, unmeasured]) in table {
        let expected = ProtectionCounts {
            on,
            off,
            unmeasured,
        };
        let (signal, metadata) = judge(&workstations(1), rows.iter().copied(), None);
        assert_eq!(metadata.devices, expected, "{rows:?}");
        let (reversed, _) = judge(&workstations(1), rows.iter().rev().copied(), None);
        assert_eq!(reversed, signal, "{rows:?}");
        assert_eq!(
            (metadata.scope.measured, metadata.scope.unmeasured),
            (on + off, unmeasured)
        );
    }
}

#[test]
fn signatures_come_from_the_row_that_protects() {
    let unsaid = ProductFact {
        definitions: Definitions::Unknown,
        ..on(1)
    };
    let old_third_party = made_by(Vendor::Eset, out_of_date(1));
    let fresh_but_off = made_by(Vendor::Avast, off(1));
    let table: [(&[ProductFact], SignatureCounts, Vendor); 6] = [
        (
            &[on(1)],
            SignatureCounts {
                fresh: 1,
                ..SignatureCounts::default()
            },
            Vendor::MicrosoftDefender,
        ),
        // The best among the rows that are on.
        (
            &[old_third_party, on(1)],
            SignatureCounts {
                fresh: 1,
                ..SignatureCounts::default()
            },
            Vendor::MicrosoftDefender,
        ),
        (
            &[old_third_party, unsaid],
            SignatureCounts {
                age_not_reported: 1,
                ..SignatureCounts::default()
            },
            Vendor::Eset,
        ),
        (
            &[unsaid],
            SignatureCounts {
                unmeasured: 1,
                ..SignatureCounts::default()
            },
            Vendor::MicrosoftDefender,
        ),
        // A product that is off lends nobody its signatures.
        (
            &[old_third_party, fresh_but_off],
            SignatureCounts {
                age_not_reported: 1,
                ..SignatureCounts::default()
            },
            Vendor::Eset,
        ),
        // A tie goes to the vendor that comes first in the alphabet.
        (
            &[
                made_by(Vendor::Sophos, on(1)),
                made_by(Vendor::Bitdefender, on(1)),
                on(1),
            ],
            SignatureCounts {
                fresh: 1,
                ..SignatureCounts::default()
            },
            Vendor::Bitdefender,
        ),
    ];
    for (rows, signatures, vendor) in table {
        let (_, metadata) = judge(&workstations(1), rows.iter().copied(), None);
        assert_eq!(metadata.signatures, signatures, "{rows:?}");
        assert_eq!(metadata.vendors, BTreeMap::from([(vendor, 1)]), "{rows:?}");
    }
}

#[test]
fn ages_run_from_when_signatures_were_first_seen_out_of_date() {
    let nano = Duration::NANOSECOND;
    let table = [
        (NOW, 0, Status::Pass, ""),
        (days_ago(7), 0, Status::Pass, ""),
        (days_ago(7) - nano, 1, Status::Warning, "signatures_aging"),
        (days_ago(30), 1, Status::Warning, "signatures_aging"),
        (
            days_ago(30) - nano,
            2,
            Status::Fail,
            "signatures_over_30_days",
        ),
        (days_ago(4000), 2, Status::Fail, "signatures_over_30_days"),
        // Ahead of time, or before 1970: not a time anybody saw it.
        (NOW + Duration::minutes(5), 0, Status::Pass, ""),
        (
            NOW + Duration::minutes(6),
            3,
            Status::Warning,
            "age_not_reported",
        ),
        (
            OffsetDateTime::UNIX_EPOCH,
            3,
            Status::Warning,
            "age_not_reported",
        ),
    ];
    for (first_seen, bucket, status, codes) in table {
        let history = since(&[(1, first_seen)]);
        let (signal, metadata) = judge(&workstations(1), [out_of_date(1)], Some(&history));
        let counts = metadata.signatures;
        assert_eq!(
            [
                counts.fresh,
                counts.aged_7_to_30,
                counts.over_30,
                counts.age_not_reported
            ]
            .iter()
            .position(|count| *count == 1),
            Some(bucket),
            "{first_seen}"
        );
        assert_eq!(
            (signal.status, reasons(&signal).as_str()),
            (status, codes),
            "{first_seen}"
        );
        assert_eq!(metadata.age_basis, AgeBasis::FirstSeen);
    }
}

#[test]
fn without_history_an_age_is_not_reported() {
    let (signal, metadata) = judge(&workstations(1), [out_of_date(1)], None);
    assert_eq!(
        (signal.status, reasons(&signal).as_str()),
        (Status::Warning, "age_not_reported")
    );
    assert_eq!(metadata.age_basis, AgeBasis::StatusOnly);
    // Nor is it with a history that does not know the device.
    let history = since(&[(2, days_ago(90))]);
    let (signal, _) = judge(&workstations(1), [out_of_date(1)], Some(&history));
    assert_eq!(
        (signal.status, reasons(&signal).as_str()),
        (Status::Warning, "age_not_reported")
    );
}

#[test]
fn a_history_ages_nothing_that_is_up_to_date_or_unsaid() {
    let history = since(&[(1, days_ago(90))]);
    let (signal, _) = judge(&workstations(1), [on(1)], Some(&history));
    assert_eq!(signal.status, Status::Pass);
    let unsaid = ProductFact {
        definitions: Definitions::Unknown,
        ..on(1)
    };
    let (signal, metadata) = judge(&workstations(1), [unsaid], Some(&history));
    assert_eq!(
        (signal.status, reasons(&signal).as_str()),
        (Status::Warning, "signatures_unmeasured")
    );
    // The device itself stays measured.
    assert_eq!(metadata.scope.measured, 1);
}

#[test]
fn one_device_that_is_off_fails_and_one_unmeasured_holds_the_pass_back() {
    let on = |devices| (1..=devices).map(on);
    let table = [
        (workstations(3), on(3).collect::<Vec<_>>(), Status::Pass, ""),
        (
            workstations(3),
            on(2).chain([off(3)]).collect(),
            Status::Fail,
            "protection_off",
        ),
        (
            workstations(3),
            on(2).collect(),
            Status::Warning,
            "unmeasured_devices",
        ),
        (
            workstations(3),
            on(1).collect(),
            Status::Unknown,
            "coverage_below_half unmeasured_devices",
        ),
        (
            workstations(9),
            vec![off(1)],
            Status::Fail,
            "coverage_below_half protection_off unmeasured_devices",
        ),
        (
            workstations(2),
            vec![self::on(1), out_of_date(2)],
            Status::Warning,
            "age_not_reported",
        ),
        (
            workstations(1),
            vec![],
            Status::Unknown,
            "coverage_below_half unmeasured_devices",
        ),
        (
            fleet([stale(1)]),
            vec![self::on(1)],
            Status::Unknown,
            "fleet_dark",
        ),
        (
            fleet([not_approved(1)]),
            vec![self::on(1)],
            Status::Unknown,
            "no_devices",
        ),
        (
            fleet([device(1, DeviceClass::Mobile)]),
            vec![self::on(1)],
            Status::NotApplicable,
            "",
        ),
        (
            fleet([workstation(1), device(2, DeviceClass::Unknown)]),
            vec![self::on(1)],
            Status::Warning,
            "unknown_node_class unmeasured_devices",
        ),
        (
            fleet([workstation(1), device(2, DeviceClass::Unknown)]),
            vec![self::on(1), self::on(2)],
            Status::Pass,
            "",
        ),
        (
            fleet([workstation(1), device(2, DeviceClass::Unknown)]),
            vec![self::on(1), strange(2)],
            Status::Warning,
            "unknown_node_class unmeasured_devices",
        ),
    ];
    for (fleet, facts, status, codes) in table {
        let (signal, _) = judge(&fleet, facts.clone(), None);
        assert_eq!(
            (signal.status, reasons(&signal).as_str()),
            (status, codes),
            "{facts:?}"
        );
    }
}

#[test]
fn vendors_add_up_to_the_devices_that_are_on() {
    let facts = [
        on(1),
        on(2),
        made_by(Vendor::Sentinelone, on(3)),
        made_by(Vendor::Other, on(4)),
        made_by(Vendor::Kaspersky, off(5)),
    ];
    let (_, metadata) = judge(&workstations(6), facts, None);
    assert_eq!(
        metadata.vendors,
        BTreeMap::from([
            (Vendor::MicrosoftDefender, 2),
            (Vendor::Sentinelone, 1),
            (Vendor::Other, 1)
        ])
    );
    assert_eq!(
        serde_json::to_string(&metadata.vendors).unwrap(),
        r#"{"microsoft_defender":2,"other":1,"sentinelone":1}"#
    );
}

#[test]
fn rows_that_are_not_used_say_why() {
    let devices = fleet([workstation(1), stale(2), not_approved(3)]);
    let mut antivirus = AntivirusPosture::new(devices);
    let at = |collected_at| ProductFact {
        collected_at,
        ..on(1)
    };
    let table = [
        (on(1), RowFate::Used),
        (on(2), RowFate::NotJudged),
        (on(3), RowFate::NotJudged),
        (on(4), RowFate::UnknownDevice),
        (at(Some(days_ago(30))), RowFate::Used),
        (at(Some(days_ago(31))), RowFate::Stale),
        (at(Some(NOW + Duration::hours(1))), RowFate::Unreadable),
        (at(None), RowFate::Unreadable),
    ];
    for (fact, fate) in table {
        assert_eq!(antivirus.observe(fact), fate, "{fact:?}");
    }
    for (key, fate) in [
        (1, RowFate::Used),
        (2, RowFate::NotJudged),
        (3, RowFate::NotJudged),
        (4, RowFate::UnknownDevice),
    ] {
        let fact = answer(key, CustomAnswer::Yes);
        assert_eq!(antivirus.observe_custom_protection(fact), fate, "{key}");
        assert_eq!(antivirus.observe_custom_definitions(fact), fate, "{key}");
    }
}

fn at(collected_at: Option<OffsetDateTime>, fact: ProductFact) -> ProductFact {
    ProductFact {
        collected_at,
        ..fact
    }
}

fn nameless(fact: ProductFact) -> ProductFact {
    ProductFact {
        product: Product::Nameless,
        ..fact
    }
}

/// An uninstalled product says ON since last month, and today Defender says OFF.
#[test]
fn an_on_row_a_month_older_than_todays_off_row() {
    let nano = Duration::NANOSECOND;
    // how much older the ON row is than the OFF row of today -> on, off, unmeasured
    for (age, expected) in [
        (Duration::days(7), [1, 0, 0]),
        (Duration::days(7) + nano, [0, 1, 0]),
        (Duration::days(29), [0, 1, 0]),
        (Duration::days(31), [0, 1, 0]),
    ] {
        let rows = [at(Some(NOW - age), on(1)), off(1)];
        for rows in [rows, [rows[1], rows[0]]] {
            let devices = judge(&workstations(1), rows, None).1.devices;
            assert_eq!(
                [devices.on, devices.off, devices.unmeasured],
                expected,
                "{age}"
            );
        }
    }
}

/// Which rows are left, and what they say.
#[test]
fn rows_are_left_aside_by_the_newest_of_their_device() {
    const UNDATED: Option<OffsetDateTime> = None;
    let days = |days| Some(days_ago(days));
    let on_then = |time| at(time, on(1));
    // rows -> on, off, unmeasured; reason undated_rows
    let table: Vec<(Vec<ProductFact>, [u64; 3], bool)> = vec![
        (vec![on_then(days(20))], [1, 0, 0], false),
        (vec![on_then(days(30))], [1, 0, 0], false),
        (vec![on_then(days(31))], [0, 0, 1], true),
        (vec![on_then(UNDATED)], [0, 0, 1], true),
        (vec![at(UNDATED, off(1))], [0, 0, 1], true),
        // Whatever row is the newest: no product, nameless, contradictory, too old.
        (vec![on_then(days(20)), none(1)], [0, 1, 0], false),
        (vec![on_then(days(20)), nameless(off(1))], [0, 1, 0], false),
        (vec![on_then(days(20)), nameless(on(1))], [0, 0, 1], false),
        (
            vec![on_then(days(20)), nameless(strange(1))],
            [0, 0, 1],
            false,
        ),
        (vec![on_then(days(20)), strange(1)], [0, 0, 1], false),
        (vec![on_then(days(20)), on_then(days(31))], [1, 0, 0], false),
        // One without a time counts as of now.
        (vec![on_then(days(7)), on_then(UNDATED)], [1, 0, 0], false),
        (vec![on_then(days(8)), on_then(UNDATED)], [0, 0, 1], true),
        (vec![at(days(8), off(1)), on_then(UNDATED)], [0, 0, 1], true),
        (
            vec![at(days(1), off(1)), on_then(UNDATED)],
            [0, 1, 0],
            false,
        ),
        (
            vec![at(days(1), strange(1)), on_then(UNDATED)],
            [0, 0, 1],
            false,
        ),
        // Three moments: the oldest two of them are more than a week apart, and yet both count beside the newest.
        (
            vec![on_then(days(12)), at(days(8), off(1)), at(days(5), off(1))],
            [1, 0, 0],
            false,
        ),
        (
            vec![on_then(days(12)), at(days(8), off(1)), at(days(4), off(1))],
            [0, 1, 0],
            false,
        ),
        (
            vec![at(days(4), off(1)), on_then(days(12)), at(days(8), off(1))],
            [0, 1, 0],
            false,
        ),
    ];
    for (rows, expected, undated) in table {
        for rows in [rows.clone(), rows.iter().rev().copied().collect()] {
            let (signal, metadata) = judge(&workstations(1), rows.iter().copied(), None);
            let devices = metadata.devices;
            assert_eq!(
                [devices.on, devices.off, devices.unmeasured],
                expected,
                "{rows:?}"
            );
            assert_eq!(
                signal.reasons.contains(&Reason::UndatedRows),
                undated,
                "{rows:?}"
            );
        }
    }
}

#[test]
fn a_product_without_a_name_is_none_when_off_and_nothing_when_on() {
    // rows -> on, off, unmeasured
    let table: Vec<(Vec<ProductFact>, [u64; 3])> = vec![
        (vec![nameless(on(1))], [0, 0, 1]),
        (vec![nameless(off(1))], [0, 1, 0]),
        (vec![nameless(strange(1))], [0, 0, 1]),
        (vec![nameless(on(1)), on(1)], [1, 0, 0]),
        (vec![nameless(on(1)), off(1)], [0, 1, 0]),
        (vec![nameless(off(1)), on(1)], [1, 0, 0]),
        (vec![nameless(strange(1)), on(1)], [1, 0, 0]),
        (vec![nameless(strange(1)), off(1)], [0, 0, 1]),
        (vec![nameless(on(1)), none(1)], [0, 1, 0]),
    ];
    for (rows, expected) in table {
        let (_, metadata) = judge(&workstations(1), rows.iter().copied(), None);
        let devices = metadata.devices;
        assert_eq!(
            [devices.on, devices.off, devices.unmeasured],
            expected,
            "{rows:?}"
        );
    }
}

#[test]
fn custom_fields_answer_for_devices_without_a_row() {
    use CustomAnswer::{No, Yes};
    let servers = fleet([device(1, DeviceClass::WindowsServer)]);
    let table: [(&[CustomAnswer], &[CustomAnswer], Status, &str); 9] = [
        // protected?, signatures up to date?
        (
            &[],
            &[],
            Status::Unknown,
            "coverage_below_half unmeasured_devices",
        ),
        (
            &[],
            &[Yes],
            Status::Unknown,
            "coverage_below_half unmeasured_devices",
        ),
        (&[Yes], &[], Status::Warning, "signatures_unmeasured"),
        (&[Yes], &[Yes], Status::Pass, ""),
        (&[Yes], &[No], Status::Warning, "age_not_reported"),
        (&[Yes], &[Yes, No], Status::Warning, "age_not_reported"),
        (&[No], &[Yes], Status::Fail, "protection_off"),
        (&[No, Yes], &[Yes], Status::Fail, "protection_off"),
        (&[Yes, No], &[Yes], Status::Fail, "protection_off"),
    ];
    for (protection, definitions, status, codes) in table {
        let mut antivirus = AntivirusPosture::new(Arc::clone(&servers));
        for said in protection {
            let _ = antivirus.observe_custom_protection(answer(1, *said));
        }
        for said in definitions {
            let _ = antivirus.observe_custom_definitions(answer(1, *said));
        }
        let (signal, metadata) = finished(antivirus.finish(ANSWERED, None));
        assert_eq!(
            (signal.status, reasons(&signal).as_str()),
            (status, codes),
            "{protection:?} {definitions:?}"
        );
        let expected = BTreeMap::from_iter((metadata.devices.on > 0).then_some((Vendor::Other, 1)));
        assert_eq!(metadata.vendors, expected);
    }
}

#[test]
fn custom_fields_never_override_a_row() {
    for row in [
        off(1),
        none(1),
        strange(1),
        on(1),
        out_of_date(1),
        nameless(on(1)),
        at(None, off(1)),
        at(Some(days_ago(31)), off(1)),
    ] {
        for said in [CustomAnswer::Yes, CustomAnswer::No] {
            let mut antivirus = evaluator(&workstations(1), [row]);
            let _ = antivirus.observe_custom_protection(answer(1, said));
            let _ = antivirus.observe_custom_definitions(answer(1, said));
            assert_eq!(
                finished(antivirus.finish(ANSWERED, None)),
                judge(&workstations(1), [row], None)
            );
        }
    }
}

#[test]
fn a_report_that_failed_judges_nothing_by_its_rows() {
    for (report, code, complete) in [
        (ReportState::failed(), Reason::ReportFailed, false),
        (ReportState::not_available(), Reason::NotAvailable, true),
    ] {
        let mut antivirus = evaluator(&workstations(2), [off(1)]);
        let _ = antivirus.observe_custom_protection(answer(2, CustomAnswer::No));
        let _ = antivirus.observe_custom_definitions(answer(2, CustomAnswer::No));
        let (signal, metadata) = finished(antivirus.finish(report, None));
        assert_eq!(signal.status, Status::Unknown);
        assert!(signal.reasons.contains(&code));
        assert!(!signal.reasons.contains(&Reason::ProtectionOff));
        assert_eq!(signal.complete, complete);
        assert_eq!(metadata.devices.unmeasured, 2);
    }
    let phones = fleet([device(1, DeviceClass::Mobile)]);
    let signal = AntivirusPosture::new(phones).finish(ReportState::failed(), None);
    assert_eq!(signal.status, Status::Unknown);
}

#[test]
fn evaluators_of_one_fleet_merge_and_others_do_not() {
    let devices = workstations(4);
    let mut first = evaluator(&devices, [off(1), on(2)]);
    let mut second = evaluator(&devices, [on(1), strange(2)]);
    let _ = second.observe_custom_protection(answer(3, CustomAnswer::Yes));
    let _ = second.observe_custom_definitions(answer(3, CustomAnswer::Yes));
    first.merge(second).unwrap();
    let (_, metadata) = finished(first.clone().finish(ANSWERED, None));
    assert_eq!((metadata.devices.on, metadata.devices.unmeasured), (3, 1));
    assert_eq!(metadata.signatures.fresh, 3);

    let before = first.clone().finish(ANSWERED, None);
    assert_eq!(
        first.merge(evaluator(&workstations(5), [off(2)])),
        Err(OtherFleet)
    );
    assert_eq!(first.finish(ANSWERED, None), before);
}

#[test]
fn who_is_out_of_date_and_who_is_up_to_date() {
    let facts = [
        on(1),
        out_of_date(2),
        made_by(Vendor::Eset, on(2)),
        out_of_date(3),
        ProductFact {
            state: ProtectionState::Off,
            ..out_of_date(4)
        },
        ProductFact {
            definitions: Definitions::Unknown,
            ..on(5)
        },
    ];
    let mut antivirus = evaluator(&workstations(8), facts);
    for (key, definitions) in [(6, CustomAnswer::No), (7, CustomAnswer::Yes)] {
        let _ = antivirus.observe_custom_protection(answer(key, CustomAnswer::Yes));
        let _ = antivirus.observe_custom_definitions(answer(key, definitions));
    }
    let keys =
        |devices: Vec<DeviceKey>| devices.into_iter().map(DeviceKey::get).collect::<Vec<_>>();
    assert_eq!(keys(antivirus.up_to_date().collect()), [1, 2, 7]);
    assert_eq!(keys(antivirus.out_of_date().collect()), [3, 6]);
}

#[test]
fn stricter_thresholds_hold_the_verdict_back() {
    let judge = |rules: Rules, first_seen| {
        let mut devices = Fleet::builder(NOW).rules(rules);
        devices.observe(workstation(1));
        let history = since(&[(1, first_seen)]);
        judge(&devices.build(), [out_of_date(1)], Some(&history))
            .0
            .status
    };
    let rules = Rules::default();
    let daily = rules.with_signatures_fresh_for(Duration::days(1)).unwrap();
    assert_eq!(judge(rules, days_ago(2)), Status::Pass);
    assert_eq!(judge(daily, days_ago(1)), Status::Pass);
    assert_eq!(judge(daily, days_ago(2)), Status::Warning);
    let fortnight = rules
        .with_signatures_fail_after(Duration::days(14))
        .unwrap();
    assert_eq!(judge(rules, days_ago(15)), Status::Warning);
    assert_eq!(judge(fortnight, days_ago(14)), Status::Warning);
    assert_eq!(judge(fortnight, days_ago(15)), Status::Fail);
    // Even where the failure comes before the warning.
    let at_once = rules.with_signatures_fail_after(Duration::ZERO).unwrap();
    assert_eq!(judge(at_once, days_ago(1)), Status::Fail);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn the_digest_covers_every_fact_the_verdict_reads() {
    type Case<'a> = (
        &'a [ProductFact],
        &'a [CustomFact],
        &'a [CustomFact],
        Option<SignatureHistory>,
        ReportState,
    );
    let key = digest_key();
    let devices = workstations(3);
    let digest = |(facts, protection, definitions, history, report): &Case<'_>| {
        let mut antivirus = evaluator(&devices, facts.iter().copied());
        for fact in *protection {
            let _ = antivirus.observe_custom_protection(*fact);
        }
        for fact in *definitions {
            let _ = antivirus.observe_custom_definitions(*fact);
        }
        let (signal, digest) =
            antivirus
                .clone()
                .finish_with_digest(*report, history.as_ref(), &key);
        assert_eq!(signal, antivirus.finish(*report, history.as_ref()));
        digest.hmac_sha256.to_string()
    };
    let rows = [on(1), out_of_date(2)];
    let yes = [answer(3, CustomAnswer::Yes)];
    let first_seen = || Some(since(&[(2, days_ago(1))]));
    let base: Case<'_> = (&rows, &yes, &yes, first_seen(), ANSWERED);
    let expected = digest(&base);
    let repeated = [rows[1], rows[0], rows[1], off(1)];
    assert_eq!(
        digest(&(&repeated, &yes, &yes, first_seen(), ANSWERED)),
        expected
    );
    // A history of devices that the verdict does not read changes nothing.
    let more = Some(since(&[
        (1, days_ago(5)),
        (2, days_ago(1)),
        (9, days_ago(5)),
    ]));
    assert_eq!(digest(&(&rows, &yes, &yes, more, ANSWERED)), expected);

    let no = [answer(3, CustomAnswer::No)];
    let others: [Case<'_>; 17] = [
        (
            &[at(None, on(1)), out_of_date(2)],
            &yes,
            &yes,
            first_seen(),
            ANSWERED,
        ),
        (
            &[at(Some(days_ago(1)), on(1)), out_of_date(2)],
            &yes,
            &yes,
            first_seen(),
            ANSWERED,
        ),
        (
            &[at(Some(days_ago(31)), on(1)), out_of_date(2)],
            &yes,
            &yes,
            first_seen(),
            ANSWERED,
        ),
        (
            &[on(1), at(None, on(1)), out_of_date(2)],
            &yes,
            &yes,
            first_seen(),
            ANSWERED,
        ),
        (&[on(1)], &yes, &yes, first_seen(), ANSWERED),
        (&[on(1), on(2)], &yes, &yes, first_seen(), ANSWERED),
        (&[on(1), off(2)], &yes, &yes, first_seen(), ANSWERED),
        (&[on(1), strange(2)], &yes, &yes, first_seen(), ANSWERED),
        (&[on(2), out_of_date(1)], &yes, &yes, first_seen(), ANSWERED),
        (
            &[made_by(Vendor::Avg, on(1)), out_of_date(2)],
            &yes,
            &yes,
            first_seen(),
            ANSWERED,
        ),
        (&rows, &no, &yes, first_seen(), ANSWERED),
        (&rows, &[], &yes, first_seen(), ANSWERED),
        (&rows, &yes, &no, first_seen(), ANSWERED),
        (&rows, &yes, &yes, None, ANSWERED),
        (
            &rows,
            &yes,
            &yes,
            Some(SignatureHistory::default()),
            ANSWERED,
        ),
        (
            &rows,
            &yes,
            &yes,
            Some(since(&[(2, days_ago(2))])),
            ANSWERED,
        ),
        (
            &rows,
            &yes,
            &yes,
            first_seen(),
            ReportState::with_malformed_rows(),
        ),
    ];
    let mut all: BTreeSet<_> = others.iter().map(digest).collect();
    all.insert(expected);
    assert_eq!(
        all.len(),
        others.len() + 1,
        "two different states share a digest"
    );
}

#[test]
fn an_offline_device_is_judged_by_its_rows() {
    let devices = fleet([DeviceFact {
        offline: Some(true),
        ..workstation(1)
    }]);
    assert_eq!(judge(&devices, [on(1)], None).0.status, Status::Pass);
}

/// A switch whose class was damaged is no computer that is protected, and a computer that is off stays so.
#[test]
fn of_a_device_whose_class_cannot_be_read_only_what_is_bad_counts() {
    let unreadable = |key| device(key, DeviceClass::Unreadable);
    let (alone, pair) = (
        fleet([unreadable(1)]),
        fleet([unreadable(1), workstation(2)]),
    );
    let history = |days| Some(since(&[(1, days_ago(days))]));
    let both = |fact| vec![fact, on(2)];
    let unmeasured = "unknown_node_class unmeasured_devices";
    for (fleet, facts, history, status, codes) in [
        (
            &alone,
            vec![on(1)],
            None,
            Status::Unknown,
            "coverage_below_half unknown_node_class unmeasured_devices",
        ),
        (&alone, vec![off(1)], None, Status::Fail, "protection_off"),
        (&pair, both(on(1)), None, Status::Warning, unmeasured),
        (&pair, both(off(1)), None, Status::Fail, "protection_off"),
        (
            &pair,
            both(out_of_date(1)),
            history(30),
            Status::Warning,
            unmeasured,
        ),
        (
            &pair,
            both(out_of_date(1)),
            history(31),
            Status::Fail,
            "signatures_over_30_days",
        ),
        (&pair, both(on(1)), history(31), Status::Warning, unmeasured),
    ] {
        let (signal, _) = judge(fleet, facts.clone(), history.as_ref());
        assert_eq!(
            (signal.status, reasons(&signal).as_str()),
            (status, codes),
            "{facts:?}"
        );
    }
    // What is good of it is not remembered either: later it would make old signatures young.
    let antivirus = evaluator(&pair, both(on(1)));
    assert_eq!(
        antivirus.up_to_date().collect::<Vec<_>>(),
        [DeviceKey::new(2)]
    );
    let antivirus = evaluator(&pair, both(out_of_date(1)));
    assert_eq!(
        antivirus.out_of_date().collect::<Vec<_>>(),
        [DeviceKey::new(1)]
    );
}

/// Their age runs from now, whether the host has told its history of this run yet or not.
#[test]
fn signatures_that_turn_out_of_date_now_are_fresh() {
    let mut kept: SignatureHistory = [(DeviceKey::new(1), SignaturesSeen::UpToDate)]
        .into_iter()
        .collect();
    let antivirus = evaluator(&workstations(1), [out_of_date(1)]);
    let before = antivirus
        .clone()
        .finish_with_digest(ANSWERED, Some(&kept), &digest_key());
    assert_eq!(
        (before.0.status, reasons(&before.0).as_str()),
        (Status::Pass, "")
    );
    kept.advance(&antivirus, ANSWERED);
    assert_eq!(kept.out_of_date_since(DeviceKey::new(1)), Some(NOW));
    assert_eq!(
        antivirus.finish_with_digest(ANSWERED, Some(&kept), &digest_key()),
        before
    );
}

/// Every choice of up to three rows, and every choice of them with its time made unreadable: without chance.
#[test]
fn no_antivirus_row_whose_time_is_lost_makes_a_pass() {
    let mut choices = Vec::new();
    for row in [on(1), off(1), strange(1), out_of_date(1), none(1)] {
        choices.extend([0, 5, 9, 31].map(|days| at(Some(days_ago(days)), row)));
    }
    for row in [on(1), off(1), strange(1)] {
        choices.extend([0, 9, 31].map(|days| at(Some(days_ago(days)), nameless(row))));
    }
    let fleet = workstations(1);
    let known = since(&[(1, days_ago(3))]);
    for answered in [None, Some(CustomAnswer::Yes)] {
        let status = |rows: &[ProductFact]| {
            let mut antivirus = evaluator(&fleet, rows.iter().copied());
            if let Some(said) = answered {
                let _ = antivirus.observe_custom_protection(answer(1, said));
                let _ = antivirus.observe_custom_definitions(answer(1, said));
            }
            antivirus.finish(ANSWERED, Some(&known)).status
        };
        for rows in up_to_three(&choices) {
            if status(&rows) == Status::Pass {
                continue;
            }
            for damaged in each_changed(&rows, |row| at(None, row)) {
                assert_ne!(status(&damaged), Status::Pass, "{rows:?} {damaged:?}");
            }
        }
    }
}

/// What was written on a server years ago says nothing of today where nobody knows when it was last in contact.
#[test]
fn a_custom_field_of_a_server_without_a_last_contact_measures_nothing() {
    let silent = DeviceFact {
        last_contact: None,
        ..workstation(1)
    };
    for said in [CustomAnswer::Yes, CustomAnswer::No] {
        let mut antivirus = evaluator(&fleet([silent]), []);
        let _ = antivirus.observe_custom_protection(answer(1, said));
        let _ = antivirus.observe_custom_definitions(answer(1, said));
        let (signal, metadata) = finished(antivirus.finish(ANSWERED, None));
        assert_eq!(signal.status, Status::Unknown);
        assert_eq!(metadata.devices.unmeasured, 1);
    }
}
