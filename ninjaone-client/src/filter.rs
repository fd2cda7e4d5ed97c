//! The device filter (`df`): what the vendor understands, and nothing it would silently ignore.

use std::fmt;

use time::Date;

use crate::{
    DeviceId, GroupId, LocationId, OrganizationId, RoleId,
    models::{ApprovalStatus, NodeClass},
};

/// Which devices a list or a report is about.
///
/// NinjaOne ignores a filter it does not understand without a word and answers with the whole fleet; that is why this
/// type can only say what was seen to work. Conditions are joined by `AND`; there is no `OR`, only lists of values.
/// Check rows against what you asked for all the same: some reports do not honour every condition.
///
/// ```
/// use ninjaone_client::models::{ApprovalStatus, NodeClass};
/// use ninjaone_client::{DeviceFilter, OrganizationId};
/// let filter = DeviceFilter::organization(OrganizationId::new(7))
///     .and_class_in([NodeClass::Mac, NodeClass::WindowsServer])
///     .and_status(ApprovalStatus::Approved);
/// assert_eq!(filter.to_string(), "org = 7 AND class in (MAC, WINDOWS_SERVER) AND status = APPROVED");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct DeviceFilter {
    conditions: Vec<String>,
    problem: Option<&'static str>,
}

/// Declares the two forms of one condition: opening a filter, and added to one.
macro_rules! conditions {
    ($($(#[$doc:meta])* $open:ident / $and:ident ($value:ident: $type:ty) = $condition:expr;)*) => {
        impl DeviceFilter {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $open($value: $type) -> Self {
                    Self::default().$and($value)
                }

                $(#[$doc])*
                #[must_use]
                pub fn $and(self, $value: $type) -> Self {
                    self.push($condition)
                }
            )*
        }
    };
}

conditions! {
    /// Devices of one organization.
    organization / and_organization (id: OrganizationId) = Ok(format!("org = {id}"));
    /// Devices of one location.
    location / and_location (id: LocationId) = Ok(format!("loc = {id}"));
    /// Devices of one role.
    role / and_role (id: RoleId) = Ok(format!("role = {id}"));
    /// One device.
    device / and_device (id: DeviceId) = Ok(format!("id = {id}"));
    /// Devices of one group.
    group / and_group (id: GroupId) = Ok(format!("group {id}"));
    /// Devices of one class. Some reports do not honour it.
    class / and_class (class: NodeClass) = word(class.as_str()).map(|class| format!("class = {class}"));
    /// Devices of one approval status.
    status / and_status (status: ApprovalStatus) = word(status.as_str()).map(|status| format!("status = {status}"));
    /// Devices first seen before a day.
    created_before / and_created_before (day: Date) = Ok(format!("created before {}", Day(day)));
    /// Devices first seen after a day.
    created_after / and_created_after (day: Date) = Ok(format!("created after {}", Day(day)));
    /// Devices of any of these organizations.
    organization_in / and_organization_in (ids: impl IntoIterator<Item = OrganizationId>) = list("org in", ids);
    /// Devices of any of these locations.
    location_in / and_location_in (ids: impl IntoIterator<Item = LocationId>) = list("loc in", ids);
    /// Devices of any of these roles.
    role_in / and_role_in (ids: impl IntoIterator<Item = RoleId>) = list("role in", ids);
    /// Any of these devices.
    device_in / and_device_in (ids: impl IntoIterator<Item = DeviceId>) = list("id in", ids);
    /// Devices of any of these classes. Some reports do not honour it.
    class_in / and_class_in (classes: impl IntoIterator<Item = NodeClass>) = words("class in", classes);
    /// Devices of any of these approval statuses.
    status_in / and_status_in (statuses: impl IntoIterator<Item = ApprovalStatus>) = words("status in", statuses);
    /// Devices of none of these organizations.
    organization_not_in / and_organization_not_in (ids: impl IntoIterator<Item = OrganizationId>) = list("org notin", ids);
    /// Devices of none of these classes. Some reports do not honour it.
    class_not_in / and_class_not_in (classes: impl IntoIterator<Item = NodeClass>) = words("class notin", classes);
}

impl DeviceFilter {
    /// Devices that are online at this moment.
    #[must_use]
    pub fn online() -> Self {
        Self::default().and_online()
    }

    /// Devices that are online at this moment.
    #[must_use]
    pub fn and_online(self) -> Self {
        self.push(Ok("online".to_owned()))
    }

    /// Devices that are offline at this moment.
    #[must_use]
    pub fn offline() -> Self {
        Self::default().and_offline()
    }

    /// Devices that are offline at this moment.
    #[must_use]
    pub fn and_offline(self) -> Self {
        self.push(Ok("offline".to_owned()))
    }

    /// Whether it has no condition: it is not sent then, since an empty `df` is an error.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.conditions.is_empty()
    }

    pub(crate) fn problem(&self) -> Option<&'static str> {
        self.problem
    }

    fn push(mut self, condition: Result<String, &'static str>) -> Self {
        match condition {
            Ok(condition) => self.conditions.push(condition),
            Err(problem) => self.problem = self.problem.or(Some(problem)),
        }
        self
    }
}

