//! Signals as OSCAL assessment results, the format in which governance tools exchange the findings of an assessment.
//!
//! Each signal is an observation of method `TEST` with `collected` and `expires`, its reasons and its figures. Its verdict on each of its
//! two internal controls is a finding: `pass` is `satisfied`; `warning` and `fail` are `not-satisfied`, and the remarks say why. `unknown`,
//! `not_applicable` and expired signals are observations without a finding: what was not measured is never reported as met or not met.
//!
//! A satisfied finding lists the requirements of the chosen frameworks, in the words of [`Claim`]. A requirement for which the signal is
//! only context says so and states its limit.
//!
//! Every id is derived from what it names, so the same evidence gives the same document, byte for byte.
//!
//! ```
//! use regentra_evidence::{Fleet, Framework, device_inventory, oscal::AssessmentResults};
//! use time::macros::datetime;
//!
//! let now = datetime!(2026-11-23 06:30 UTC);
//! let inventory = device_inventory::finish(&Fleet::builder(now).build());
//!
//! let document = AssessmentResults::new("Managed devices", now)
//!     .frameworks(&[Framework::Soc2, Framework::PciDss])
//!     .signal(&inventory)
//!     .build()?;
//! let result = &document["assessment-results"]["results"][0];
//! assert_eq!(result["observations"][0]["expires"], "2026-11-30T06:30:00Z");
//! assert_eq!(result["findings"][0]["target"]["status"]["state"], "not-satisfied"); // no device is a warning
//! # Ok::<(), regentra_evidence::oscal::OscalError>(())
//! ```

use serde_json::{Map, Value, json};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};
use uuid::Uuid;

use crate::{
    chain::ChainHead,
    claim::Claim,
    control::ControlId,
    crosswalk::{self, Strength},
    framework::Framework,
    guard::Guard,
    record::EvidenceRecord,
    rules::RULES_VERSION,
    signal::{Signal, Status},
};

/// The version of OSCAL that is written.
pub const OSCAL_VERSION: &str = "1.2.1";

/// The namespace of the properties that are ours.
pub const NAMESPACE: &str = "urn:regentra:evidence";

/// The namespace from which ids are derived; itself derived from [`NAMESPACE`].
fn ids() -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, NAMESPACE.as_bytes())
}

/// A [`Guard`] that takes the ids of an OSCAL document for what they are.
#[must_use]
pub fn guard() -> Guard {
    Guard::new().allow_uuids_at(["uuid", "observation-uuid", "href"])
}

/// Why there is no document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OscalError {
    /// OSCAL has no result without a control that was reviewed.
    #[error("there is no signal to report: add one before building")]
    Empty,
    /// A title of nothing but space.
    #[error("name the subject of the assessment")]
    NoSubject,
    /// A time of the document lies outside the years that RFC 3339 can say.
    #[error("a time lies outside the years 0 to 9999")]
    Time,
}

/// A signal, and its place in the evidence.
#[derive(Clone, Debug)]
struct Item<'a> {
    signal: &'a Signal,
    evidence: Option<(&'a EvidenceRecord, ChainHead)>,
}

/// Collects signals; [`AssessmentResults::build`] makes the document of them.
#[derive(Clone, Debug)]
pub struct AssessmentResults<'a> {
    subject: &'a str,
    now: OffsetDateTime,
    frameworks: &'a [Framework],
    items: Vec<Item<'a>>,
}

impl<'a> AssessmentResults<'a> {
    /// Results about `subject`, which becomes part of the title, written at `now`.
    #[must_use]
    pub const fn new(subject: &'a str, now: OffsetDateTime) -> Self {
        Self {
            subject,
            now,
            frameworks: &[],
            items: Vec::new(),
        }
    }

    /// Reports requirements of these frameworks beside the internal controls; none by default.
    #[must_use]
    pub const fn frameworks(mut self, adopted: &'a [Framework]) -> Self {
        self.frameworks = adopted;
        self
    }

    /// Adds a signal.
    #[must_use]
    pub fn signal(mut self, signal: &'a Signal) -> Self {
        self.items.push(Item {
            signal,
            evidence: None,
        });
        self
    }

