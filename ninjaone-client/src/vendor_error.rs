//! NinjaOne's error bodies. At least eight shapes were observed; all of them end here as words and an incident id.
//!
//! Free text is never kept: it may quote what was asked or found. Words are kept when they look like a code.

use std::{borrow::Cow, fmt};

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::tree::Node;

/// Codes that may be shown to people: from the vendor's documents and from live tenants.
const WELL_KNOWN: &[&str] = &[
    "Client app not exist",
    "access_denied",
    "expired_token",
    "FAILURE",
    "invalid_client",
    "invalid_grant",
    "invalid_header",
    "invalid_id",
    "invalid_request",
    "invalid_scope",
    "invalid_token",
    "missing_header",
    "not_authenticated",
    "permission_denied",
    "rate_limit_exceeded",
    "skewed_time",
    "unauthorized_client",
    "unsupported_grant_type",
    "user_context_required",
];

pub(crate) fn is_well_known(code: &str) -> bool {
    WELL_KNOWN.contains(&code)
}

/// What an error body says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct VendorError {
    /// Words shaped like codes, the most telling first.
    words: Vec<String>,
    /// Id of the incident.
    pub(crate) incident_id: Option<String>,
}

/// Where an error's words may stand, the most telling first.
const WORDS: [&str; 8] = [
    "error",
    "errorMessage",
    "resultCode",
    "errorCode",
    "errorDetails",
    "error_description",
    "message",
    "result",
];

/// A larger body is no error's: it is not looked into.
const LARGEST: usize = 256 << 10;

impl VendorError {
    /// Reads any body; what is no error body has no words.
    pub(crate) fn read(body: &[u8]) -> Self {
        let mut found = Self::default();
        if body.len() > LARGEST {
            return found;
        }
        let text = String::from_utf8_lossy(body);
        let Ok(body) = Node::parse(&text) else {
            return found;
        };
        if let Some(word) = body.text() {
            found.keep(word);
            return found;
        }
        for value in WORDS.iter().filter_map(|word| body.field(word)) {
            found.keep_value(value);
        }
        // `FAILURE` says nothing when another word stands beside it.
        found.words.sort_by_key(|word| word == "FAILURE");
        found.incident_id = body
            .field("incidentId")
            .and_then(Node::text)
            .and_then(identifier);
        found
    }

    /// Whether a body that came with status 200 is an error all the same.
    ///
    /// Nothing but the names of its fields is looked at, so that no odd value hides an error.
    pub(crate) fn is_error_object(body: &[u8]) -> bool {
        if let Ok(IsError(is_error)) = serde_json::from_slice(body) {
            return is_error;
        }
        let text = String::from_utf8_lossy(body.get(..LARGEST.min(body.len())).unwrap_or(body));
        Node::parse(&text).is_ok_and(|body| {
            let is_there = |key: &&str| !matches!(body.field(key), None | Some(Node::Null));
            ["error", "resultCode", "errorMessage"].iter().any(is_there)
                || body.field("result").and_then(Node::text) == Some("FAILURE")
        })
    }

    pub(crate) fn says(&self, word: &str) -> bool {
        self.words
            .iter()
            .any(|known| known.eq_ignore_ascii_case(word))
    }

    pub(crate) fn code(&self) -> Option<String> {
        self.words.first().cloned()
    }

    fn keep_value(&mut self, value: &Node<'_>) {
        match value.text() {
            Some(word) => self.keep(word),
            None => {
                for key in ["code", "resultCode", "error"] {
                    if let Some(word) = value.field(key).and_then(Node::text) {
                        self.keep(word);
                    }
                }
            }
        }
    }

    fn keep(&mut self, text: &str) {
        let text = text.trim();
        if is_well_known(text) || is_code(text) {
            self.words.push(text.to_owned());
        } else if let Some(word) = WELL_KNOWN
            .iter()
            .find(|word| word.len() > 7 && text.contains(**word))
        {
            // "Invalid scope control for client" and the like are not searched: only whole codes inside a sentence.
            self.words.push((*word).to_owned());
        } else if text.to_ascii_lowercase().starts_with("invalid scope") {
            self.words.push("invalid_scope".to_owned());
        }
    }
}

/// Whether an object has a field that only errors have.
struct IsError(bool);

impl<'de> Deserialize<'de> for IsError {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = IsError;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<IsError, A::Error> {
                let mut is_error = false;
                while let Some(key) = map.next_key::<Cow<'_, str>>()? {
                    match &*key {
                        "error" | "resultCode" | "errorMessage" => {
                            is_error |= map.next_value::<Option<IgnoredAny>>()?.is_some();
                        }
                        "result" => {
                            let result = map.next_value::<&RawValue>()?;
                            is_error |= result.get() == r#""FAILURE""#;
                        }
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(IsError(is_error))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

/// Codes are words joined by underscores, in one case or the other.
fn is_code(text: &str) -> bool {
    (3..=48).contains(&text.len())
        && text.contains('_')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
}

/// Incident ids: letters, digits, `-` and `_`.
pub(crate) fn identifier(text: &str) -> Option<String> {
    ((1..=80).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'))
    .then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(body: &str) -> VendorError {
        VendorError::read(body.as_bytes())
    }

    #[test]
    fn every_observed_shape_yields_its_code() {
        for (body, code) in [
            (
                r#"{"error":"not_authenticated","error_description":"Invalid credentials","error_code":10}"#,
                "not_authenticated",
            ),
            (
                r#"{"resultCode":"Client app not exist","incidentId":"WEB-00000000"}"#,
                "Client app not exist",
            ),
            (
                r#"{"resultCode":"FAILURE","errorMessage":"permission_denied"}"#,
                "permission_denied",
            ),
            (
                r#"{"resultCode":"FAILURE","errorMessage":{"code":"permission_denied","params":{}}}"#,
                "permission_denied",
            ),
            (
                r#"{"resultCode":"user_context_required"}"#,
                "user_context_required",
            ),
            (
                r#"{"errorCode":"invalid_id","message":"nothing of that name"}"#,
                "invalid_id",
            ),
            (r#""rate_limit_exceeded""#, "rate_limit_exceeded"),
            (r#"{"result":"FAILURE"}"#, "FAILURE"),
            (
                r#"{"error":"Invalid scope control for client"}"#,
                "invalid_scope",
            ),
        ] {
            assert_eq!(read(body).code().as_deref(), Some(code), "{body}");
        }
        let npe = read(
            r#"{"resultCode":"FAILURE","errorMessage":"NullPointerException","incidentId":"WEB_MGMT_SERVICE-2a-1683267369-FPCHHYPJ"}"#,
        );
        assert_eq!(npe.code().as_deref(), Some("FAILURE"));
        assert_eq!(
            npe.incident_id.as_deref(),
            Some("WEB_MGMT_SERVICE-2a-1683267369-FPCHHYPJ")
        );
    }

    #[test]
    fn free_text_is_never_kept() {
        let said = read(
            r#"{"errorMessage":"device SRV-01 of jane@example.com","incidentId":"see jane@example.com"}"#,
        );
        assert_eq!(said, VendorError::default());
        assert_eq!(
            read("<html>Too many requests</html>"),
            VendorError::default()
        );
    }

    proptest! {
        #[test]
        fn arbitrary_bodies_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = VendorError::read(&body);
            let _ = VendorError::is_error_object(&body);
        }
    }
}
