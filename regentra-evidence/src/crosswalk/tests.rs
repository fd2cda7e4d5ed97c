use std::collections::BTreeSet;

use super::*;

#[test]
fn the_table_has_the_shape_it_should() {
    let links = parse(TABLE).unwrap();
    assert_eq!(links.len(), TABLE.lines().count() - 1);
    assert_eq!(all(), links);
    assert!(!TABLE.contains('"'), "a quote would need a real CSV reader");
    for line in TABLE.lines() {
        assert!(line.is_ascii(), "{line}");
        for field in line.split(',') {
            assert_eq!(field, field.trim(), "{line}");
        }
    }
}

#[test]
fn no_control_speaks_to_a_requirement_twice() {
    let mut seen = BTreeSet::new();
    for link in all() {
        assert!(
            seen.insert((link.control, link.framework, link.requirement)),
            "{link:?}"
        );
    }
}

#[test]
fn rows_are_sorted_by_control_and_framework() {
    assert!(all().is_sorted_by_key(|link| (link.control, link.framework)));
}

#[test]
fn a_requirement_has_one_topic() {
    let mut topics = BTreeMap::new();
    for link in all() {
        let topic = topics
            .entry((link.framework, link.requirement))
            .or_insert(link.topic);
        assert_eq!(*topic, link.topic, "{link:?}");
    }
}

#[test]
fn every_control_speaks_to_every_framework() {
    for control in ControlId::ALL {
        for framework in Framework::ALL {
            assert!(
                !of_control(control, &[*framework]).is_empty(),
                "{control} {framework}"
            );
        }
    }
}

#[test]
fn requirement_ids_have_their_frameworks_form() {
    for link in all() {
        let id = link.requirement;
        let fits = match link.framework {
            Framework::Hipaa => id.starts_with("164.3"),
            Framework::Soc2 => id.starts_with("CC") || id.starts_with("A1."),
            Framework::NistCsf => id.len() >= 8 && id.as_bytes()[2] == b'.',
            Framework::Iso27001 => id.starts_with("A.5.") || id.starts_with("A.8."),
            Framework::Nist800171 => id.starts_with("3."),
            Framework::Cmmc => id.contains(".L2-3."),
            Framework::PciDss => id.starts_with(|first: char| first.is_ascii_digit()),
            Framework::Gdpr => id.starts_with("Art. "),
            Framework::FtcSafeguards => id.starts_with("314.4("),
        };
        assert!(fits, "{link:?}");
    }
}

/// CMMC level 2 takes over NIST SP 800-171: whatever is said of the one is said of the other.
#[test]
fn cmmc_mirrors_nist_800_171() {
    for control in ControlId::ALL {
        let nist = of_control(control, &[Framework::Nist800171]);
        let cmmc = of_control(control, &[Framework::Cmmc]);
        assert_eq!(nist.len(), cmmc.len(), "{control}");
        for link in nist {
            assert!(
                cmmc.iter().any(|other| {
                    other
                        .requirement
                        .ends_with(&format!("-{}", link.requirement))
                        && (other.topic, other.strength, other.limit)
                            == (link.topic, link.strength, link.limit)
                }),
                "{link:?}"
            );
        }
    }
}

#[test]
fn only_a_direct_row_may_have_no_limit() {
    for link in all() {
        if link.strength != Strength::Direct {
            assert!(
                link.limit().is_some_and(|limit| !limit.is_empty()),
                "{link:?}"
            );
        }
    }
}

#[test]
fn only_a_direct_row_evidences() {
    for strength in Strength::ALL {
        assert_eq!(
            strength.verb().contains("evidence"),
            strength == Strength::Direct
        );
        assert_eq!(
            strength.verb().contains("supports"),
            strength != Strength::Direct
        );
        assert_eq!(serde_json::to_value(strength).unwrap(), strength.as_str());
    }
    assert!(Strength::Contextual < Strength::Partial && Strength::Partial < Strength::Direct);
}

