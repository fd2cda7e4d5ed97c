//! Rows of the antivirus report.
//!
//! | field that cannot be read | the row is |
//! |---|---|
//! | `deviceId` | lost |
//! | `productName` | of a product without a name |
//! | `productState` | in a state never seen before |
//! | `definitionStatus` | without a word about its signatures |
//! | `timestamp` | undated |

use std::borrow::Cow;

use ninjaone_client::models::AntivirusStatus;
use regentra_evidence::{Definitions, Product, ProductFact, ProtectionState, Vendor};

use super::{Malformed, instant, plain, present, row_device};

/// What one row of the antivirus report says.
///
/// # Errors
///
/// [`Malformed`] for a row without a device.
pub fn product(row: &AntivirusStatus) -> Result<ProductFact, Malformed> {
    Ok(ProductFact {
        device: row_device(row.device_id)?,
        product: row
            .product_name
            .as_deref()
            .map_or(Product::Nameless, product_name),
        state: row
            .product_state
            .as_ref()
            .map_or(ProtectionState::Unknown, |word| state(word.as_str())),
        definitions: row
            .definition_status
            .as_ref()
            .map_or(Definitions::Unknown, |word| definitions(word.as_str())),
        collected_at: instant(row.timestamp),
    })
}

/// The product behind a name. The vendor says `NONE` for a device without one; a blank name says nothing.
fn product_name(name: &str) -> Product {
    match present(Some(name)) {
        None => Product::Nameless,
        Some(name) if name.trim().eq_ignore_ascii_case("none") => Product::None,
        Some(name) => Product::Real(vendor(name)),
    }
}

/// The states seen on live tenants, and the words of Windows' security centre for what does not protect.
fn state(word: &str) -> ProtectionState {
    match plain(word).as_ref() {
        "ON" => ProtectionState::On,
        "OFF" | "SNOOZED" | "EXPIRED" => ProtectionState::Off,
        _ => ProtectionState::Unknown,
    }
}

fn definitions(word: &str) -> Definitions {
    match plain(word).as_ref() {
        "UPTODATE" => Definitions::UpToDate,
        "OUTOFDATE" => Definitions::OutOfDate,
        _ => Definitions::Unknown,
    }
}

/// Beginnings of product and company names, without case and separators, and whose they are.
///
/// The first that a name contains at the beginning of a word decides, so that `Bitdefender` is not taken for Defender.
const NAMES: [(&str, Vendor); 45] = [
    ("SENTINELONE", Vendor::Sentinelone),
    ("SENTINELAGENT", Vendor::Sentinelone),
    ("CROWDSTRIKE", Vendor::Crowdstrike),
    ("FALCONSENSOR", Vendor::Crowdstrike),
    ("BITDEFENDER", Vendor::Bitdefender),
    ("SOPHOS", Vendor::Sophos),
    ("ESET", Vendor::Eset),
    ("WEBROOT", Vendor::Webroot),
    ("TRENDMICRO", Vendor::TrendMicro),
    ("APEXONE", Vendor::TrendMicro),
    ("WORRYFREE", Vendor::TrendMicro),
    ("MALWAREBYTES", Vendor::Malwarebytes),
    ("THREATDOWN", Vendor::Malwarebytes),
    ("TRELLIX", Vendor::Trellix),
    ("MCAFEE", Vendor::Trellix),
    ("FIREEYE", Vendor::Trellix),
    ("SYMANTEC", Vendor::Symantec),
    ("KASPERSKY", Vendor::Kaspersky),
    ("CYLANCE", Vendor::Cylance),
    ("BLACKBERRYPROTECT", Vendor::Cylance),
    ("CARBONBLACK", Vendor::CarbonBlack),
    ("CBDEFENSE", Vendor::CarbonBlack),
    ("HUNTRESS", Vendor::Huntress),
    ("NORTON", Vendor::Norton),
    ("AVAST", Vendor::Avast),
    ("AVG", Vendor::Avg),
    ("WITHSECURE", Vendor::Withsecure),
    ("FSECURE", Vendor::Withsecure),
    ("WATCHGUARD", Vendor::Watchguard),
    ("PANDA", Vendor::Watchguard),
    ("CISCO", Vendor::Cisco),
    ("IMMUNET", Vendor::Cisco),
    ("PALOALTO", Vendor::PaloAlto),
    ("CORTEXXDR", Vendor::PaloAlto),
    ("FORTINET", Vendor::Fortinet),
    ("FORTICLIENT", Vendor::Fortinet),
    ("FORTIEDR", Vendor::Fortinet),
    ("DEEPINSTINCT", Vendor::DeepInstinct),
    ("XPROTECT", Vendor::AppleXprotect),
    ("CLAMAV", Vendor::Clamav),
    ("CLAMWIN", Vendor::Clamav),
    ("CLAMXAV", Vendor::Clamav),
    ("DEFENDER", Vendor::MicrosoftDefender),
    ("MICROSOFTSECURITYESSENTIALS", Vendor::MicrosoftDefender),
    ("SYSTEMCENTERENDPOINTPROTECTION", Vendor::MicrosoftDefender),
];

