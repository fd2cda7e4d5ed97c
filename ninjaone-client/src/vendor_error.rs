//! NinjaOne's error bodies. At least eight shapes were observed; all of them end here as words and an incident id.
//!
//! Free text is never kept: it may quote what was asked or found. Words are kept when they look like a code.

use serde::Deserialize;
use serde_json::Value;

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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    #[serde(default)]
    error: Value,
    #[serde(default, rename = "error_description")]
    error_description: Value,
    #[serde(default)]
    result_code: Value,
    #[serde(default)]
    error_message: Value,
    #[serde(default)]
    error_code: Value,
    #[serde(default)]
    error_details: Value,
    #[serde(default)]
    message: Value,
    #[serde(default)]
    result: Value,
    #[serde(default)]
    incident_id: Value,
}

impl VendorError {
    /// Reads any body; what is no error body has no words.
    pub(crate) fn read(body: &[u8]) -> Self {
        let mut found = Self::default();
        if let Ok(word) = serde_json::from_slice::<String>(body) {
            found.keep(&word);
            return found;
        }
        let Ok(body) = serde_json::from_slice::<Body>(body) else {
            return found;
        };
        found.keep_value(&body.error);
        found.keep_value(&body.error_message);
        found.keep_value(&body.result_code);
        found.keep_value(&body.error_code);
        found.keep_value(&body.error_details);
        found.keep_value(&body.error_description);
        found.keep_value(&body.message);
        found.keep_value(&body.result);
        // `FAILURE` says nothing when another word stands beside it.
        found.words.sort_by_key(|word| word == "FAILURE");
        found.incident_id = body.incident_id.as_str().and_then(identifier);
        found
    }

    /// Whether a body that came with status 200 is an error all the same.
    pub(crate) fn is_error_object(body: &[u8]) -> bool {
        serde_json::from_slice::<Body>(body).is_ok_and(|body| {
            let said = |value: &Value| !value.is_null();
            said(&body.error)
                || said(&body.result_code)
                || said(&body.error_message)
                || body.result.as_str() == Some("FAILURE")
        })
    }

    pub(crate) fn says(&self, word: &str) -> bool {
        self.words
            .iter()
            .any(|said| said.eq_ignore_ascii_case(word))
    }

    pub(crate) fn code(&self) -> Option<String> {
        self.words.first().cloned()
    }

    fn keep_value(&mut self, value: &Value) {
        match value {
            Value::String(word) => self.keep(word),
            Value::Object(object) => {
                for key in ["code", "resultCode", "error"] {
                    if let Some(Value::String(word)) = object.get(key) {
                        self.keep(word);
                    }
                }
            }
            _ => {}
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
    use super::*;
    use proptest::prelude::*;

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
