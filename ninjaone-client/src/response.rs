//! Turns an HTTP response into its body, or into an error that says what to do.

use std::{borrow::Cow, time::Duration};

use bytes::{Buf, Bytes};
use http::{HeaderMap, Response, StatusCode, header};

use crate::{
    Error, ErrorKind, clock,
    error::SizeHint,
    paging::{Fence, Unreadable},
    retry::Outcome,
    retry_after,
    transport::{TransportError, TransportErrorKind},
    vendor_error::{VendorError, identifier},
};

/// The kind of request. The same status has a different meaning for each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestKind {
    /// A token request with client credentials.
    ClientToken,
    /// A token request with a refresh token or an authorization code.
    UserToken,
    /// An endpoint that every tenant has, or an entity by its id.
    Entity,
    /// A list or report of a module that a tenant may not have.
    Module,
}

/// A failed attempt.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) outcome: Outcome,
}

impl Failure {
    /// Another attempt would fail too.
    pub(crate) fn permanent(error: Error) -> Self {
        Self {
            error,
            outcome: Outcome::Final,
        }
    }

    /// A later attempt may succeed.
    pub(crate) fn retryable(error: Error) -> Self {
        Self {
            error,
            outcome: Outcome::Again { retry_after: None },
        }
    }

    fn after(error: Error, retry_after: Option<Duration>) -> Self {
        Self {
            error,
            outcome: Outcome::Again { retry_after },
        }
    }
}

/// Returns the body of a successful response.
pub(crate) fn body_of(asked: RequestKind, answer: Response<Bytes>) -> Result<Bytes, Failure> {
    let answer = answer.map(without_byte_order_mark);
    let status = answer.status();
    let retry_after = retry_after_of(answer.headers());
    if status.is_success() {
        if is_html(answer.headers(), answer.body()) {
            // The throttle page was observed to be HTML with status 200.
            let error = Error::new(
                ErrorKind::RateLimited { retry_after },
                with_wait(
                    "a web page came instead of data: too many requests, or the base URL is not the API's address",
                    retry_after,
                ),
            );
            return Err(Failure::after(
                error.with_status(status.as_u16()),
                retry_after,
            ));
        }
        return Ok(answer.into_body());
    }
    let vendor = VendorError::read(answer.body());
    let (kind, reason, again) = classify(
        asked,
        status,
        &vendor,
        retry_after,
        is_html(answer.headers(), answer.body()),
    );
    let incident = vendor.incident_id.clone().or_else(|| {
        answer
            .headers()
            .get("x-nj-request-id")
            .and_then(|id| identifier(id.to_str().ok()?))
    });
    let reason = with_wait(reason, retry_after.filter(|_| again));
    let error = Error::new(kind, reason)
        .with_status(status.as_u16())
        .with_vendor(vendor.code(), incident);
    Err(if again {
        let error = match retry_after {
            Some(_) => error.with_size_hint(SizeHint::AskedToWait),
            None => error,
        };
        Failure::after(error, retry_after)
    } else {
        Failure::permanent(error)
    })
}

