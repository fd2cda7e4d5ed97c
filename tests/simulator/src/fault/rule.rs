//! Which requests a fault strikes.

use super::Fault;
use crate::request::Request;

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
    /// Strikes only paths of this pattern (`*` stands for anything), written with `/v2`, whatever prefix the client uses.
    #[must_use]
    pub fn on(self, path: &str) -> Self {
        Self {
            path: path.to_owned(),
            ..self
        }
    }

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
    use super::{Fault, FaultRule, glob};
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
}