    /// Adds the signal of a record, with the rules and facts digest it was judged by, and the head of the chain that ends in it.
    #[must_use]
    pub fn record(mut self, record: &'a EvidenceRecord, head: ChainHead) -> Self {
        self.items.push(Item {
            signal: &record.signal,
            evidence: Some((record, head)),
        });
        self
    }

    /// The document, ready to be written as JSON.
    ///
    /// # Errors
    ///
    /// [`OscalError`] without a signal or a subject, or with a time that cannot be written.
    pub fn build(&self) -> Result<Value, OscalError> {
        let subject = self.subject.trim();
        if subject.is_empty() {
            return Err(OscalError::NoSubject);
        }
        let collected = |item: &Item<'_>| item.signal.collected_at;
        let start = self
            .items
            .iter()
            .map(collected)
            .min()
            .ok_or(OscalError::Empty)?;
        let end = self.items.iter().map(collected).max().unwrap_or(start);

        let plan = id(&["plan", RULES_VERSION]);
        let seed = id(&["document", subject, &rfc3339(self.now)?]);
        let mut controls: Vec<ControlId> = Vec::new();
        let mut observations = Vec::new();
        let mut findings = Vec::new();
        for (index, item) in self.items.iter().enumerate() {
            controls.extend(item.signal.kind().controls());
            let observation = id(&["observation", &seed, &index.to_string()]);
            findings.extend(self.findings(item.signal, &observation));
            observations.push(self.observation(item, &observation)?);
        }
        controls.sort_unstable();
        controls.dedup();
        let controls: Vec<Value> = controls
            .into_iter()
            .map(|control| json!({"control-id": control.as_str()}))
            .collect();

        let mut result = json!({
            "uuid": id(&["result", &seed]),
            "title": format!("Signals of {subject}"),
            "description": "Verdicts from the reports of a remote monitoring tool, as counts over devices.",
            "start": rfc3339(start)?,
            "end": rfc3339(end)?,
            "reviewed-controls": {"control-selections": [{"include-controls": controls}]},
            "observations": observations,
        });
        // OSCAL has no empty lists.
        if !findings.is_empty()
            && let Some(result) = result.as_object_mut()
        {
            result.insert("findings".to_owned(), findings.into());
        }
        Ok(json!({"assessment-results": {
            "uuid": seed,
            "metadata": {
                "title": format!("Assessment results of {subject}"),
                "last-modified": rfc3339(self.now)?,
                "version": RULES_VERSION,
                "oscal-version": OSCAL_VERSION,
            },
            "import-ap": {"href": format!("#{plan}")},
            "results": [result],
            "back-matter": {"resources": [{
                "uuid": plan,
                "title": "Rules of the five signals",
                "description": format!(
                    "The rules of version {RULES_VERSION}: thresholds are fixed, may be made stricter and never weaker, and what was \
                     not measured is never reported as good or bad."
                ),
            }]},
        }}))
    }

    fn observation(&self, item: &Item<'_>, uuid: &str) -> Result<Value, OscalError> {
        let signal = item.signal;
        let mut props = vec![
            prop("signal", signal.kind().as_str(), None),
            prop("status", signal.status.as_str(), None),
            prop("complete", &signal.complete.to_string(), None),
        ];
        props.extend(
            signal
                .reasons
                .iter()
                .map(|reason| prop("reason", reason.as_str(), None)),
        );
        if let Ok(Value::Object(mut tagged)) = serde_json::to_value(&signal.metadata)
            && let Some(Value::Object(figures)) = tagged.remove("metadata")
        {
            add_figures(None, &figures, &mut props);
        }
        if let Some((record, head)) = item.evidence {
            let facts = &record.facts;
            props.push(prop("rules-version", &record.rules.version, None));
            props.push(prop("facts-key", facts.key_id.as_str(), None));
            props.push(prop(
                "facts-hmac-sha256",
                &facts.hmac_sha256.to_string(),
                None,
            ));
            props.push(prop("chain-length", &head.length.to_string(), None));
            props.push(prop("chain-sha256", &head.hash.to_string(), None));
        }
        let mut observation = json!({
            "uuid": uuid,
            "title": signal.kind().as_str(),
            "description": description(signal),
            "props": props,
            "methods": ["TEST"],
            "types": ["control-objective"],
            "collected": rfc3339(signal.collected_at)?,
            "expires": rfc3339(signal.expires_at)?,
        });
        if signal.is_expired(self.now)
            && let Some(observation) = observation.as_object_mut()
        {
            observation.insert(
                "remarks".to_owned(),
                "Expired: nothing follows from it any more.".into(),
            );
        }
        Ok(observation)
    }

