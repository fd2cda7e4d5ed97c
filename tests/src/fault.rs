//! What can go wrong between a client and the vendor, and when it does.

use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::answer::{Answer, ErrorShape, Trickle};
use crate::request::Request;
use crate::wire;

/// One way in which the vendor, or what lies before it, misbehaves.
///
/// A fault alone, given to [`Tenant::fault`](crate::Tenant::fault), strikes every request to `/v2/*`; the methods say where and
/// when instead:
///
/// ```
/// use ninjaone_simulator::{Fault, RetryAfter};
///
/// // The third request for volumes, and no other, is refused for two seconds.
/// let rule = Fault::TooManyRequests(RetryAfter::Seconds(2)).on("/v2/queries/volumes").starting_at(3).once();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// 429.
    TooManyRequests(RetryAfter),
    /// 503 with a gateway's HTML page.
    ServiceUnavailable,
    /// Any status with any of the vendor's error bodies.
    Error {
        /// The status.
        status: u16,
        /// The form of the body.
        shape: ErrorShape,
    },
    /// Status 200 and an HTML page that says "Too many requests" (`samples/errors/throttle.200.html.txt`).
    ThrottlePage,
    /// The access token dies: 401 now, and for every later request that brings the same token.
    TokenDies,
    /// A slow answer.
    Slow(Duration),
    /// The connection closes after so many bytes of the body, or in its middle if it is shorter. What the request did on the
    /// server, such as moving a cursor, stays done.
    CutBody {
        /// Bytes that arrive.
        after: usize,
    },
    /// The body arrives in small pieces.
    Trickle(Trickle),
    /// The connection closes without an answer; what the request did on the server stays done.
    ConnectionReset,
    /// Device filters and other parameters of selection are ignored: the whole fleet is answered.
    FiltersIgnored,
    /// The module is not licensed or the permission is missing.
    NotAvailable(NotAvailable),
    /// The cursor's offset does not advance: the next page is this one again.
    StalledCursor,
    /// The cursor's `count` promises more rows than there are.
    CountTooLarge {
        /// Rows too many.
        by: usize,
    },
    /// A page that continues a report finds its cursor expired (400).
    CursorExpired,
    /// A report comes whole, as an array without `results` and cursor.
    BareArray,
    /// The first row of the answer does not decode.
    MalformedRow(Malformed),
    /// JSON that says it is `text/plain`.
    WrongContentType,
    /// Status 200 without a body.
    EmptyBody,
}

/// The `Retry-After` of a 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// In seconds.
    Seconds(u32),
    /// As an HTTP date, this long after the tenant's now. The answer's `Date` header carries the tenant's now.
    HttpDate(Duration),
    /// No header.
    Missing,
}

/// How the vendor says that a report cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotAvailable {
    /// 403, `permission_denied`.
    Forbidden,
    /// 404, the module is not licensed.
    NotLicensed,
    /// 500, `permission_denied`: the vendor answers 500 where 403 is meant.
    ServerError,
    /// 403, `user_context_required`: the endpoint wants a person's token.
    UserContext,
}

/// How a row is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Its id (`id` or `deviceId`) is a word where a number belongs.
    WrongType,
    /// It is a string and no object.
    NotAnObject,
}

/// A fault, and the requests it strikes.
#[derive(Clone, Debug)]
pub struct FaultRule {
    fault: Fault,
    path: String,
    query: Option<String>,
    from: u64,
    every: u64,
    times: u64,
    seen: u64,
    fired: u64,
}

impl Fault {
    /// Strikes only paths of this pattern (`*` stands for anything), written with `/v2`, whatever prefix the client uses.
    #[must_use]
    pub fn on(self, path: &str) -> FaultRule {
        FaultRule {
            path: path.to_owned(),
            ..FaultRule::from(self)
        }
    }

    /// See [`FaultRule::starting_at`].
    #[must_use]
    pub fn starting_at(self, request: u64) -> FaultRule {
        FaultRule::from(self).starting_at(request)
    }

    /// See [`FaultRule::every`].
    #[must_use]
    pub fn every(self, nth: u64) -> FaultRule {
        FaultRule::from(self).every(nth)
    }

    /// See [`FaultRule::times`].
    #[must_use]
    pub fn times(self, times: u64) -> FaultRule {
        FaultRule::from(self).times(times)
    }

