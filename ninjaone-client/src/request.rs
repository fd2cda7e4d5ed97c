//! Requests without I/O: an endpoint, a path, a query. A test compares them as strings.

use std::fmt::{self, Write as _};

use crate::Error;

/// What an endpoint answers, as far as paging goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Paging {
    /// One object.
    Single,
    /// A bare array, all of it at once.
    Whole,
    /// A bare array paged by the largest id (`after`).
    ById,
    /// A report paged by a cursor object.
    ByCursor,
    /// The activity log, walked back by id (`olderThan`).
    Backwards,
}

/// One GET endpoint of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name in this crate: group and method, such as `queries.volumes`.
    pub operation: &'static str,
    /// Its path as the vendor's document writes it, such as `/v2/device/{id}`.
    pub path: &'static str,
    /// How it is paged.
    pub paging: Paging,
}

impl Endpoint {
    /// Whether a refusal means that the tenant does not have this: a module without a licence, a permission missing.
    ///
    /// Organizations, devices and locations every tenant has; an entity named by its id is missing, not its module.
    pub(crate) fn is_module(&self) -> bool {
        const CORE: [&str; 6] = [
            "/v2/organizations",
            "/v2/organizations-detailed",
            "/v2/devices",
            "/v2/devices-detailed",
            "/v2/devices/search",
            "/v2/locations",
        ];
        self.path.starts_with("/v2/") && !self.path.contains('{') && !CORE.contains(&self.path)
    }
}

/// A GET request: validated, encoded, not yet sent. `Display` is path and query.
///
/// Spaces are written `%20`, because NinjaOne's filters were seen to misread `+`.
///
/// ```
/// use ninjaone_client::{DeviceFilter, OrganizationId};
/// use ninjaone_client::queries::VolumesParams;
/// let filter = DeviceFilter::organization(OrganizationId::new(7));
/// let request = VolumesParams::default().filter(filter).bitlocker().request();
/// assert_eq!(request.to_string(), "/v2/queries/volumes?df=org%20%3D%207&pageSize=5000&include=bl");
/// ```
#[derive(Clone)]
pub struct Request {
    endpoint: Endpoint,
    path: String,
    query: Vec<(String, String)>,
    problem: Option<&'static str>,
    /// Where the client chooses the page size: within what.
    page_range: Option<PageRange>,
}

/// The sizes of pages that an endpoint takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageRange {
    /// What the client begins with.
    pub(crate) begin: u32,
    pub(crate) least: u32,
    pub(crate) most: u32,
}

impl PageRange {
    /// The sizes under a ceiling of the host. The least stays: one below it is refused by the server.
    pub(crate) fn under(self, ceiling: u32) -> Self {
        let most = self.most.min(ceiling).max(self.least);
        Self {
            begin: self.begin.min(most),
            most,
            ..self
        }
    }
}