/// Adds the wait that the server asks for to a reason.
fn with_wait(reason: &'static str, retry_after: Option<Duration>) -> Cow<'static, str> {
    match retry_after {
        Some(wait) if !wait.is_zero() => {
            let wait = retry_after::words(wait, clock::now());
            format!("{reason}; NinjaOne asks to wait {wait}").into()
        }
        _ => reason.into(),
    }
}

/// Removes a byte order mark. Some servers and proxies put one before JSON, where it is not allowed.
fn without_byte_order_mark(mut body: Bytes) -> Bytes {
    if body.starts_with("\u{feff}".as_bytes()) {
        body.advance('\u{feff}'.len_utf8());
    }
    body
}

/// The failure for a body that has a success status but cannot be read.
pub(crate) fn unreadable(
    asked: RequestKind,
    status: StatusCode,
    why: Unreadable,
    body: &[u8],
) -> Failure {
    match why {
        Unreadable::BrokenOff => Failure::retryable(
            Error::new(ErrorKind::Connect, "the answer broke off: try again later")
                .with_status(status.as_u16())
                .with_size_hint(SizeHint::BrokenOff),
        ),
        Unreadable::Garbled => Failure::retryable(
            Error::new(
                ErrorKind::Decode,
                "the answer is no JSON: check that the base URL is the API's address",
            )
            .with_status(status.as_u16()),
        ),
        Unreadable::NullRows => Failure::retryable(
            Error::new(
                ErrorKind::Decode,
                "null came where rows should be, and nothing says that there are none: try again later",
            )
            .with_status(status.as_u16()),
        ),
        Unreadable::Shape(field) => {
            let field = field
                .map(|field| format!(" (field {field})"))
                .unwrap_or_default();
            let reason = format!(
                "the answer has another shape than expected{field}: this version may be too old for it"
            );
            Failure::permanent(Error::new(ErrorKind::Decode, reason).with_status(status.as_u16()))
        }
        Unreadable::Exceeds(fence) => Failure::permanent(
            Error::new(ErrorKind::LimitExceeded, exceeded(fence))
                .with_status(status.as_u16())
                .with_size_hint(match fence {
                    Fence::Body(_) | Fence::Decoded(_) => SizeHint::TooLarge,
                    // Smaller pages do not avoid these limits.
                    Fence::Rows(_) | Fence::Cursor(_) | Fence::Depth => SizeHint::None,
                }),
        ),
        Unreadable::VendorError => {
            let vendor = VendorError::read(body);
            // An error with a success status is classified by its words, or else as a server failure.
            let (kind, reason, again) =
                classify(asked, StatusCode::INTERNAL_SERVER_ERROR, &vendor, None, false);
            let error = Error::new(kind, reason)
                .with_status(status.as_u16())
                .with_vendor(vendor.code(), vendor.incident_id.clone());
            if again {
                Failure::retryable(error)
            } else {
                Failure::permanent(error)
            }
        }
    }
}

/// The text that names the limit that a response exceeds, and what to do.
fn exceeded(fence: Fence) -> Cow<'static, str> {
    match fence {
        Fence::Body(bytes) => format!(
            "the answer is larger than {bytes} bytes, the largest this client reads (largest_answer): nothing of it is used; ask for \
             smaller pages"
        )
        .into(),
        Fence::Rows(rows) => format!(
            "the answer holds more than {rows} rows, the most this client reads at a time: nothing of it is used; the server ignores \
             the page size"
        )
        .into(),
        Fence::Decoded(bytes) => format!(
            "the answer's content takes more than {bytes} bytes of memory, the most this client spends on one \
             (largest_content): nothing of it is used; ask for smaller pages"
        )
        .into(),
        Fence::Cursor(bytes) => format!(
            "the answer's cursor or count is longer than {bytes} bytes, and cannot be sent back: nothing of it is used"
        )
        .into(),
        Fence::Depth => {
            "the answer is nested deeper than 128 levels, the most this client reads: nothing of it is used".into()
        }
    }
}

/// The failure of a request without a response.
pub(crate) fn no_answer(error: TransportError, largest: usize) -> Failure {
    if error.kind() == TransportErrorKind::TooLarge {
        let reason = exceeded(Fence::Body(largest));
        let exceeded = Error::new(ErrorKind::LimitExceeded, reason).caused_by(error);
        return Failure::permanent(exceeded.with_size_hint(SizeHint::TooLarge));
    }
    let (kind, reason, again) = match error.kind() {
        TransportErrorKind::Connect => (
            ErrorKind::Connect,
            "no connection: check the network, the proxy and the base URL",
            true,
        ),
        TransportErrorKind::Certificate => (
            ErrorKind::Certificate,
            "the server's certificate could not be verified: check the base URL, this machine's clock and its trusted certificates, and whether a proxy inspects the connection",
            false,
        ),
        TransportErrorKind::Timeout => (
            ErrorKind::Timeout,
            "no answer in time: try again later, or with smaller pages",
            true,
        ),
        TransportErrorKind::Incomplete => (
            ErrorKind::Connect,
            "the answer broke off: try again later",
            true,
        ),
        TransportErrorKind::TooLarge | TransportErrorKind::Other => (
            ErrorKind::Connect,
            "the request failed: try again later",
            true,
        ),
    };
    let hint = match error.kind() {
        TransportErrorKind::Incomplete => SizeHint::BrokenOff,
        _ => SizeHint::None,
    };
    let error = Error::new(kind, reason)
        .caused_by(error)
        .with_size_hint(hint);
    if again {
        Failure::retryable(error)
    } else {
        Failure::permanent(error)
    }
}