    /// See [`FaultRule::once`].
    #[must_use]
    pub fn once(self) -> FaultRule {
        FaultRule::from(self).once()
    }

    /// Whether only [`front::tcp`](crate::front::tcp) and [`front::in_process`](crate::front::in_process) can play it.
    #[must_use]
    pub fn needs_raw_transport(&self) -> bool {
        matches!(
            self,
            Self::CutBody { .. } | Self::Trickle(_) | Self::ConnectionReset
        )
    }

    /// Whether a complete and correct result can still be had when the fault strikes as [`all_survivable`](Self::all_survivable)
    /// has it.
    #[must_use]
    pub fn is_survivable(&self) -> bool {
        match self {
            Self::TooManyRequests(_)
            | Self::ServiceUnavailable
            | Self::ThrottlePage
            | Self::TokenDies
            | Self::Slow(_)
            | Self::CutBody { .. }
            | Self::Trickle(_)
            | Self::ConnectionReset
            | Self::FiltersIgnored
            | Self::CursorExpired
            | Self::BareArray
            | Self::WrongContentType => true,
            Self::Error { status, .. } => matches!(status, 500 | 502 | 503 | 504),
            Self::NotAvailable(_)
            | Self::StalledCursor
            | Self::CountTooLarge { .. }
            | Self::MalformedRow(_)
            | Self::EmptyBody => false,
        }
    }

    /// Every survivable fault, each at times at which it can be survived, so that all may be switched on together.
    ///
    /// Those that last (ignored filters, a bare array of antivirus rows, a wrong content type) last. The others strike one request
    /// to `/v2/*` each, with a good answer after each, so that a client that tries a request at least twice gets through; those that
    /// lose an answer strike once in the tenant's life, because a report whose answer got lost has to begin again. A run needs a
    /// good answer per fault (about a dozen) to meet them all. Some need a [raw transport](Self::needs_raw_transport).
    #[must_use]
    pub fn all_survivable() -> Vec<FaultRule> {
        let passing = [
            Self::TooManyRequests(RetryAfter::Seconds(1)),
            Self::ConnectionReset,
            Self::ServiceUnavailable,
            Self::ThrottlePage,
            Self::TokenDies,
            Self::CutBody { after: 40 },
            Self::Error {
                status: 500,
                shape: ErrorShape::ResultCode,
            },
            Self::TooManyRequests(RetryAfter::Missing),
            Self::Slow(Duration::from_millis(30)),
            Self::Error {
                status: 502,
                shape: ErrorShape::Html,
            },
            Self::TooManyRequests(RetryAfter::HttpDate(Duration::from_secs(1))),
            Self::Trickle(Trickle {
                bytes: 4096,
                pause: Duration::from_millis(1),
            }),
        ];
        let lasting = [
            FaultRule::from(Self::FiltersIgnored),
            Self::BareArray.on("/v2/queries/antivirus-status"),
            Self::WrongContentType.on("/v2/queries/*"),
            Self::CursorExpired
                .on("/v2/queries/volumes")
                .starting_at(2)
                .once(),
        ];
        (0..)
            .zip(passing)
            .map(|(n, fault)| fault.starting_at(2 + 2 * n).once())
            .chain(lasting)
            .collect()
    }

    /// One of every fault that no client can make good, each lasting.
    #[must_use]
    pub fn all_fatal() -> Vec<Self> {
        vec![
            Self::ServiceUnavailable,
            Self::ThrottlePage,
            Self::Error {
                status: 500,
                shape: ErrorShape::ResultCode,
            },
            Self::NotAvailable(NotAvailable::Forbidden),
            Self::NotAvailable(NotAvailable::NotLicensed),
            Self::NotAvailable(NotAvailable::ServerError),
            Self::NotAvailable(NotAvailable::UserContext),
            Self::StalledCursor,
            Self::CountTooLarge { by: 3 },
            Self::MalformedRow(Malformed::WrongType),
            Self::MalformedRow(Malformed::NotAnObject),
            Self::EmptyBody,
            Self::CutBody { after: 40 },
            Self::ConnectionReset,
        ]
    }
}

impl From<Fault> for FaultRule {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            path: "/v2/*".to_owned(),
            query: None,
            from: 1,
            every: 1,
            times: u64::MAX,
            seen: 0,
            fired: 0,
        }
    }
}

impl FaultRule {
    /// Strikes only requests whose decoded query contains this text, such as one organization's filter.
    #[must_use]
    pub fn whose_query_contains(self, text: &str) -> Self {
        Self {
            query: Some(text.to_owned()),
            ..self
        }
    }

