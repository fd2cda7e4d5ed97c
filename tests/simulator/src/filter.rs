//! The device filter (`df`): `org = 5 AND class in (MAC, WINDOWS_SERVER) AND offline`. There is no OR.

use time::{Date, macros::format_description};

use crate::{
    answer::{Answer, ErrorShape},
    fault::Half,
    table::Device,
};

/// A parsed device filter.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Filter(Vec<Clause>);

/// A filter the vendor would not understand.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadFilter;

impl BadFilter {
    /// What the vendor answers.
    pub(crate) fn answer() -> Answer {
        Answer::error(
            400,
            ErrorShape::Described,
            "invalid_filter",
            "Invalid device filter",
        )
    }
}

#[derive(Debug, PartialEq)]
enum Clause {
    Number {
        field: Number,
        wanted: bool,
        values: Vec<i64>,
    },
    Word {
        field: Word,
        wanted: bool,
        values: Vec<String>,
    },
    Created {
        after: bool,
        at: f64,
    },
    Offline(bool),
    Group,
    /// Not the vendor's: no row at all.
    Nothing,
    /// Not the vendor's: the first, third, fifth ... device of each organization.
    EveryOther,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    Organization,
    Location,
    Role,
    Id,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Class,
    Status,
}

impl Filter {
    /// Reads a filter; an empty one admits everything.
    pub(crate) fn parse(text: &str) -> Result<Self, BadFilter> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        text.split(" AND ")
            .map(|clause| Clause::parse(clause.trim()))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// A filter that admits no row.
    pub(crate) fn nothing() -> Self {
        Self(vec![Clause::Nothing])
    }

    /// The organizations, where the filter begins with them.
    pub(crate) fn organizations(&self) -> Option<&[i64]> {
        match self.0.first()? {
            Clause::Number {
                field: Number::Organization,
                wanted: true,
                values,
            } => Some(values),
            _ => None,
        }
    }

    /// Whether the organization of a device alone decides.
    pub(crate) fn is_of_organizations_alone(&self) -> bool {
        self.0.is_empty() || (self.0.len() == 1 && self.organizations().is_some())
    }

    /// What a server makes of a list that it honours by half.
    pub(crate) fn halve(&mut self, half: Half) {
        match half {
            Half::Organizations => {
                for clause in &mut self.0 {
                    if let Clause::Number { values, .. } = clause {
                        *values = values.iter().copied().step_by(2).collect();
                    }
                }
            }
            Half::Devices => self.0.push(Clause::EveryOther),
        }
    }

    /// Whether a row of this device passes. What nobody knows of a device that is gone excludes nothing, so that rows of such
    /// devices turn up under every filter but one by id.
    pub(crate) fn admits(&self, id: Option<i64>, device: Option<&Device>) -> bool {
        self.0.iter().all(|clause| clause.admits(id, device))
    }
}

impl Clause {
    fn parse(text: &str) -> Result<Self, BadFilter> {
        match text {
            "online" => return Ok(Self::Offline(false)),
            "offline" => return Ok(Self::Offline(true)),
            _ => {}
        }
        if let Some(group) = text.strip_prefix("group ") {
            return group
                .trim()
                .parse::<i64>()
                .map(|_| Self::Group)
                .map_err(|_| BadFilter);
        }
        let end = text
            .find(|c: char| !c.is_ascii_alphabetic())
            .ok_or(BadFilter)?;
        let (name, rest) = text.split_at(end);
        let rest = rest.trim_start();
        if name == "created" {
            let (after, date) = match rest.split_once(' ') {
                Some(("after", date)) => (true, date),
                Some(("before", date)) => (false, date),
                _ => return Err(BadFilter),
            };
            let date = Date::parse(date.trim(), format_description!("[year]-[month]-[day]"))
                .map_err(|_| BadFilter)?;
            return Ok(Self::Created {
                after,
                at: crate::wire::seconds(date.midnight().assume_utc()),
            });
        }
        let (wanted, values) = operation(rest)?;
        let numbers = |field| {
            let values = values
                .iter()
                .map(|value| value.parse().map_err(|_| BadFilter))
                .collect::<Result<_, _>>()?;
            Ok(Self::Number {
                field,
                wanted,
                values,
            })
        };
        match name {
            "org" => numbers(Number::Organization),
            "loc" => numbers(Number::Location),
            "role" => numbers(Number::Role),
            "id" => numbers(Number::Id),
            "class" => Ok(Self::Word {
                field: Word::Class,
                wanted,
                values,
            }),
            "status" => Ok(Self::Word {
                field: Word::Status,
                wanted,
                values,
            }),
            _ => Err(BadFilter),
        }
    }

