//! What the tenant answers, and how the transport should misbehave while it delivers it.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::wire;

/// One answer of a [`Tenant`](crate::Tenant).
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers, without those that belong to the transport (`content-length`, `transfer-encoding`).
    pub headers: Vec<(String, String)>,
    /// The whole body, also when [`delivery`](Self::delivery) says that it shall not arrive whole.
    pub body: Bytes,
    /// How it is to be delivered.
    pub delivery: Delivery,
}

/// How an answer travels. The default is: at once and whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Wait so long before the first byte.
    pub delay: Duration,
    /// Close the connection after so many bytes of the body.
    pub cut_after: Option<usize>,
    /// Send the body in pieces.
    pub trickle: Option<Trickle>,
    /// Close the connection without an answer.
    pub reset: bool,
}

/// A body in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trickle {
    /// Bytes a piece.
    pub bytes: usize,
    /// The pause before each piece.
    pub pause: Duration,
}

impl Delivery {
    /// Whether only a front that owns its connections ([`front::tcp`](crate::front::tcp), and in process
    /// [`front::in_process`](crate::front::in_process)) can deliver so.
    #[must_use]
    pub fn needs_raw_transport(&self) -> bool {
        self.reset || self.cut_after.is_some() || self.trickle.is_some()
    }
}

/// The observed forms of an error body (`ninjaone-api.md` section 1 lists eight).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorShape {
    /// `{"error","error_description","error_code"}`: the older error model, sent with 401 and 400.
    Described,
    /// `{"resultCode","errorMessage","incidentId"}`.
    ResultCode,
    /// As `ResultCode`, `errorMessage` being an object of `code` and `params`.
    MessageObject,
    /// `{"errorMessage","errorDetails"}` without a code.
    Details,
    /// `{"errorCode","message"}`: billing.
    Billing,
    /// A bare JSON string.
    BareString,
    /// `{"result":"FAILURE"}`.
    Result,
    /// No body at all.
    Empty,
    /// A gateway's HTML page.
    Html,
}

impl ErrorShape {
    /// Every shape.
    pub const ALL: [Self; 9] = [
        Self::Described,
        Self::ResultCode,
        Self::MessageObject,
        Self::Details,
        Self::Billing,
        Self::BareString,
        Self::Result,
        Self::Empty,
        Self::Html,
    ];
}

impl Answer {
    /// A JSON answer with status 200 from text that is already JSON.
    pub(crate) fn json_text(text: impl Into<Bytes>) -> Self {
        Self::typed(200, "application/json", text)
    }

    /// A JSON answer.
    pub(crate) fn json(status: u16, value: &Value) -> Self {
        Self::typed(status, "application/json", wire::text(value))
    }

    /// An HTML page.
    pub(crate) fn html(status: u16, page: &'static str) -> Self {
        Self::typed(status, "text/html", page)
    }

    fn typed(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body: body.into(),
            delivery: Delivery::default(),
        }
    }

    /// An error in one of the vendor's shapes.
    pub(crate) fn error(status: u16, shape: ErrorShape, code: &str, message: &str) -> Self {
        let body = match shape {
            ErrorShape::Described => {
                json!({ "error": code, "error_description": message, "error_code": 1 })
            }
            ErrorShape::ResultCode => {
                json!({ "resultCode": code, "errorMessage": message, "incidentId": INCIDENT })
            }
            ErrorShape::MessageObject => {
                json!({ "resultCode": code, "errorMessage": { "code": message, "params": {} }, "incidentId": INCIDENT })
            }
            ErrorShape::Details => json!({ "errorMessage": message, "errorDetails": [code] }),
            ErrorShape::Billing => json!({ "errorCode": code, "message": message }),
            ErrorShape::BareString => Value::String(message.to_owned()),
            ErrorShape::Result => json!({ "result": "FAILURE" }),
            ErrorShape::Empty => {
                return Self {
                    headers: Vec::new(),
                    body: Bytes::new(),
                    ..Self::html(status, "")
                };
            }
            ErrorShape::Html => return Self::html(status, GATEWAY_PAGE),
        };
        Self::json(status, &body)
    }

    /// The 401 of `samples/errors/api.401.not_authenticated.json`.
    pub(crate) fn not_authenticated() -> Self {
        let body = json!({ "error": "not_authenticated", "error_description": "Invalid credentials", "error_code": 10 });
        Self::json(401, &body)
    }

    /// The 404 for something that is not there.
    pub(crate) fn not_found() -> Self {
        Self::error(404, ErrorShape::ResultCode, "NOT_FOUND", "Entity not found")
    }

    /// Replaces or adds a header.
    pub(crate) fn set_header(&mut self, name: &str, value: &str) {
        self.headers
            .retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
    }
}

/// The form of an incident id, as in `samples/errors/api.500.failure-npe.json`.
pub(crate) const INCIDENT: &str = "WEB_MGMT_SERVICE-2a-1683267369-SIMULATE";

const GATEWAY_PAGE: &str =
    "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>";