    /// Strikes from this request on, the first that matches being 1.
    #[must_use]
    pub fn starting_at(self, request: u64) -> Self {
        Self {
            from: request.max(1),
            ..self
        }
    }

    /// Strikes every nth request that matches, beginning with the one it starts at.
    #[must_use]
    pub fn every(self, nth: u64) -> Self {
        Self {
            every: nth.max(1),
            ..self
        }
    }

    /// Strikes so many times and then no more.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self { times, ..self }
    }

    /// Strikes once.
    #[must_use]
    pub fn once(self) -> Self {
        self.times(1)
    }

    /// The fault.
    #[must_use]
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    /// How often it has struck.
    #[must_use]
    pub fn fired(&self) -> u64 {
        self.fired
    }

    /// Counts a request and says whether the fault strikes it.
    pub(crate) fn strikes(&mut self, request: &Request) -> bool {
        let query = || {
            request
                .query()
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect::<Vec<_>>()
                .join("&")
        };
        let matches = glob(&self.path, request.path())
            && self
                .query
                .as_ref()
                .is_none_or(|text| query().contains(text));
        if !matches {
            return false;
        }
        self.seen += 1;
        let due = self.seen >= self.from
            && (self.seen - self.from).is_multiple_of(self.every)
            && self.fired < self.times;
        self.fired += u64::from(due);
        due
    }
}

/// What the faults of one request change about how it is processed.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one flag a fault; any of them may come with any other"
)]
pub(crate) struct Changes {
    pub(crate) filters_ignored: bool,
    pub(crate) stalled_cursor: bool,
    pub(crate) count_too_large: usize,
    pub(crate) cursor_expired: bool,
    pub(crate) bare_array: bool,
    malformed: Option<Malformed>,
}

impl Changes {
    /// The changes that a request's faults ask for.
    pub(crate) fn of(faults: &[Fault]) -> Self {
        let mut changes = Self::default();
        for fault in faults {
            match fault {
                Fault::FiltersIgnored => changes.filters_ignored = true,
                Fault::StalledCursor => changes.stalled_cursor = true,
                Fault::CountTooLarge { by } => changes.count_too_large = *by,
                Fault::CursorExpired => changes.cursor_expired = true,
                Fault::BareArray => changes.bare_array = true,
                Fault::MalformedRow(how) => changes.malformed = Some(*how),
                _ => {}
            }
        }
        changes
    }

    /// Rows as a JSON array.
    pub(crate) fn rows(&self, rows: &[&str]) -> String {
        let mut text =
            String::with_capacity(rows.iter().map(|row| row.len() + 1).sum::<usize>() + 2);
        text.push('[');
        for (number, row) in rows.iter().enumerate() {
            if number > 0 {
                text.push(',');
            }
            match self.malformed {
                Some(how) if number == 0 => text.push_str(&how.breaks(row)),
                _ => text.push_str(row),
            }
        }
        text.push(']');
        text
    }
}

impl Malformed {
    fn breaks(self, row: &str) -> String {
        let mut value: Value = serde_json::from_str(row).unwrap_or(Value::Null);
        match (self, value.as_object_mut()) {
            (Self::WrongType, Some(fields)) => {
                let key = if fields.contains_key("deviceId") {
                    "deviceId"
                } else {
                    "id"
                };
                fields.insert(key.to_owned(), Value::String("seven".to_owned()));
                wire::text(&value)
            }
            _ => "\"row\"".to_owned(),
        }
    }
}