/// The number of requests left, if NinjaOne sends it.
pub(crate) fn remaining(headers: &HeaderMap) -> Option<u64> {
    headers
        .get("x-ratelimit-remaining")?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
}

fn retry_after_of(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    retry_after::read(text(header::RETRY_AFTER)?, || {
        // The server's clock set the date, so the date is compared with the server's clock.
        text(header::DATE)
            .and_then(retry_after::http_date)
            .unwrap_or_else(clock::now)
    })
}

fn is_html(headers: &HeaderMap, body: &[u8]) -> bool {
    let html = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            value
                .trim_start()
                .to_ascii_lowercase()
                .starts_with("text/html")
        });
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    first == Some(&b'<') || (html && !matches!(first, Some(b'{' | b'[')))
}

/// The kind of error, what to do, and whether to retry.
fn classify(
    asked: RequestKind,
    status: StatusCode,
    vendor: &VendorError,
    retry_after: Option<Duration>,
    is_html: bool,
) -> (ErrorKind, &'static str, bool) {
    let permanent = |kind, reason| (kind, reason, false);
    if status == StatusCode::TOO_MANY_REQUESTS || vendor.says("rate_limit_exceeded") {
        let reason = "too many requests: wait before asking again, and lower the rate limit if this happens often";
        return (ErrorKind::RateLimited { retry_after }, reason, true);
    }
    match asked {
        RequestKind::ClientToken | RequestKind::UserToken => {
            if let Some(refusal) = token_refusal(asked, status, vendor, is_html) {
                return refusal;
            }
        }
        RequestKind::Entity | RequestKind::Module => {
            if vendor.says("user_context_required") {
                return permanent(
                    ErrorKind::UserContextRequired,
                    "this works only with a user's token: connect by the authorization code flow",
                );
            }
            // A web page comes from a proxy or gateway and concerns this request, so it does not show what the tenant has.
            let is_module = asked == RequestKind::Module && !is_html;
            if vendor.says("permission_denied") || status == StatusCode::FORBIDDEN {
                return if is_module {
                    permanent(
                        ErrorKind::NotAvailable,
                        "not available to these credentials: the module is not licensed or the permission is missing",
                    )
                } else {
                    permanent(
                        ErrorKind::Forbidden,
                        "the credentials may not read this: check the API client's scopes and the user's role",
                    )
                };
            }
            if matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) {
                return if is_module {
                    permanent(
                        ErrorKind::NotAvailable,
                        "not available in this tenant: the module is not licensed, or the region runs an older version",
                    )
                } else {
                    permanent(
                        ErrorKind::NotFound,
                        "there is no such entity, or the base URL is not the API's address",
                    )
                };
            }
        }
    }
    match status {
        StatusCode::UNAUTHORIZED => permanent(
            ErrorKind::Unauthenticated,
            "NinjaOne refuses the token: check that the API client still exists and that its secret is current",
        ),
        StatusCode::FORBIDDEN => permanent(
            ErrorKind::Forbidden,
            "NinjaOne refuses access: check the API client and any address allow-list",
        ),
        StatusCode::NOT_FOUND => {
            permanent(ErrorKind::NotFound, "nothing is there: check the base URL")
        }
        StatusCode::CONFLICT => permanent(
            ErrorKind::Conflict,
            "it was changed meanwhile: read it again",
        ),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => (
            ErrorKind::Timeout,
            "no answer in time: try again later",
            true,
        ),
        status if status.is_server_error() => (
            ErrorKind::Server,
            "NinjaOne failed: try again later, and quote the incident to its support",
            true,
        ),
        status if status.is_redirection() => permanent(
            ErrorKind::Config,
            "NinjaOne answers with a redirect, which is not followed: check the base URL",
        ),
        _ => permanent(
            ErrorKind::InvalidRequest,
            "NinjaOne refuses the parameters: check filters, ids and page size",
        ),
    }
}

