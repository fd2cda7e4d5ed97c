use super::*;
use crate::{
    device_inventory,
    fixture::{NOW, fleet, workstation},
};

#[test]
fn names_read_back() {
    for kind in SignalKind::ALL {
        assert_eq!(kind.as_str().parse(), Ok(kind));
        assert_eq!(kind.to_string(), kind.as_str());
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
    }
    for status in Status::ALL {
        assert_eq!(status.as_str().parse(), Ok(status));
        assert_eq!(status.to_string(), status.as_str());
        assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
    }
    assert!("disk".parse::<SignalKind>().is_err());
    assert_eq!(
        "passed".parse::<Status>().unwrap_err().to_string(),
        "not a status: pass, warning, fail, unknown, not_applicable"
    );
    assert_eq!(format!("{:>8}", Status::Pass), "    pass");
}

#[test]
fn a_host_with_three_states_sees_nothing_unmeasured_as_good_or_bad() {
    let table = [
        (Status::Pass, Some(Status::Pass)),
        (Status::Warning, Some(Status::Warning)),
        (Status::Fail, Some(Status::Fail)),
        (Status::Unknown, Some(Status::Warning)),
        (Status::NotApplicable, None),
    ];
    for (status, expected) in table {
        assert_eq!(status.to_three_states(), expected, "{status}");
    }
}

#[test]
fn each_signal_names_its_two_controls() {
    let table = [
        (SignalKind::DiskEncryption, ["IC-024", "IC-052"]),
        (SignalKind::AntivirusPosture, ["IC-013", "IC-051"]),
        (SignalKind::PatchSla, ["IC-038", "IC-053"]),
        (SignalKind::BackupActivity, ["IC-060", "IC-061"]),
        (SignalKind::DeviceInventory, ["IC-031", "IC-032"]),
    ];
    for (kind, controls) in table {
        assert_eq!(kind.controls().map(ControlId::as_str), controls, "{kind}");
    }
}

#[test]
fn a_signal_reads_back_what_it_wrote() {
    let signal = device_inventory::finish(&fleet([workstation(1)]));
    let json = serde_json::to_string(&signal).unwrap();
    let read: Signal = serde_json::from_str(&json).unwrap();
    assert_eq!(read, signal);
    assert_eq!(serde_json::to_string(&read).unwrap(), json);
    assert_eq!(read.collected_at, NOW);
    assert_eq!(read.metadata.scope().approved, 1);
}