/// The answer a fault gives instead of the tenant's own.
pub(crate) fn instead(fault: &Fault, now: OffsetDateTime) -> Option<Answer> {
    let answer = match fault {
        Fault::TooManyRequests(after) => {
            let mut answer = Answer::error(
                429,
                ErrorShape::Described,
                "rate_limit_exceeded",
                "Request rate limit exceeded",
            );
            match after {
                RetryAfter::Seconds(seconds) => {
                    answer.set_header("retry-after", &seconds.to_string());
                }
                RetryAfter::HttpDate(wait) => {
                    answer.set_header("retry-after", &http_date(now + *wait));
                }
                RetryAfter::Missing => {}
            }
            answer
        }
        Fault::ServiceUnavailable => Answer::error(503, ErrorShape::Html, "", ""),
        Fault::Error { status, shape } => {
            Answer::error(*status, *shape, "FAILURE", "Internal Server Error")
        }
        Fault::ThrottlePage => Answer::html(200, "<html><body>Too many requests</body></html>\n"),
        Fault::TokenDies => Answer::not_authenticated(),
        Fault::NotAvailable(how) => match how {
            NotAvailable::Forbidden => Answer::error(
                403,
                ErrorShape::ResultCode,
                "permission_denied",
                "Permission denied",
            ),
            NotAvailable::NotLicensed => Answer::error(
                404,
                ErrorShape::ResultCode,
                "NOT_FOUND",
                "Module not licensed",
            ),
            NotAvailable::ServerError => {
                Answer::error(500, ErrorShape::ResultCode, "FAILURE", "permission_denied")
            }
            NotAvailable::UserContext => Answer::json(
                403,
                &serde_json::json!({ "resultCode": "user_context_required" }),
            ),
        },
        _ => return None,
    };
    Some(answer)
}

/// What a fault does to an answer on its way.
pub(crate) fn spoil(fault: &Fault, answer: &mut Answer) {
    match fault {
        Fault::Slow(delay) => answer.delivery.delay += *delay,
        Fault::CutBody { after } => {
            let middle = answer.body.len() / 2;
            answer.delivery.cut_after = Some(if *after < answer.body.len() {
                *after
            } else {
                middle
            });
        }
        Fault::Trickle(pieces) => answer.delivery.trickle = Some(*pieces),
        Fault::ConnectionReset => answer.delivery.reset = true,
        Fault::WrongContentType => answer.set_header("content-type", "text/plain"),
        Fault::EmptyBody => {
            answer.body.clear();
            answer.headers.retain(|(name, _)| name != "content-type");
        }
        _ => {}
    }
}

/// A date as HTTP writes it.
pub(crate) fn http_date(time: OffsetDateTime) -> String {
    let form = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    time.to_offset(time::UtcOffset::UTC)
        .format(&form)
        .unwrap_or_default()
}

/// Whether a text matches a pattern in which `*` stands for anything.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => text.strip_prefix(head).is_some_and(|text| {
            text.char_indices()
                .map(|(at, _)| at)
                .chain([text.len()])
                .any(|at| glob(rest, text.split_at(at).1))
        }),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::{Fault, FaultRule, glob, http_date};
    use crate::request::Request;

    fn strikes(mut rule: FaultRule, paths: &[&str]) -> Vec<bool> {
        paths
            .iter()
            .map(|path| rule.strikes(&Request::get(path)))
            .collect()
    }

    #[test]
    fn rules_count_the_requests_they_match() {
        let paths = [
            "/v2/devices",
            "/api/v2/queries/volumes?df=org%20%3D%205",
            "/v2/queries/volumes",
            "/ws/oauth/token",
        ];
        assert_eq!(
            strikes(FaultRule::from(Fault::EmptyBody), &paths),
            [true, true, true, false]
        );
        assert_eq!(
            strikes(Fault::EmptyBody.on("*"), &paths),
            [true, true, true, true]
        );
        assert_eq!(
            strikes(Fault::EmptyBody.on("/v2/queries/*").starting_at(2), &paths),
            [false, false, true, false]
        );
        assert_eq!(
            strikes(Fault::EmptyBody.once(), &paths),
            [true, false, false, false]
        );
        assert_eq!(
            strikes(Fault::EmptyBody.every(2), &paths),
            [true, false, true, false]
        );
        assert_eq!(
            strikes(
                Fault::EmptyBody.on("*").whose_query_contains("df=org = 5"),
                &paths
            ),
            [false, true, false, false]
        );
    }

    #[test]
    fn a_star_stands_for_anything() {
        assert!(glob("/v2/device/*/volumes", "/v2/device/42/volumes"));
        assert!(!glob("/v2/device/*/volumes", "/v2/device/42/disks"));
        assert!(glob("*", ""));
    }

    #[test]
    fn dates_are_written_as_http_has_them() {
        assert_eq!(
            http_date(datetime!(2026-11-03 06:05:09 UTC)),
            "Tue, 03 Nov 2026 06:05:09 GMT"
        );
    }

    #[test]
    fn what_is_called_survivable_is() {
        assert!(
            Fault::all_survivable()
                .iter()
                .all(|rule| rule.fault().is_survivable())
        );
    }
}
