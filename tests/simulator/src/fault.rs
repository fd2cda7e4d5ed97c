//! What can go wrong between a client and the vendor, and when it does.

mod damage;
mod effect;
mod habit;
mod rule;

use std::time::Duration;

pub(crate) use damage::apply;
pub use damage::{Damage, Harm};
pub(crate) use effect::{Changes, http_date, instead, spoil};
pub use habit::{CursorHabit, Half, Parameter};
pub use rule::FaultRule;

use crate::answer::{ErrorShape, Trickle};

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
    /// A page of a report comes without its cursor, whose place on the server moves all the same.
    CursorMissing,
    /// The cursor has a name and nothing else: no `count`, no `offset`.
    CountMissing,
    /// A page of a list, a report or the activities holds no more rows than this, whatever was asked for.
    PageCapped {
        /// Rows at most, and at least one.
        rows: usize,
    },
    /// As [`PageCapped`](Self::PageCapped), by each of these numbers in turn, one a page.
    PagesCapped {
        /// Rows at most.
        rows: Vec<usize>,
    },
    /// The place where a page begins (`after` of lists, `olderThan` of activities) is ignored: every page is the first.
    PlaceIgnored,
    /// Everything comes at once, whatever size and place were asked for.
    Everything,
    /// One way of writing cursors.
    Cursor(CursorHabit),
    /// One kind of parameter is ignored, every other is honoured.
    Ignored(Parameter),
    /// A request that carries this kind of parameter is refused (400).
    Refused(Parameter),
    /// A request for devices, a report or activities that carries this kind of parameter is answered with no row at all.
    MatchesNothing(Parameter),
    /// Of a device filter with a list of values (`org in (5, 6)`) half is honoured; one without a list (`org = 5`) is honoured whole.
    Halved(Half),
    /// A request whose path and query are longer than this is refused, by 414 or 431, with a gateway's HTML page.
    TooLong {
        /// Bytes that are taken, as they are on the wire.
        bytes: usize,
        /// The status of the refusal.
        status: u16,
    },
    /// Before the request is answered, a device moves to another organization, and stays there. A report that a cursor is open for
    /// goes on with the rows that it began with. With [`starting_at`](Self::starting_at) it moves after so many requests.
    DeviceMoves {
        /// The device's id.
        device: i64,
        /// The id of the organization it moves to.
        organization: i64,
    },
    /// A request for pages of more rows than these fails: what a server, or a gateway before it, does not manage.
    PageTooLarge {
        /// The most rows that may be asked for.
        most: usize,
        /// The status of the answer: 400, 413 or 5xx.
        status: u16,
    },
    /// `null` where the array of rows belongs.
    RowsNull,
    /// A field of some rows is not what it was.
    Damaged(Damage),
    /// A byte order mark before the body.
    ByteOrderMark,
    /// Status 200, half of the rows, and beside them the words of an error.
    ErrorBesideRows,
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
    /// It is `null`.
    Null,
}

impl Fault {
    /// See [`FaultRule::on`].
    #[must_use]
    pub fn on(self, path: &str) -> FaultRule {
        FaultRule::from(self).on(path)
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
    /// has it, or once in the middle of a report.
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
            | Self::CursorMissing
            | Self::CountMissing
            | Self::PageCapped { .. }
            | Self::PagesCapped { .. }
            | Self::Ignored(_)
            | Self::ByteOrderMark
            | Self::ErrorBesideRows
            | Self::BareArray
            | Self::WrongContentType => true,
            Self::Error { status, .. } => matches!(status, 500 | 502 | 503 | 504),
            Self::Cursor(habit) => !matches!(
                habit,
                CursorHabit::CountDrifts { .. }
                    | CursorHabit::CountOfRequest
                    | CursorHabit::CountOfRest
            ),
            Self::Damaged(damage) => damage.harm().is_lossless(),
            Self::PlaceIgnored
            | Self::Everything
            | Self::Refused(_)
            | Self::MatchesNothing(_)
            | Self::Halved(_)
            | Self::TooLong { .. }
            | Self::DeviceMoves { .. }
            | Self::PageTooLarge { .. }
            | Self::RowsNull
            | Self::NotAvailable(_)
            | Self::StalledCursor
            | Self::CountTooLarge { .. }
            | Self::MalformedRow(_)
            | Self::EmptyBody => false,
        }
    }

    /// The survivable faults, each at times at which it can be survived, so that all may be switched on together. Those that only
    /// the pages in the middle of a report can have (a missing cursor or count, fewer rows than asked for) are left out.
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

    /// What one server does and another does not: sizes of pages, ways of writing cursors, parameters that are ignored, each
    /// lasting. None of them hides a row from a client that reads to the end, so each alone changes what a walk costs and
    /// nothing else. They are meant to be tried one at a time, or a few together.
    ///
    /// A parameter that is ignored brings more rows than were asked for; where there are more than a client is willing to read
    /// it may give up, and then must say so.
    #[must_use]
    pub fn all_habits() -> Vec<Self> {
        let caps = [1, 7, 25, 50, 99, 100, 128, 200, 256, 500, 999, 1000]
            .map(|rows| Self::PageCapped { rows });
        let habits = [
            CursorHabit::CountOfPage,
            CursorHabit::CountAbsent,
            CursorHabit::OffsetAtEnd,
            CursorHabit::OffsetAbsent,
            CursorHabit::NameChanges,
            CursorHabit::AbsentOnLastPage,
            CursorHabit::PresentOnOnePage,
        ]
        .map(Self::Cursor);
        let others = [
            Self::PagesCapped {
                rows: vec![128, 7, 1000, 100],
            },
            Self::FiltersIgnored,
            Self::CountMissing,
            Self::ByteOrderMark,
            Self::WrongContentType,
        ];
        caps.into_iter()
            .chain(habits)
            .chain(Parameter::ALL.map(Self::Ignored))
            .chain(others)
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
            Self::ErrorBesideRows,
            Self::CutBody { after: 40 },
            Self::ConnectionReset,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::Fault;

    #[test]
    fn what_is_called_survivable_is() {
        assert!(
            Fault::all_survivable()
                .iter()
                .all(|rule| rule.fault().is_survivable())
        );
        assert!(Fault::all_habits().iter().all(Fault::is_survivable));
    }
}
