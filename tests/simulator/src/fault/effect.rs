//! What a fault does to a request and its answer.

use serde_json::Value;
use time::{OffsetDateTime, macros::format_description};

use super::{CursorHabit, Fault, Half, Malformed, NotAvailable, Parameter, RetryAfter};
use crate::{
    answer::{Answer, ErrorShape},
    request::Request,
    wire,
};

/// What the faults of one request change about how it is processed.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one flag a fault; any of them may come with any other"
)]
pub(crate) struct Changes {
    filters_ignored: bool,
    ignored: Vec<Parameter>,
    pub(crate) place_ignored: bool,
    pub(crate) rows_null: bool,
    everything: bool,
    habits: Vec<CursorHabit>,
    pub(crate) stalled_cursor: bool,
    pub(crate) count_too_large: usize,
    pub(crate) cursor_expired: bool,
    pub(crate) cursor_missing: bool,
    pub(crate) count_missing: bool,
    page_cap: Option<usize>,
    pub(crate) bare_array: bool,
    malformed: Option<Malformed>,
    half: Option<Half>,
    matching_nothing: Vec<Parameter>,
}

impl Changes {
    /// The changes that a request's faults ask for; with each fault goes how often it has struck, this request included.
    pub(crate) fn of(faults: &[(Fault, u64)]) -> Self {
        let mut changes = Self::default();
        for (fault, struck) in faults {
            match fault {
                Fault::FiltersIgnored => changes.filters_ignored = true,
                Fault::StalledCursor => changes.stalled_cursor = true,
                Fault::CountTooLarge { by } => changes.count_too_large = *by,
                Fault::CursorExpired => changes.cursor_expired = true,
                Fault::CursorMissing => changes.cursor_missing = true,
                Fault::CountMissing => changes.count_missing = true,
                Fault::PageCapped { rows } => changes.cap(*rows),
                Fault::PagesCapped { rows } => {
                    let turn = usize::try_from(struck.saturating_sub(1)).unwrap_or(0);
                    if let Some(rows) = rows.get(turn % rows.len().max(1)) {
                        changes.cap(*rows);
                    }
                }
                Fault::PlaceIgnored => changes.place_ignored = true,
                Fault::Everything => changes.everything = true,
                Fault::Cursor(habit) => changes.habits.push(*habit),
                Fault::Ignored(parameter) => changes.ignored.push(*parameter),
                Fault::RowsNull => changes.rows_null = true,
                Fault::BareArray => changes.bare_array = true,
                Fault::MalformedRow(how) => changes.malformed = Some(*how),
                Fault::Halved(half) => changes.half = Some(*half),
                Fault::MatchesNothing(parameter) => changes.matching_nothing.push(*parameter),
                _ => {}
            }
        }
        changes
    }

    fn cap(&mut self, rows: usize) {
        let rows = rows.max(1);
        self.page_cap = Some(self.page_cap.map_or(rows, |cap| cap.min(rows)));
    }

    /// Whether this server ignores a kind of parameter that the request carries.
    pub(crate) fn ignores(&self, parameter: Parameter, request: &Request) -> bool {
        if parameter == Parameter::PageSize {
            return self.ignored.contains(&parameter);
        }
        if parameter == Parameter::DeviceFilter {
            let forms = [Parameter::DeviceFilterEqual, Parameter::DeviceFilterIn];
            let by_form = |form: &Parameter| self.ignored.contains(form) && form.is_in(request);
            return self.filters_ignored
                || self.ignored.contains(&parameter)
                || forms.iter().any(by_form);
        }
        self.filters_ignored || self.ignored.contains(&parameter)
    }

