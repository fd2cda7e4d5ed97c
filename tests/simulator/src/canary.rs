//! Canaries: every free text of a fleet replaced by one that a test recognises wherever it should not turn up.

use std::collections::BTreeMap;

use serde_json::Value;

/// Replaces free text, the same text always by the same canary, so that ids still match across rows.
#[derive(Debug, Default)]
pub(crate) struct Canaries {
    known: BTreeMap<(Shape, String), String>,
}

/// What a canary looks like: as what it replaces, so that a scanner for such shapes finds it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    Ipv4,
    Ipv6,
    Mac,
    Uuid,
    Email,
    User,
    Drive,
    Host,
    Text,
}

/// Fields whose values are the vendor's vocabulary and not a customer's text.
const VOCABULARY: [&str; 39] = [
    "activityResult",
    "activityType",
    "apiPermission",
    "approvalStatus",
    "assignmentType",
    "authType",
    "avInstallStatus",
    "chassisType",
    "conditionHealthStatus",
    "conversionStatus",
    "definitionScope",
    "definitionStatus",
    "deviceType",
    "encryptionMethod",
    "endUserPermission",
    "entityType",
    "healthStatus",
    "impact",
    "invitationStatus",
    "jobResult",
    "jobStatus",
    "jobType",
    "lockStatus",
    "nodeApprovalMode",
    "nodeClass",
    "pendingRebootReason",
    "planType",
    "priority",
    "productState",
    "protectionStatus",
    "renewalUnit",
    "scope",
    "scriptPermission",
    "severity",
    "sourceType",
    "statusCode",
    "technicianPermission",
    "updatedByType",
    "userType",
];

/// Words in fields of free text by which a rule decides: system partitions, and the product that is no product.
const RULE_WORDS: [(&str, &str); 6] = [
    ("label", "Recovery"),
    ("label", "WinRE"),
    ("label", "EFI"),
    ("label", "ESP"),
    ("label", "System Reserved"),
    ("productName", "NONE"),
];

impl Canaries {
    /// The row with every free text replaced.
    pub(crate) fn replace(&mut self, row: &Value) -> Value {
        self.value("", row)
    }

    /// Every canary handed out so far.
    pub(crate) fn all(&self) -> Vec<String> {
        self.known.values().cloned().collect()
    }

    fn value(&mut self, key: &str, value: &Value) -> Value {
        match value {
            Value::String(text) if keeps(key, text) => value.clone(),
            Value::String(text) => Value::String(self.canary(text)),
            Value::Array(items) => items.iter().map(|item| self.value(key, item)).collect(),
            Value::Object(fields) => Value::Object(
                fields
                    .iter()
                    .map(|(key, value)| (key.clone(), self.value(key, value)))
                    .collect(),
            ),
            other => other.clone(),
        }
    }

    fn canary(&mut self, text: &str) -> String {
        let shape = Shape::of(text);
        let number = self.known.len();
        let canary = || match shape {
            Shape::Ipv4 => format!("198.51.{}.{}", 100 + number / 250 % 100, 1 + number % 250),
            Shape::Ipv6 => format!(
                "2001:db8:cafe::{:x}:{:x}",
                number / 0x1_0000,
                number % 0x1_0000
            ),
            Shape::Mac => {
                format!(
                    "02:CA:FE:{:02X}:{:02X}:{:02X}",
                    number / 0x1_0000 % 256,
                    number / 0x100 % 256,
                    number % 256
                )
            }
            Shape::Uuid => format!("cafecafe-cafe-4afe-8afe-{number:012x}"),
            Shape::Email => format!("canary-{number}@canary.example"),
            Shape::User => format!("CANARY\\user-{number}"),
            Shape::Drive => format!("CANARY-DRIVE-{number}:"),
            Shape::Host => format!("CANARY-HOST-{number}.canary.example"),
            Shape::Text => format!("CANARY-TEXT-{number}"),
        };
        self.known
            .entry((shape, text.to_owned()))
            .or_insert_with(canary)
            .clone()
    }
}

/// Whether a value is vocabulary.
fn keeps(key: &str, text: &str) -> bool {
    let shouted = || {
        text.chars()
            .all(|c| c.is_ascii_uppercase() || c == '_' || c == ' ')
    };
    text.is_empty()
        || VOCABULARY.contains(&key)
        || RULE_WORDS.contains(&(key, text))
        || (matches!(key, "status" | "type") && shouted())
}

impl Shape {
    fn of(text: &str) -> Self {
        let hex = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_hexdigit());
        if text.parse::<std::net::Ipv4Addr>().is_ok() {
            Self::Ipv4
        } else if text.parse::<std::net::Ipv6Addr>().is_ok() {
            Self::Ipv6
        } else if text.split([':', '-']).count() == 6
            && text
                .split([':', '-'])
                .all(|part| part.len() == 2 && hex(part))
        {
            Self::Mac
        } else if text.len() == 36 && text.split('-').count() == 5 && text.split('-').all(hex) {
            Self::Uuid
        } else if text.contains('@') {
            Self::Email
        } else if text.split('\\').count() == 2 {
            Self::User
        } else if text.len() == 2 && text.ends_with(':') {
            Self::Drive
        } else if text.contains('.')
            && !text.contains(' ')
            && text.chars().any(|c| c.is_ascii_alphabetic())
        {
            Self::Host
        } else {
            Self::Text
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Canaries;

    #[test]
    fn free_text_is_replaced_and_vocabulary_stays() {
        let mut canaries = Canaries::default();
        let row = json!({
            "systemName": "EXA-01", "dnsName": "EXA-01.example.co.uk", "nodeClass": "MAC", "ipAddresses": ["10.0.0.1", "fe80::1"],
            "macAddresses": ["00:15:5D:FF:8B:04"], "lastLoggedInUser": "EXAMPLE\\auser", "id": 7, "displayName": null,
            "status": "MANUAL", "volumes": [{ "label": "Recovery", "name": "C:" }, { "label": "Payroll" }],
            "uid": "a8b0c9d0-aaf6-422e-975c-aef27c935de2", "email": "a@b.example",
        });
        let replaced = canaries.replace(&row);
        let text = replaced.to_string();
        for gone in [
            "EXA-01", "10.0.0.1", "fe80", "8B:04", "auser", "C:\"", "Payroll", "a8b0c9d0", "a@b",
        ] {
            assert!(!text.contains(gone), "{gone} is still in {text}");
        }
        for kept in [
            "MAC",
            "MANUAL",
            "Recovery",
            "\"displayName\":null",
            "\"id\":7",
        ] {
            assert!(text.contains(kept), "{kept} is gone from {text}");
        }
        assert!(
            canaries
                .all()
                .iter()
                .all(|canary| text.contains(&canary.replace('\\', "\\\\")))
        );
        assert_eq!(
            replaced,
            canaries.replace(&row),
            "the same text is the same canary"
        );
    }
}