    fn findings(&self, signal: &Signal, observation: &str) -> Vec<Value> {
        let state = match signal.status {
            _ if signal.is_expired(self.now) => return Vec::new(),
            Status::Unknown | Status::NotApplicable => return Vec::new(),
            Status::Pass => "satisfied",
            Status::Warning | Status::Fail => "not-satisfied",
        };
        let claims = Claim::all_of(signal, self.frameworks, self.now);
        signal
            .kind()
            .controls()
            .into_iter()
            .map(|control| {
                let props: Vec<Value> = claims
                    .iter()
                    .filter(|claim| claim.link().control() == control)
                    .map(requirement)
                    .collect();
                let mut finding = json!({
                    "uuid": id(&["finding", observation, control.as_str()]),
                    "title": format!("{control} {}", control.name()),
                    "description": description(signal),
                    "target": {
                        "type": "objective-id",
                        "target-id": control.as_str(),
                        "status": {"state": state, "remarks": remarks(signal, control)},
                    },
                    "related-observations": [{"observation-uuid": observation}],
                });
                if !props.is_empty()
                    && let Some(finding) = finding.as_object_mut()
                {
                    finding.insert("props".to_owned(), props.into());
                }
                finding
            })
            .collect()
    }
}

/// A requirement that a satisfied finding speaks to, in the words of its claim.
fn requirement(claim: &Claim) -> Value {
    let link = claim.link();
    let mut requirement = prop(
        "requirement",
        link.requirement(),
        Some(link.framework().as_str()),
    );
    if let Some(requirement) = requirement.as_object_mut() {
        requirement.insert("remarks".to_owned(), claim.to_string().into());
    }
    requirement
}

fn prop(name: &str, value: &str, class: Option<&str>) -> Value {
    let mut prop = json!({"name": name, "ns": NAMESPACE, "value": value});
    if let (Some(class), Some(prop)) = (class, prop.as_object_mut()) {
        prop.insert("class".to_owned(), class.into());
    }
    prop
}

/// Every number of a signal as a property, of the class of the object it stands in.
fn add_figures(class: Option<&str>, figures: &Map<String, Value>, props: &mut Vec<Value>) {
    for (name, value) in figures {
        match value {
            Value::Object(figures) => add_figures(Some(name), figures, props),
            Value::Number(number) => props.push(prop(name, &number.to_string(), class)),
            Value::String(word) => props.push(prop(name, word, class)),
            Value::Null | Value::Bool(_) | Value::Array(_) => {}
        }
    }
}

fn description(signal: &Signal) -> String {
    let scope = signal.metadata.scope();
    format!(
        "{}: {}. {} of {} approved devices measured, {} unmeasured, {} stale, {} not applicable.",
        signal.kind(),
        signal.status,
        scope.measured,
        scope.approved,
        scope.unmeasured,
        scope.stale,
        scope.not_applicable
    )
}

/// Why, and what the signal does not show of this control.
fn remarks(signal: &Signal, control: ControlId) -> String {
    let mut remarks = format!("The signal {} is {}", signal.kind(), signal.status);
    let reasons: Vec<_> = signal
        .reasons
        .iter()
        .map(|reason| reason.as_str())
        .collect();
    if !reasons.is_empty() {
        remarks.push_str(": ");
        remarks.push_str(&reasons.join(", "));
    }
    remarks.push('.');
    if !signal.complete {
        remarks.push_str(" The answer behind it was partial.");
    }
    let evidences = |link: &&crosswalk::Link| link.strength() == Strength::Direct;
    if !crosswalk::of_control(control, Framework::ALL)
        .iter()
        .any(evidences)
    {
        remarks.push_str(" It supports this control and does not evidence it by itself.");
    }
    remarks
}

fn id(parts: &[&str]) -> String {
    Uuid::new_v5(&ids(), parts.join("\n").as_bytes()).to_string()
}

fn rfc3339(time: OffsetDateTime) -> Result<String, OscalError> {
    time.to_offset(UtcOffset::UTC)
        .format(&Rfc3339)
        .map_err(|_| OscalError::Time)
}

#[cfg(test)]
mod tests;