    /// A parameter, unless it is ignored.
    pub(crate) fn parameter<'a>(
        &self,
        parameter: Parameter,
        name: &str,
        request: &'a Request,
    ) -> Option<&'a str> {
        request
            .parameter(name)
            .filter(|value| !value.is_empty() && !self.ignores(parameter, request))
    }

    /// What is left of a list of values in the request's device filter; all of it where none is named.
    pub(crate) fn half(&self, request: &Request) -> Option<Half> {
        let list = Parameter::DeviceFilterIn;
        self.half
            .filter(|_| list.is_in(request) && !self.ignores(Parameter::DeviceFilter, request))
    }

    /// Whether a parameter of the request makes the server answer with no row.
    pub(crate) fn matches_nothing(&self, request: &Request) -> bool {
        self.matching_nothing
            .iter()
            .any(|parameter| parameter.is_in(request))
    }

    /// Whether cursors are written this way.
    pub(crate) fn has(&self, habit: CursorHabit) -> bool {
        self.habits.contains(&habit)
    }

    /// What the count of a page drifts by.
    pub(crate) fn drift(&self) -> Option<i32> {
        self.habits.iter().find_map(|habit| match habit {
            CursorHabit::CountDrifts { by } => Some(*by),
            _ => None,
        })
    }

    /// The rows of a page of which so many would be sent.
    pub(crate) fn capped(&self, rows: usize) -> usize {
        let rows = if self.everything { usize::MAX } else { rows };
        rows.min(self.page_cap.unwrap_or(usize::MAX))
    }

    /// Rows as a JSON array.
    pub(crate) fn rows<T: AsRef<str>>(&self, rows: &[T]) -> String {
        if self.rows_null {
            return "null".to_owned();
        }
        let mut text =
            String::with_capacity(rows.iter().map(|row| row.as_ref().len() + 1).sum::<usize>() + 2);
        text.push('[');
        for (number, row) in rows.iter().map(AsRef::as_ref).enumerate() {
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
        if self == Self::Null {
            return "null".to_owned();
        }
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

/// What a gateway says of a request whose first line it does not take.
const TOO_LONG: &str =
    "<html><head><title>Request-URI Too Large</title></head><body>nginx</body></html>\n";

/// The answer a fault gives instead of the tenant's own.
pub(crate) fn instead(fault: &Fault, request: &Request, now: OffsetDateTime) -> Option<Answer> {
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
        Fault::Refused(parameter) if parameter.is_in(request) => Answer::error(
            400,
            ErrorShape::Described,
            "invalid_parameter",
            "Invalid parameter",
        ),
        Fault::TooLong { bytes, status } if request.length() > *bytes => {
            Answer::html(*status, TOO_LONG)
        }
        Fault::PageTooLarge { most, status } if page_size(request) > *most => Answer::error(
            *status,
            ErrorShape::ResultCode,
            "FAILURE",
            "The page is too large",
        ),
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

/// The page size that a request asks for, whatever the server makes of it.
fn page_size(request: &Request) -> usize {
    let size = request.parameter("pageSize");
    size.and_then(|size| size.parse().ok()).unwrap_or(0)
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
        Fault::ErrorBesideRows if answer.status == 200 => beside_an_error(answer),
        Fault::ByteOrderMark => {
            let mut body = "\u{feff}".as_bytes().to_vec();
            body.extend_from_slice(&answer.body);
            answer.body = body.into();
        }
        Fault::WrongContentType => answer.set_header("content-type", "text/plain"),
        Fault::EmptyBody => {
            answer.body.clear();
            answer.headers.retain(|(name, _)| name != "content-type");
        }
        _ => {}
    }
}

/// Halves the rows of an answer and puts an error beside them.
fn beside_an_error(answer: &mut Answer) {
    let mut page = match serde_json::from_slice(&answer.body) {
        Ok(Value::Array(rows)) => serde_json::json!({ "results": rows }),
        Ok(page) => page,
        Err(_) => return,
    };
    for key in ["results", "activities"] {
        if let Some(rows) = page.get_mut(key).and_then(Value::as_array_mut) {
            rows.truncate(rows.len() / 2);
        }
    }
    if let Some(page) = page.as_object_mut() {
        page.insert("resultCode".to_owned(), "FAILURE".into());
        page.insert("errorMessage".to_owned(), "timeout".into());
    }
    answer.body = wire::text(&page).into();
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

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::http_date;

    #[test]
    fn dates_are_written_as_http_has_them() {
        assert_eq!(
            http_date(datetime!(2026-11-03 06:05:09 UTC)),
            "Tue, 03 Nov 2026 06:05:09 GMT"
        );
    }
}
