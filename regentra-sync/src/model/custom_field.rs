//! The custom fields that say what NinjaOne cannot: `FileVault`, `LUKS`, antivirus on servers.

use std::collections::BTreeSet;

use regentra_evidence::CustomAnswer;
use serde::{Deserialize, Serialize};

/// What a custom field answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Question {
    /// Are the device's volumes encrypted?
    DiskEncrypted,
    /// Is the device protected against malware?
    AntivirusOn,
    /// Are its signatures up to date?
    SignaturesUpToDate,
}

/// Which custom fields to read, and which question each of them answers. None by default: nothing is read.
///
/// A field answers only where NinjaOne itself has nothing to say, and only with the values the host named; see
/// [`CustomFieldSource`].
///
/// ```
/// use regentra_sync::model::{CustomFieldSource, CustomFields, Question};
///
/// let fields = CustomFields::default()
///     .answer(Question::DiskEncrypted, CustomFieldSource::new("filevault", ["on"], ["off"])?)
///     .answer(Question::AntivirusOn, CustomFieldSource::new("avPresent", ["yes"], ["no"])?);
/// assert_eq!(fields.names(), ["avPresent", "filevault"]);
/// # Ok::<(), regentra_sync::model::SourceError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomFields {
    sources: Vec<(Question, CustomFieldSource)>,
}

impl CustomFields {
    /// Lets one more field answer a question. Where two fields answer the same question for a device, *no* counts.
    #[must_use]
    pub fn answer(mut self, question: Question, source: CustomFieldSource) -> Self {
        self.sources.push((question, source));
        self
    }

    /// Whether no field is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// The names of the fields, sorted, each once.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self
            .sources
            .iter()
            .map(|(_, source)| source.field())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Whether any field answers this question.
    #[must_use]
    pub fn answers(&self, question: Question) -> bool {
        self.sources.iter().any(|(other, _)| *other == question)
    }

    /// The questions, each with the field that answers it.
    pub(crate) fn sources(&self) -> &[(Question, CustomFieldSource)] {
        &self.sources
    }
}

/// Which custom field to read, and what its values mean. Values compare without case and surrounding space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Named", into = "Named")]
pub struct CustomFieldSource {
    field: String,
    yes: BTreeSet<String>,
    no: BTreeSet<String>,
}

/// Why a custom field cannot be read as named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// No field was named.
    #[error("name the custom field to read")]
    NoField,
    /// No value means yes, or none means no, so that one of the two could never be said.
    #[error("name at least one value of `{field}` that means yes and one that means no")]
    NoValue {
        /// The field.
        field: String,
    },
    /// A value means yes and no.
    #[error("a value of `{field}` means both yes and no")]
    Contradiction {
        /// The field.
        field: String,
    },
}

impl CustomFieldSource {
    /// Reads `field`, as the API names it.
    ///
    /// # Errors
    ///
    /// [`SourceError`] when a name or value is missing, or one value means both.
    pub fn new<T: Into<String>>(
        field: impl Into<String>,
        yes: impl IntoIterator<Item = T>,
        no: impl IntoIterator<Item = T>,
    ) -> Result<Self, SourceError> {
        let field = present(&field.into()).ok_or(SourceError::NoField)?;
        let yes: BTreeSet<String> = yes
            .into_iter()
            .filter_map(|word| present(&word.into()).map(|word| word.to_lowercase()))
            .collect();
        let no: BTreeSet<String> = no
            .into_iter()
            .filter_map(|word| present(&word.into()).map(|word| word.to_lowercase()))
            .collect();
        if yes.is_empty() || no.is_empty() {
            return Err(SourceError::NoValue { field });
        }
        if !yes.is_disjoint(&no) {
            return Err(SourceError::Contradiction { field });
        }
        Ok(Self { field, yes, no })
    }

    /// The field's name, for the `fields` parameter of the report.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Whether this value means yes or no; `None` when it means neither.
    pub(crate) fn meaning(&self, value: &str) -> Option<CustomAnswer> {
        let value = present(value)?.to_lowercase();
        if self.yes.contains(&value) {
            Some(CustomAnswer::Yes)
        } else if self.no.contains(&value) {
            Some(CustomAnswer::No)
        } else {
            None
        }
    }
}

/// A text that is there, without what is blank around it.
fn present(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The source as a configuration file holds it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    field: String,
    yes: BTreeSet<String>,
    no: BTreeSet<String>,
}

impl TryFrom<Named> for CustomFieldSource {
    type Error = SourceError;

    fn try_from(named: Named) -> Result<Self, SourceError> {
        Self::new(named.field, named.yes, named.no)
    }
}

impl From<CustomFieldSource> for Named {
    fn from(source: CustomFieldSource) -> Self {
        Self {
            field: source.field,
            yes: source.yes,
            no: source.no,
        }
    }
}