/// The maker of a product, of the closed list that is counted by name.
fn vendor(name: &str) -> Vendor {
    // The name from each of its words on: "Sentinel Agent 4" gives SENTINELAGENT4, AGENT4 and 4.
    let words: Vec<_> = name
        .split(|letter: char| !letter.is_alphanumeric())
        .map(plain)
        .collect();
    let tails: Vec<_> = (0..words.len())
        .map(|first| {
            words
                .iter()
                .skip(first)
                .map(Cow::as_ref)
                .collect::<String>()
        })
        .collect();
    NAMES
        .iter()
        .find(|(beginning, _)| tails.iter().any(|tail| tail.starts_with(beginning)))
        .map_or(Vendor::Other, |(_, vendor)| *vendor)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(mut json: serde_json::Value) -> ProductFact {
        json["deviceId"] = json!(1);
        product(&serde_json::from_value(json).unwrap()).unwrap()
    }

    #[test]
    fn none_is_no_product_and_blank_is_one_without_a_name() {
        for name in ["NONE", "none", " None "] {
            assert_eq!(
                read(json!({"productName": name})).product,
                Product::None,
                "{name:?}"
            );
        }
        for name in [json!(""), json!("  "), json!(null)] {
            let product = read(json!({"productName": name})).product;
            assert_eq!(product, Product::Nameless, "{name}");
        }
        assert_eq!(read(json!({})).product, Product::Nameless);
        assert_eq!(
            read(json!({"productName": "Nonesuch"})).product,
            Product::Real(Vendor::Other)
        );
    }

    #[test]
    fn states_compare_without_case_and_separators() {
        let table = [
            ("ON", ProtectionState::On),
            ("On", ProtectionState::On),
            ("OFF", ProtectionState::Off),
            ("o-n", ProtectionState::On),
            (" o_f f ", ProtectionState::Off),
            ("snoozed", ProtectionState::Off),
            ("EXPIRED", ProtectionState::Off),
            ("ONLINE", ProtectionState::Unknown),
            ("ENABLED", ProtectionState::Unknown),
            ("", ProtectionState::Unknown),
        ];
        for (word, expected) in table {
            assert_eq!(
                read(json!({"productState": word})).state,
                expected,
                "{word}"
            );
        }
        assert_eq!(read(json!({})).state, ProtectionState::Unknown);
    }

    #[test]
    fn definitions_compare_without_case_and_separators() {
        let table = [
            ("Up-to-Date", Definitions::UpToDate),
            ("UP_TO_DATE", Definitions::UpToDate),
            ("up to date", Definitions::UpToDate),
            ("Out-of-Date", Definitions::OutOfDate),
            ("OUTOFDATE", Definitions::OutOfDate),
            ("Not up to date", Definitions::Unknown),
            ("", Definitions::Unknown),
        ];
        for (word, expected) in table {
            assert_eq!(
                read(json!({"definitionStatus": word})).definitions,
                expected,
                "{word}"
            );
        }
        assert_eq!(read(json!({})).definitions, Definitions::Unknown);
    }

    #[test]
    fn products_are_counted_by_their_maker() {
        let table = [
            ("Windows Defender", Vendor::MicrosoftDefender),
            ("Microsoft Defender Antivirus", Vendor::MicrosoftDefender),
            ("Bitdefender Endpoint Security Tools", Vendor::Bitdefender),
            ("Sentinel Agent", Vendor::Sentinelone),
            ("SentinelOne", Vendor::Sentinelone),
            ("CrowdStrike Falcon Sensor", Vendor::Crowdstrike),
            ("ESET Endpoint Antivirus", Vendor::Eset),
            ("Preset Guard", Vendor::Other),
            ("AVG AntiVirus Business Edition", Vendor::Avg),
            ("Trend Micro Apex One", Vendor::TrendMicro),
            ("F-Secure Client Security", Vendor::Withsecure),
            ("Cortex XDR Advanced Endpoint Protection", Vendor::PaloAlto),
            ("FortiClient", Vendor::Fortinet),
            ("McAfee Endpoint Security", Vendor::Trellix),
            ("VMware Carbon Black Cloud Sensor", Vendor::CarbonBlack),
            ("Apple XProtect", Vendor::AppleXprotect),
            ("Jane's very own scanner", Vendor::Other),
        ];
        for (name, expected) in table {
            assert_eq!(
                read(json!({"productName": name})).product,
                Product::Real(expected),
                "{name}"
            );
        }
    }

    #[test]
    fn every_vendor_but_other_can_be_reached() {
        for &vendor in Vendor::ALL {
            assert_eq!(
                vendor != Vendor::Other,
                NAMES.iter().any(|(_, named)| *named == vendor),
                "{vendor:?}"
            );
        }
    }
}