impl Request {
    /// A request to an endpoint whose path has no placeholders.
    #[must_use]
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self::of_path(endpoint, endpoint.path)
    }

    /// A request to a path that is already filled in and encoded.
    pub(crate) fn of_path(endpoint: Endpoint, path: &str) -> Self {
        Self {
            endpoint,
            path: path.to_owned(),
            query: Vec::new(),
            problem: None,
            page_range: None,
        }
    }

    /// Fills the next placeholder of the path.
    pub(crate) fn at(mut self, value: impl fmt::Display) -> Self {
        if let (Some(open), Some(close)) = (self.path.find('{'), self.path.find('}')) {
            let value = value.to_string();
            if value.trim().is_empty() || is_dots(&value) {
                self.problem.get_or_insert(
                    "a name in the path is empty, or one that URLs take for a folder",
                );
            }
            self.path.replace_range(open..=close, &encode(&value));
        }
        self
    }

    /// Adds a parameter.
    pub(crate) fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.query.push((name.to_owned(), value.to_string()));
        self
    }

    /// Sets a parameter, in its place if it is there already.
    pub(crate) fn set(mut self, name: &str, value: impl fmt::Display) -> Self {
        match self.query.iter_mut().find(|(there, _)| there == name) {
            Some((_, there)) => {
                *there = value.to_string();
                self
            }
            None => self.with(name, value),
        }
    }

    /// Adds a parameter if there is a value.
    pub(crate) fn with_some(self, name: &str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Refuses the request when it would be sent.
    pub(crate) fn refused(mut self, problem: Option<&'static str>) -> Self {
        self.problem = self.problem.or(problem);
        self
    }

    /// Asks for pages of a size, and refuses one outside of what the vendor allows. Without a size the client chooses.
    pub(crate) fn page_size(mut self, size: Option<u32>, range: PageRange) -> Self {
        let problem = size
            .is_some_and(|size| !(range.least..=range.most).contains(&size))
            .then_some("the page size is out of the endpoint's range");
        if size.is_none() {
            self.page_range = Some(range);
        }
        self.refused(problem)
            .with("pageSize", size.unwrap_or(range.begin))
    }

    /// Where the client chooses the page size: within what.
    pub(crate) fn page_range(&self) -> Option<PageRange> {
        self.page_range
    }

    /// Sets a page size that the client chose, and within what.
    pub(crate) fn set_page_size(&mut self, size: u32, range: PageRange) {
        self.page_range = Some(range);
        for (_, value) in self.query.iter_mut().filter(|(name, _)| name == "pageSize") {
            *value = size.to_string();
        }
    }

    /// How many rows a page is asked to hold.
    pub(crate) fn asked_rows(&self) -> Option<usize> {
        let size = self.query.iter().find(|(name, _)| name == "pageSize");
        size.and_then(|(_, size)| size.parse().ok())
    }

    /// How many rows a page is expected to hold. A size that the client made smaller does not count: what a server that ignores
    /// it sends is no more than it ever was.
    pub(crate) fn expected_rows(&self) -> Option<usize> {
        let begin = self.page_range.map_or(0, |range| range.begin as usize);
        self.asked_rows().map(|asked| asked.max(begin))
    }

    /// The endpoint.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// Path and query as they are sent, below the base URL.
    #[must_use]
    pub fn path_and_query(&self) -> String {
        self.to_string()
    }

    /// Whether it can be sent.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) with what is wrong with the parameters.
    pub fn validate(&self) -> Result<(), Error> {
        match self.problem {
            Some(problem) => {
                Err(Error::new(crate::ErrorKind::InvalidRequest, problem)
                    .of(self.endpoint.operation))
            }
            None => Ok(()),
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        for (position, (name, value)) in self.query.iter().enumerate() {
            let separator = if position == 0 { '?' } else { '&' };
            write!(f, "{separator}{}={}", encode(name), encode(value))?;
        }
        Ok(())
    }
}

// A path or query may name a customer's entity: only `Display`, which is asked for, shows them.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("operation", &self.endpoint.operation)
            .finish_non_exhaustive()
    }
}

/// Whether a part of a path is `.` or `..`, which every URL parser resolves, even when it is percent-encoded.
pub(crate) fn is_dots(part: &str) -> bool {
    matches!(
        part.to_ascii_lowercase().replace("%2e", ".").as_str(),
        "." | ".."
    )
}

/// Percent-encodes everything but unreserved characters.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Endpoint = Endpoint {
        operation: "test.one",
        path: "/v2/thing/{id}/part/{name}",
        paging: Paging::Single,
    };

    #[test]
    fn a_value_cannot_leave_its_place() {
        let request = Request::new(ONE)
            .at(7)
            .at("a/../b?c#d")
            .with("q", "x&y=z w+");
        assert_eq!(
            request.to_string(),
            "/v2/thing/7/part/a%2F..%2Fb%3Fc%23d?q=x%26y%3Dz%20w%2B"
        );
        for name in [" ", ".", "..", "%2E%2e"] {
            assert!(
                Request::new(ONE).at(7).at(name).validate().is_err(),
                "{name}"
            );
        }
        assert!(!format!("{request:?}").contains("thing"));
    }
}