    fn admits(&self, id: Option<i64>, device: Option<&Device>) -> bool {
        match (self, device) {
            (Self::Nothing, _) => false,
            (
                Self::Number {
                    field: Number::Id,
                    wanted,
                    values,
                },
                _,
            ) => id.is_none_or(|id| values.contains(&id) == *wanted),
            // Every device is a member of every group here: membership is the vendor's own evaluation.
            (_, None) | (Self::Group, _) => true,
            (
                Self::Number {
                    field,
                    wanted,
                    values,
                },
                Some(device),
            ) => {
                let value = match field {
                    Number::Organization => device.organization,
                    Number::Location => device.location,
                    Number::Role => device.role,
                    Number::Id => id,
                };
                value.is_some_and(|value| values.contains(&value)) == *wanted
            }
            (
                Self::Word {
                    field,
                    wanted,
                    values,
                },
                Some(device),
            ) => {
                let value = match field {
                    Word::Class => &device.class,
                    Word::Status => &device.status,
                };
                values.contains(value) == *wanted
            }
            (Self::Created { after, at }, Some(device)) => device
                .created
                .is_some_and(|created| if *after { created > *at } else { created < *at }),
            (Self::Offline(wanted), Some(device)) => device.offline == Some(*wanted),
            (Self::EveryOther, Some(device)) => device.place.is_multiple_of(2),
        }
    }
}

/// The operator and the values behind a field name: whether they are wanted or unwanted, and which.
fn operation(text: &str) -> Result<(bool, Vec<String>), BadFilter> {
    let list = |rest: &str| {
        let inside = rest
            .trim()
            .strip_prefix('(')
            .and_then(|rest| rest.strip_suffix(')'))
            .ok_or(BadFilter)?;
        let values: Vec<_> = inside
            .split(',')
            .map(|value| value.trim().to_owned())
            .collect();
        if values.iter().any(String::is_empty) {
            Err(BadFilter)
        } else {
            Ok(values)
        }
    };
    let one = |rest: &str| match rest.trim() {
        "" => Err(BadFilter),
        value if value.contains([' ', ',', '\'', '"', '(']) => Err(BadFilter),
        value => Ok(vec![value.to_owned()]),
    };
    for (operator, wanted, many) in [
        ("!=", false, false),
        ("=", true, false),
        ("neq ", false, false),
        ("eq ", true, false),
        ("notin", false, true),
        ("in", true, true),
    ] {
        if let Some(rest) = text.strip_prefix(operator) {
            return Ok((wanted, if many { list(rest)? } else { one(rest)? }));
        }
    }
    Err(BadFilter)
}

#[cfg(test)]
mod tests {
    use super::{BadFilter, Filter};
    use crate::table::Device;

    fn mac() -> Device {
        Device {
            organization: Some(5),
            location: Some(7),
            role: Some(205),
            class: "MAC".to_owned(),
            status: "APPROVED".to_owned(),
            offline: Some(true),
            created: Some(1_743_088_826.5),
            place: 0,
        }
    }

    #[test]
    fn forms_seen_live_are_understood() {
        for (text, admitted) in [
            ("", true),
            ("org = 5", true),
            ("org=5", true),
            ("org eq 5", true),
            ("org = 6", false),
            ("org in (1,2, 5)", true),
            ("org!=5", false),
            ("org notin (5)", false),
            ("org neq 6", true),
            ("class in (MAC,WINDOWS_SERVER)", true),
            ("class=WINDOWS_SERVER AND offline", false),
            ("status=PENDING", false),
            ("status eq APPROVED AND offline", true),
            ("online", false),
            ("loc = 7 AND role = 205", true),
            ("id=42", true),
            ("id = 41", false),
            ("created after 2025-03-01", true),
            ("created before 2025-03-01", false),
            ("group 12", true),
        ] {
            let filter = Filter::parse(text).unwrap();
            assert_eq!(filter.admits(Some(42), Some(&mac())), admitted, "{text}");
        }
    }

    #[test]
    fn forms_that_the_vendor_does_not_know_are_refused() {
        for text in [
            "organization in (1)",
            "org",
            "org = ",
            "org in 5",
            "status = 'ONLINE'",
            "org = 1 OR org = 2",
            "org=1,2",
            "org = x",
        ] {
            assert_eq!(Filter::parse(text), Err(BadFilter), "{text}");
        }
    }

    #[test]
    fn a_device_that_is_gone_passes_every_filter_but_one_by_id() {
        assert!(
            Filter::parse("org = 5 AND offline")
                .unwrap()
                .admits(Some(17), None)
        );
        assert!(
            !Filter::parse("org = 5 AND id = 18")
                .unwrap()
                .admits(Some(17), None)
        );
    }
}
