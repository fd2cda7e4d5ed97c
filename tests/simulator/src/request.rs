//! What a client asks, free of any transport.

use std::fmt;

use bytes::Bytes;
use url::{Url, form_urlencoded};

/// One request to a [`Tenant`](crate::Tenant), as every front hands it over.
///
/// ```
/// use ninjaone_simulator::Request;
///
/// let request = Request::get("/api/v2/devices?pageSize=10&df=org%20%3D%205").bearer("a-token");
/// assert_eq!(request.path(), "/v2/devices");
/// assert_eq!(request.parameter("df"), Some("org = 5"));
/// ```
#[derive(Clone)]
pub struct Request {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Bytes,
    length: usize,
}

impl Request {
    /// A request for a path and query, or for a whole URL of which only path and query matter.
    ///
    /// `/api/v2/...` becomes `/v2/...`: the vendor serves both.
    #[must_use]
    pub fn new(method: &str, target: &str) -> Self {
        let url = Url::parse(target)
            .or_else(|_| Url::parse("http://tenant.invalid").and_then(|base| base.join(target)));
        let (path, query, length) = url.map_or_else(
            |_| (target.to_owned(), Vec::new(), target.len()),
            |url| {
                (
                    url.path().to_owned(),
                    url.query_pairs().into_owned().collect(),
                    url.path().len() + url.query().map_or(0, |query| query.len() + 1),
                )
            },
        );
        let path = match path.strip_prefix("/api") {
            Some(rest) if rest.starts_with("/v2/") => rest.to_owned(),
            _ => path,
        };
        Self {
            method: method.to_ascii_uppercase(),
            path,
            query,
            headers: Vec::new(),
            body: Bytes::new(),
            length,
        }
    }

    /// A `GET`.
    #[must_use]
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A `POST` of form fields, as the token endpoint takes them.
    #[must_use]
    pub fn form(target: &str, fields: &[(&str, &str)]) -> Self {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        Self::new("POST", target)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.into_bytes())
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds the `Authorization` header of an access token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The method, in upper case.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path without a leading `/api`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The bytes of path and query as they are on the wire.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// The query, decoded, in the order sent.
    #[must_use]
    pub fn query(&self) -> &[(String, String)] {
        &self.query
    }

    /// The first value of a query parameter, decoded (`%20` and `+` are both a space, as with the vendor).
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The first value of a header, whatever its case.
    #[must_use]
    pub fn header_value(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The access token of the `Authorization` header.
    pub(crate) fn token(&self) -> Option<&str> {
        let value = self.header_value("authorization")?;
        let (scheme, token) = value.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then_some(token.trim())
    }

    /// The form fields of the body.
    pub(crate) fn fields(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// The path cut at its slashes, without the leading `v2`.
    pub(crate) fn segments(&self) -> Vec<&str> {
        self.path
            .strip_prefix("/v2/")
            .unwrap_or("")
            .split('/')
            .filter(|segment| !segment.is_empty())
            .collect()
    }
}

impl fmt::Debug for Request {
    /// Method and path; headers, query and body may hold secrets or names.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl From<http::Request<Bytes>> for Request {
    fn from(request: http::Request<Bytes>) -> Self {
        let (head, body) = request.into_parts();
        let asked = Self::new(head.method.as_str(), &head.uri.to_string()).body(body);
        head.headers.iter().fold(asked, |asked, (name, value)| {
            asked.header(name.as_str(), value.to_str().unwrap_or_default())
        })
    }
}