/// Classifies what the token endpoint refuses. Other failures (server errors, time-outs) are classified as for every request.
fn token_refusal(
    asked: RequestKind,
    status: StatusCode,
    vendor: &VendorError,
    is_html: bool,
) -> Option<(ErrorKind, &'static str, bool)> {
    let (kind, reason) = if vendor.says("Client app not exist") {
        (
            ErrorKind::WrongRegionOrClient,
            "the client id is unknown there: either it is wrong, or the tenant lives in another region",
        )
    } else if vendor.says("invalid_scope") {
        (
            ErrorKind::ScopeNotGranted,
            "the API client was not granted a scope that was asked for: grant it in NinjaOne, or ask for fewer",
        )
    } else if vendor.says("unauthorized_client") || vendor.says("unsupported_grant_type") {
        (
            ErrorKind::Unauthenticated,
            "the API client does not allow this grant: its type must be API Services for client credentials",
        )
    } else if asked == RequestKind::UserToken
        && ["invalid_token", "expired_token", "invalid_grant"]
            .iter()
            .any(|word| vendor.says(word))
    {
        (
            ErrorKind::AuthorizeAgain,
            "the refresh token or authorization code is no longer valid: authorize again",
        )
    } else if vendor.says("invalid_client")
        || vendor.says("invalid_grant")
        || status == StatusCode::UNAUTHORIZED
    {
        (
            ErrorKind::Unauthenticated,
            "NinjaOne refuses the credentials: check client id and secret",
        )
    } else if status == StatusCode::NOT_FOUND && is_html {
        (
            ErrorKind::WrongRegionOrClient,
            "no token endpoint there: check that the base URL is the region's address",
        )
    } else if status == StatusCode::NOT_FOUND {
        (
            ErrorKind::WrongRegionOrClient,
            "the client id is unknown there: either it is wrong, or the tenant lives in another region",
        )
    } else {
        return None;
    };
    Some((kind, reason, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(
        asked: RequestKind,
        status: u16,
        headers: &[(&str, &str)],
        body: &'static str,
    ) -> Failure {
        let mut answer = Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        body_of(
            asked,
            answer.body(Bytes::from_static(body.as_bytes())).unwrap(),
        )
        .unwrap_err()
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "one table")]
    fn the_table_of_refusals() {
        use RequestKind::{ClientToken, Entity, Module, UserToken};
        for (asked, status, body, kind) in [
            (
                ClientToken,
                404,
                r#"{"resultCode":"Client app not exist","incidentId":"WEB-1"}"#,
                ErrorKind::WrongRegionOrClient,
            ),
            (
                ClientToken,
                400,
                r#"{"resultCode":"Client app not exist"}"#,
                ErrorKind::WrongRegionOrClient,
            ),
            (
                ClientToken,
                404,
                "<html>nginx</html>",
                ErrorKind::WrongRegionOrClient,
            ),
            (
                ClientToken,
                400,
                r#"{"error":"invalid_scope"}"#,
                ErrorKind::ScopeNotGranted,
            ),
            (
                ClientToken,
                401,
                r#"{"error":"invalid_client"}"#,
                ErrorKind::Unauthenticated,
            ),
            (ClientToken, 401, "", ErrorKind::Unauthenticated),
            (
                ClientToken,
                400,
                r#"{"error":"unauthorized_client"}"#,
                ErrorKind::Unauthenticated,
            ),
            (
                ClientToken,
                400,
                r#"{"error":"invalid_request"}"#,
                ErrorKind::InvalidRequest,
            ),
            (
                UserToken,
                400,
                r#"{"error":"invalid_token"}"#,
                ErrorKind::AuthorizeAgain,
            ),
            (
                UserToken,
                400,
                r#"{"error":"expired_token"}"#,
                ErrorKind::AuthorizeAgain,
            ),
            (
                UserToken,
                400,
                r#"{"error":"invalid_grant"}"#,
                ErrorKind::AuthorizeAgain,
            ),
            (
                UserToken,
                400,
                r#"{"error":"invalid_request"}"#,
                ErrorKind::InvalidRequest,
            ),
            (
                Entity,
                400,
                r#"{"error":"invalid_header","error_code":1}"#,
                ErrorKind::InvalidRequest,
            ),
            (
                Entity,
                401,
                r#"{"error":"not_authenticated"}"#,
                ErrorKind::Unauthenticated,
            ),
            (Entity, 403, "", ErrorKind::Forbidden),
            (Module, 403, "", ErrorKind::NotAvailable),
            (Module, 404, "", ErrorKind::NotAvailable),
            (Module, 403, "<html>blocked</html>", ErrorKind::Forbidden),
            (Module, 404, "<html>nginx</html>", ErrorKind::NotFound),
            (
                Entity,
                404,
                r#"{"resultCode":"FAILURE"}"#,
                ErrorKind::NotFound,
            ),
            (
                Module,
                403,
                r#"{"resultCode":"user_context_required"}"#,
                ErrorKind::UserContextRequired,
            ),
            (
                Module,
                500,
                r#"{"resultCode":"FAILURE","errorMessage":{"code":"permission_denied"}}"#,
                ErrorKind::NotAvailable,
            ),
            (
                Entity,
                500,
                r#"{"resultCode":"permission_denied"}"#,
                ErrorKind::Forbidden,
            ),
            (Entity, 409, "", ErrorKind::Conflict),
            (Entity, 302, "", ErrorKind::Config),
        ] {
            let failure = failure(asked, status, &[], body);
            assert_eq!(
                (failure.error.kind(), failure.outcome),
                (kind, Outcome::Final),
                "{asked:?} {status} {body}"
            );
        }
    }

    #[test]
    fn the_table_of_what_is_tried_again() {
        let wait = Some(Duration::from_secs(7));
        for (status, headers, body, kind, retry_after) in [
            (
                429,
                vec![],
                "",
                ErrorKind::RateLimited { retry_after: None },
                None,
            ),
            (
                429,
                vec![("retry-after", "7")],
                "",
                ErrorKind::RateLimited { retry_after: wait },
                wait,
            ),
            (
                400,
                vec![],
                r#"{"error":"rate_limit_exceeded"}"#,
                ErrorKind::RateLimited { retry_after: None },
                None,
            ),
            (
                200,
                vec![("content-type", "text/html; charset=utf-8")],
                "Too many requests",
                ErrorKind::RateLimited { retry_after: None },
                None,
            ),
            (
                200,
                vec![],
                " <html><body>Too many requests</body></html>",
                ErrorKind::RateLimited { retry_after: None },
                None,
            ),
            (
                500,
                vec![],
                r#"{"resultCode":"FAILURE","errorMessage":"NullPointerException"}"#,
                ErrorKind::Server,
                None,
            ),
            (503, vec![("retry-after", "7")], "", ErrorKind::Server, wait),
            (504, vec![], "<html>", ErrorKind::Server, None),
            (408, vec![], "", ErrorKind::Timeout, None),
        ] {
            let failure = failure(RequestKind::Entity, status, &headers, body);
            assert_eq!(
                (failure.error.kind(), failure.outcome),
                (kind, Outcome::Again { retry_after }),
                "{status} {body}"
            );
        }
    }

    #[test]
    fn a_retry_after_date_is_read_by_the_other_sides_clock() {
        let headers = [
            ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"),
        ];
        let failure = failure(RequestKind::Entity, 429, &headers, "");
        assert_eq!(
            failure.outcome,
            Outcome::Again {
                retry_after: Some(Duration::from_secs(30))
            }
        );
    }

    #[test]
    fn json_under_an_html_content_type_is_json() {
        let answer = Response::builder()
            .header("content-type", "text/html")
            .body(Bytes::from_static(b"[]"))
            .unwrap();
        assert!(body_of(RequestKind::Entity, answer).is_ok());
    }

    #[test]
    fn error_texts_say_what_to_do_and_nothing_that_was_sent() {
        let body = r#"{"error":"invalid_request","error_description":"user jane@example.com","incidentId":"WEB-1"}"#;
        let error = failure(RequestKind::Entity, 400, &[], body).error;
        let text = format!("{error} {error:?}");
        assert!(
            text.contains("WEB-1") && text.contains("invalid_request") && !text.contains("jane"),
            "{text}"
        );
        let error = failure(RequestKind::Entity, 400, &[], r#"{"error":"jane_doe"}"#).error;
        assert!(
            !format!("{error} {error:?}").contains("jane"),
            "only well-known codes are printed"
        );
        assert_eq!(error.code(), Some("jane_doe"));
    }
}
