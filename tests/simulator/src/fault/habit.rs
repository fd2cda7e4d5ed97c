//! What one server does and another does not, and neither says.

use crate::request::Request;

/// A parameter that selects rows, or says how many; each may be honoured, ignored or refused by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Parameter {
    /// `df`, whatever it says.
    DeviceFilter,
    /// `df` without a list of values: `org = 5`.
    DeviceFilterEqual,
    /// `df` with a list of values: `org in (5, 6)`.
    DeviceFilterIn,
    /// `status`, of activities and of patches.
    Status,
    /// `type`, of activities and of patches, and every other parameter about what a row says (`severity`, `productState` ...).
    Type,
    /// `before`, the date, of activities.
    Before,
    /// `after`, the date, of activities. Of a list, where it is a place, see
    /// [`Fault::PlaceIgnored`](crate::Fault::PlaceIgnored).
    After,
    /// `ts`: rows collected at or after a time.
    Monitored,
    /// `installedAfter`.
    InstalledAfter,
    /// `pageSize`: pages have the size that they have where nobody asks for one.
    PageSize,
}

impl Parameter {
    /// Every parameter.
    pub const ALL: [Self; 10] = [
        Self::DeviceFilter,
        Self::DeviceFilterEqual,
        Self::DeviceFilterIn,
        Self::Status,
        Self::Type,
        Self::Before,
        Self::After,
        Self::Monitored,
        Self::InstalledAfter,
        Self::PageSize,
    ];

    /// Whether a request carries it.
    pub(crate) fn is_in(self, request: &Request) -> bool {
        let value = |name| request.parameter(name).filter(|value| !value.is_empty());
        let feed = request.path().ends_with("/activities");
        match self {
            Self::DeviceFilter => value("df").is_some(),
            Self::DeviceFilterEqual => value("df").is_some_and(|filter| !has_list(filter)),
            Self::DeviceFilterIn => value("df").is_some_and(has_list),
            Self::Status => value("status").is_some(),
            Self::Type => value("type").is_some(),
            Self::Before => feed && value("before").is_some(),
            Self::After => feed && value("after").is_some(),
            Self::Monitored => value("ts").is_some(),
            Self::InstalledAfter => value("installedAfter").is_some(),
            Self::PageSize => value("pageSize").is_some(),
        }
    }
}

/// What is left of a list of values by a server that honours half of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// The first, third, fifth ... value: rows of every second organization are missing.
    Organizations,
    /// Every value, and the first, third, fifth ... device of each organization: no organization is missing.
    Devices,
}

fn has_list(filter: &str) -> bool {
    filter.contains('(')
}

/// What a server puts into the cursor of a report. Several may be switched on together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CursorHabit {
    /// `count` is the number of rows of its own page, not of the report.
    CountOfPage,
    /// `count` is the page size that was asked for, also where pages are smaller.
    CountOfRequest,
    /// `count` is the number of rows from this page to the end.
    CountOfRest,
    /// `count` differs by so much from page to page, as where rows arrive or leave meanwhile: it is the total on the first page.
    CountDrifts {
        /// Rows more on every page; negative: fewer.
        by: i32,
    },
    /// No `count`.
    CountAbsent,
    /// `offset` is where the page ends, not where it begins.
    OffsetAtEnd,
    /// No `offset`.
    OffsetAbsent,
    /// Every page brings another name, and the name before is unknown from then on.
    NameChanges,
    /// The last page has no cursor. (Without it the last page has one, and an empty page follows.)
    AbsentOnLastPage,
    /// A report that fits on one page has a cursor all the same.
    PresentOnOnePage,
}
