//! The result of testing credentials.

use crate::model::{OrganizationList, is_readable};

const NOTHING_VISIBLE: &str = "the credentials work, but no organization is visible to them: in NinjaOne, open Administration > \
     Apps > API and give this client's user or role access to the organizations";

/// A connection that works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionTest {
    /// How many organizations the client sees, including those whose row could not be read.
    pub organizations_visible: u64,
    /// How many of these have an id but no readable name.
    pub nameless: u64,
    /// How many of these are rows that do not say which organization they are.
    pub unreadable_rows: u64,
    /// There are more organizations than were counted.
    pub truncated: bool,
    /// What to do, if the connection works but is of no use.
    pub warning: Option<&'static str>,
}

impl From<OrganizationList> for ConnectionTest {
    fn from(list: OrganizationList) -> Self {
        let names = list.organizations.iter().map(|listed| listed.name.as_str());
        Self {
            organizations_visible: list.visible(),
            nameless: names.filter(|name| !is_readable(name)).count() as u64,
            unreadable_rows: list.malformed_rows,
            truncated: list.truncated,
            warning: (list.visible() == 0).then_some(NOTHING_VISIBLE),
        }
    }
}
