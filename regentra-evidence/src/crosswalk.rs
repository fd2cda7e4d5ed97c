//! The crosswalk: which requirements of which frameworks the ten internal controls address, how strongly, and with which limit.
//!
//! The rows are in `data/crosswalk.csv`, part of this crate. They say what a signal can show, never that a requirement is met: only a
//! [direct](Strength::Direct) row *evidences* a requirement; every other row *supports* it. The crosswalk supplies the words of a claim
//! ([`Claim`](crate::Claim)), so that a host does not choose them.
//!
//! ```
//! use regentra_evidence::{Framework, SignalKind, Strength, crosswalk};
//!
//! // What does this signal speak to, in the frameworks a customer has adopted?
//! let adopted = [Framework::PciDss];
//! let links = crosswalk::of_signal(SignalKind::DiskEncryption, &adopted);
//! assert!(links.iter().all(|link| link.strength() != Strength::Direct));
//!
//! // And which signals speak to a requirement?
//! let links = crosswalk::of_requirement(Framework::Iso27001, "A.8.7");
//! assert!(links.iter().all(|link| link.signal() == SignalKind::AntivirusPosture));
//! assert_eq!(links[0].strength().verb(), "evidences");
//! ```

use std::{collections::BTreeMap, sync::LazyLock};

use serde::{Deserialize, Serialize};

use crate::{control::ControlId, framework::Framework, signal::SignalKind};

const TABLE: &str = include_str!("../data/crosswalk.csv");
const HEADER: &str = "control,framework,requirement,topic,strength,limit";

/// How much of a requirement a control's evidence shows, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// Only its surroundings.
    Contextual,
    /// A part of it.
    Partial,
    /// What it asks for.
    Direct,
}

impl Strength {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Contextual, Self::Partial, Self::Direct];

    /// The name used in JSON, such as `contextual`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Contextual => "contextual",
            Self::Partial => "partial",
            Self::Direct => "direct",
        }
    }

    /// What evidence of this strength does to a requirement, and no more than that.
    #[must_use]
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Contextual => "supports, as context,",
            Self::Partial => "supports in part",
            Self::Direct => "evidences",
        }
    }

    /// The limit of a row that names none of its own.
    const fn limit(self) -> Option<&'static str> {
        match self {
            Self::Contextual => Some("Shows what surrounds the requirement and nothing of it"),
            Self::Partial => Some("Shows a part of what the requirement asks for"),
            Self::Direct => None,
        }
    }
}

impl std::fmt::Display for Strength {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// One row: a control speaks to a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    control: ControlId,
    framework: Framework,
    requirement: &'static str,
    topic: &'static str,
    strength: Strength,
    limit: Option<&'static str>,
}

impl Link {
    /// The internal control.
    #[must_use]
    pub const fn control(&self) -> ControlId {
        self.control
    }

    /// The signal that is evidence for the control.
    #[must_use]
    pub const fn signal(&self) -> SignalKind {
        self.control.signal()
    }

    /// The framework.
    #[must_use]
    pub const fn framework(&self) -> Framework {
        self.framework
    }

    /// The requirement's id in the framework, such as `164.312(a)(2)(iv)`.
    #[must_use]
    pub const fn requirement(&self) -> &'static str {
        self.requirement
    }

    /// What the requirement is about, in our words.
    #[must_use]
    pub const fn topic(&self) -> &'static str {
        self.topic
    }

    /// How much of the requirement the evidence shows.
    #[must_use]
    pub const fn strength(&self) -> Strength {
        self.strength
    }

    /// What the evidence does not show. Only a direct row may have none.
    #[must_use]
    pub const fn limit(&self) -> Option<&'static str> {
        self.limit
    }
}

/// The whole crosswalk, by control, then framework.
#[must_use]
pub fn all() -> &'static [Link] {
    // That the table parses is a test of this crate.
    static LINKS: LazyLock<Vec<Link>> = LazyLock::new(|| parse(TABLE).unwrap_or_default());
    &LINKS
}

/// What this signal speaks to, within these frameworks: [`Framework::ALL`], or those a customer has adopted.
#[must_use]
pub fn of_signal(signal: SignalKind, frameworks: &[Framework]) -> Vec<&'static Link> {
    all()
        .iter()
        .filter(|link| link.signal() == signal && frameworks.contains(&link.framework))
        .collect()
}

/// What this control speaks to, within these frameworks.
#[must_use]
pub fn of_control(control: ControlId, frameworks: &[Framework]) -> Vec<&'static Link> {
    all()
        .iter()
        .filter(|link| link.control == control && frameworks.contains(&link.framework))
        .collect()
}

/// What speaks to this requirement, the strongest first; empty when nothing does, or when the framework has no such
/// requirement.
#[must_use]
pub fn of_requirement(framework: Framework, requirement: &str) -> Vec<&'static Link> {
    let mut links: Vec<_> = all()
        .iter()
        .filter(|link| link.framework == framework && link.requirement == requirement)
        .collect();
    links.sort_by_key(|link| std::cmp::Reverse(link.strength));
    links
}

/// Every requirement that the signals speak to, within these frameworks, and how strongly at best.
#[must_use]
pub fn coverage(frameworks: &[Framework]) -> BTreeMap<(Framework, &'static str), Strength> {
    let mut coverage = BTreeMap::new();
    for link in all() {
        if frameworks.contains(&link.framework) {
            coverage
                .entry((link.framework, link.requirement))
                .and_modify(|known: &mut Strength| *known = link.strength.max(*known))
                .or_insert(link.strength);
        }
    }
    coverage
}

/// What is wrong with a row of the table, by its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Misshapen {
    line: usize,
    what: &'static str,
}

/// Fields hold neither commas nor quotes, so that the table reads in any tool and by a plain split.
fn parse(table: &'static str) -> Result<Vec<Link>, Misshapen> {
    let mut lines = (1..).zip(table.lines());
    if lines.next().map(|(_, header)| header) != Some(HEADER) {
        return Err(Misshapen {
            line: 1,
            what: "header",
        });
    }
    lines
        .map(|(line, row)| parse_row(row).map_err(|what| Misshapen { line, what }))
        .collect()
}

fn parse_row(row: &'static str) -> Result<Link, &'static str> {
    let fields: Vec<&'static str> = row.split(',').collect();
    let &[control, framework, requirement, topic, strength, limit] = fields.as_slice() else {
        return Err("number of fields");
    };
    if requirement.is_empty() || topic.is_empty() {
        return Err("empty field");
    }
    let strength = Strength::ALL
        .into_iter()
        .find(|known| known.as_str() == strength)
        .ok_or("strength")?;
    Ok(Link {
        control: control.parse().map_err(|_| "control")?,
        framework: framework.parse().map_err(|_| "framework")?,
        requirement,
        topic,
        strength,
        limit: Some(limit)
            .filter(|limit| !limit.is_empty())
            .or(strength.limit()),
    })
}

#[cfg(test)]
mod tests;