#[test]
fn what_must_never_be_claimed_is_contextual() {
    let table = [
        // BitLocker is no proof of FIPS mode; a patch list is no vulnerability scan; a backup is no test of one.
        (Framework::Nist800171, "3.13.11"),
        (Framework::Cmmc, "SC.L2-3.13.11"),
        (Framework::PciDss, "3.5.1.2"),
        (Framework::PciDss, "11.3.1"),
        (Framework::Nist800171, "3.11.2"),
        (Framework::Soc2, "A1.3"),
        (Framework::FtcSafeguards, "314.4(d)(2)(ii)"),
    ];
    for (framework, requirement) in table {
        let links = of_requirement(framework, requirement);
        assert!(!links.is_empty(), "{framework} {requirement}");
        for link in links {
            assert_eq!(link.strength, Strength::Contextual, "{link:?}");
        }
    }
    for link in of_control(ControlId::BackupTesting, Framework::ALL) {
        assert_ne!(link.strength, Strength::Direct, "{link:?}");
    }
}

#[test]
fn queries_go_both_ways() {
    for signal in SignalKind::ALL {
        let links = of_signal(signal, Framework::ALL);
        let by_control: usize = signal
            .controls()
            .map(|control| of_control(control, Framework::ALL).len())
            .iter()
            .sum();
        assert_eq!(links.len(), by_control);
        for link in links {
            assert_eq!(link.signal(), signal);
            let back = of_requirement(link.framework, link.requirement);
            assert!(back.contains(&link));
            assert!(back.is_sorted_by_key(|link| std::cmp::Reverse(link.strength)));
        }
    }
    assert!(of_signal(SignalKind::PatchSla, &[]).is_empty());
    let adopted = [Framework::Gdpr, Framework::Soc2];
    for link in of_signal(SignalKind::PatchSla, &adopted) {
        assert!(adopted.contains(&link.framework));
    }
    assert!(of_requirement(Framework::Gdpr, "Art. 99").is_empty());
    assert!(of_requirement(Framework::Hipaa, "A.8.7").is_empty());
}

#[test]
fn coverage_is_the_best_of_all_controls() {
    let coverage = coverage(&[Framework::NistCsf]);
    // Patch management evidences it, vulnerability management supports it in part.
    assert_eq!(
        coverage[&(Framework::NistCsf, "PR.PS-02")],
        Strength::Direct
    );
    assert_eq!(
        coverage[&(Framework::NistCsf, "RC.RP-03")],
        Strength::Contextual
    );
    assert!(
        coverage
            .keys()
            .all(|(framework, _)| *framework == Framework::NistCsf)
    );
    assert_eq!(
        of_requirement(Framework::NistCsf, "PR.PS-02")[0].control,
        ControlId::PatchManagement
    );
}

#[test]
fn a_misshapen_table_is_refused_with_the_line() {
    let table = [
        ("", 1, "header"),
        ("control,framework\n", 1, "header"),
        (
            "control,framework,requirement,topic,strength,limit\nIC-024,gdpr,Art. 5,Topic,direct\n",
            2,
            "number of fields",
        ),
        (
            "control,framework,requirement,topic,strength,limit\nIC-024,gdpr,Art. 5,Topic,direct,a,b\n",
            2,
            "number of fields",
        ),
        (
            "control,framework,requirement,topic,strength,limit\nIC-099,gdpr,Art. 5,Topic,direct,\n",
            2,
            "control",
        ),
        (
            "control,framework,requirement,topic,strength,limit\nIC-024,gpdr,Art. 5,Topic,direct,\n",
            2,
            "framework",
        ),
        (
            "control,framework,requirement,topic,strength,limit\nIC-024,gdpr,,Topic,direct,\n",
            2,
            "empty field",
        ),
        (
            "control,framework,requirement,topic,strength,limit\nIC-024,gdpr,Art. 5,,direct,\n",
            2,
            "empty field",
        ),
        (
            "control,framework,requirement,topic,strength,limit\nIC-024,gdpr,Art. 5,Topic,direkt,\n",
            2,
            "strength",
        ),
    ];
    for (text, line, what) in table {
        assert_eq!(parse(text), Err(Misshapen { line, what }), "{text}");
    }
    let good = parse(
        "control,framework,requirement,topic,strength,limit\nIC-024,gdpr,Art. 5,Topic,direct,\n",
    );
    assert_eq!(good.unwrap()[0].limit, None);
}