impl fmt::Display for DeviceFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.conditions.join(" AND "))
    }
}

// A filter may name a customer's entity.
impl fmt::Debug for DeviceFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceFilter")
            .field("conditions", &self.conditions.len())
            .finish_non_exhaustive()
    }
}

struct Day(Date);

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:04}-{:02}-{:02}",
            self.0.year(),
            u8::from(self.0.month()),
            self.0.day()
        )
    }
}

/// Words of a vocabulary are capitals; an unknown one must not smuggle in a condition.
fn word(word: &str) -> Result<&str, &'static str> {
    let fits = !word.is_empty()
        && word
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    if fits {
        Ok(word)
    } else {
        Err("a word in the device filter is not of the vendor's form (A-Z, 0-9, _)")
    }
}

fn list<T: fmt::Display>(
    start: &str,
    values: impl IntoIterator<Item = T>,
) -> Result<String, &'static str> {
    let values: Vec<_> = values.into_iter().map(|value| value.to_string()).collect();
    if values.is_empty() {
        return Err(
            "a list in the device filter is empty: it would select nothing, and NinjaOne would not say so",
        );
    }
    Ok(format!("{start} ({})", values.join(", ")))
}

fn words<T: fmt::Display>(
    start: &str,
    values: impl IntoIterator<Item = T>,
) -> Result<String, &'static str> {
    let values: Vec<_> = values.into_iter().map(|value| value.to_string()).collect();
    for value in &values {
        word(value)?;
    }
    list(start, values)
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn the_vendors_grammar() {
        for (filter, text) in [
            (DeviceFilter::organization(1.into()), "org = 1"),
            (
                DeviceFilter::organization_in([1.into(), 2.into()]),
                "org in (1, 2)",
            ),
            (
                DeviceFilter::organization_not_in([20.into()]),
                "org notin (20)",
            ),
            (
                DeviceFilter::location(5.into()).and_offline(),
                "loc = 5 AND offline",
            ),
            (DeviceFilter::device(5948.into()), "id = 5948"),
            (DeviceFilter::group(3.into()), "group 3"),
            (
                DeviceFilter::class(NodeClass::WindowsServer).and_online(),
                "class = WINDOWS_SERVER AND online",
            ),
            (
                DeviceFilter::status_in([ApprovalStatus::Pending]),
                "status in (PENDING)",
            ),
            (
                DeviceFilter::created_after(date!(2025 - 01 - 09)),
                "created after 2025-01-09",
            ),
        ] {
            assert_eq!(filter.to_string(), text);
            assert_eq!(filter.problem(), None);
        }
    }

    #[test]
    fn filter_ignored_returns_whole_fleet() {
        // What NinjaOne would silently ignore is refused instead of sent.
        for filter in [
            DeviceFilter::organization_in([]),
            DeviceFilter::class(NodeClass::from("MAC) OR org in (2")),
            DeviceFilter::class_in([NodeClass::Mac, NodeClass::from("mac")]),
        ] {
            assert!(filter.problem().is_some());
        }
    }
}
