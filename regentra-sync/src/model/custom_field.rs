//! Custom fields for facts that NinjaOne does not report: `FileVault`, `LUKS`, antivirus on servers.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use regentra_evidence::CustomAnswer;
use serde::{Deserialize, Serialize};

use super::sensitive::is_invisible;

/// The maximum length of a custom field's name, in characters.
const LONGEST_NAME: usize = 128;

/// The maximum length of a value that means yes or no, in characters.
const LONGEST_VALUE: usize = 256;

/// The maximum number of values of one field that mean yes, and likewise of values that mean no.
const MOST_VALUES: usize = 50;

/// A question that a custom field answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Question {
    /// Are the device's volumes encrypted?
    DiskEncrypted,
    /// Is the device protected against malware?
    AntivirusOn,
    /// Are its signatures up to date?
    SignaturesUpToDate,
}

impl Question {
    /// Every question.
    pub const ALL: [Self; 3] = [
        Self::DiskEncrypted,
        Self::AntivirusOn,
        Self::SignaturesUpToDate,
    ];

    /// The name used in JSON and on the command line, such as `disk_encrypted`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DiskEncrypted => "disk_encrypted",
            Self::AntivirusOn => "antivirus_on",
            Self::SignaturesUpToDate => "signatures_up_to_date",
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// No [`Question`] has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a question: disk_encrypted, antivirus_on, signatures_up_to_date")]
pub struct UnknownQuestion;

impl FromStr for Question {
    type Err = UnknownQuestion;

    fn from_str(name: &str) -> Result<Self, UnknownQuestion> {
        let mut all = Self::ALL.into_iter();
        all.find(|question| question.as_str() == name)
            .ok_or(UnknownQuestion)
    }
}

/// The name of a custom field, as NinjaOne's API has it: at most 128 characters, without a comma, which separates names in a request, and
/// without invisible characters. Surrounding white space is not part of the name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CustomFieldName(String);

impl CustomFieldName {
    /// The field of this name.
    ///
    /// # Errors
    ///
    /// [`SourceError::NoField`] when the name is blank; [`SourceError::FieldName`] when no field can have this name.
    pub fn new(name: &str) -> Result<Self, SourceError> {
        let name = present(name).ok_or(SourceError::NoField)?;
        let is_odd = |character| character == ',' || is_invisible(character);
        if name.chars().count() > LONGEST_NAME || name.chars().any(is_odd) {
            return Err(SourceError::FieldName);
        }
        Ok(Self(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CustomFieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for CustomFieldName {
    type Err = SourceError;

    fn from_str(name: &str) -> Result<Self, SourceError> {
        Self::new(name)
    }
}

impl TryFrom<String> for CustomFieldName {
    type Error = SourceError;

    fn try_from(name: String) -> Result<Self, SourceError> {
        Self::new(&name)
    }
}

impl From<CustomFieldName> for String {
    fn from(name: CustomFieldName) -> Self {
        name.0
    }
}

/// Which custom fields to read, and which question each of them answers. By default, no custom field is read.
///
/// A field answers only if NinjaOne itself reports nothing, and only with the values that the host named; see [`CustomFieldSource`].
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Answer>", into = "Vec<Answer>")]
pub struct CustomFields {
    sources: Vec<(Question, CustomFieldSource)>,
}

impl CustomFields {
    /// Lets one more field answer a question. If two fields give a device different answers to the same question, *no* counts.
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

    /// The fields that answer each question, by name.
    #[must_use]
    pub fn by_question(&self) -> BTreeMap<Question, BTreeSet<CustomFieldName>> {
        let mut fields: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (question, source) in &self.sources {
            let of_question = fields.entry(*question).or_default();
            of_question.insert(source.field.clone());
        }
        fields
    }

    /// The questions, each with the field that answers it.
    pub(crate) fn sources(&self) -> &[(Question, CustomFieldSource)] {
        &self.sources
    }
}

/// Which custom field to read, and what its values mean. Values are compared without regard to case and surrounding white space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Named", into = "Named")]
pub struct CustomFieldSource {
    field: CustomFieldName,
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
    /// No value means yes, or no value means no, so the field could never give that answer.
    #[error("name at least one value of `{field}` that means yes and one that means no")]
    NoValue {
        /// The field.
        field: String,
    },
    /// A value means both yes and no.
    #[error("a value of `{field}` means both yes and no")]
    Contradiction {
        /// The field.
        field: String,
    },
    /// No custom field can have this name.
    #[error(
        "the name of a custom field has at most 128 characters, no comma and no invisible character"
    )]
    FieldName,
    /// A value is too long or holds a control character, or there are too many of them.
    #[error(
        "`{field}` takes at most 50 values that mean yes and 50 that mean no, each of at most 256 characters and without invisible ones"
    )]
    Values {
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
        let field = CustomFieldName::new(&field.into())?;
        let yes: BTreeSet<String> = yes
            .into_iter()
            .filter_map(|word| present(&word.into()).map(|word| word.to_lowercase()))
            .collect();
        let no: BTreeSet<String> = no
            .into_iter()
            .filter_map(|word| present(&word.into()).map(|word| word.to_lowercase()))
            .collect();
        let name = || field.as_str().to_owned();
        if yes.is_empty() || no.is_empty() {
            return Err(SourceError::NoValue { field: name() });
        }
        if !yes.is_disjoint(&no) {
            return Err(SourceError::Contradiction { field: name() });
        }
        let is_odd =
            |word: &String| word.chars().count() > LONGEST_VALUE || word.chars().any(is_invisible);
        if yes.len().max(no.len()) > MOST_VALUES || yes.union(&no).any(is_odd) {
            return Err(SourceError::Values { field: name() });
        }
        Ok(Self { field, yes, no })
    }

    /// The field's name, for the `fields` parameter of the report.
    #[must_use]
    pub fn field(&self) -> &str {
        self.field.as_str()
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

/// The text without surrounding white space; `None` if nothing is left.
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
            field: source.field.into(),
            yes: source.yes,
            no: source.no,
        }
    }
}

/// One field that answers a question, as a configuration file and a store hold it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    question: Question,
    field: String,
    yes: BTreeSet<String>,
    no: BTreeSet<String>,
}

impl TryFrom<Vec<Answer>> for CustomFields {
    type Error = SourceError;

    fn try_from(answers: Vec<Answer>) -> Result<Self, SourceError> {
        let mut fields = Self::default();
        for answer in answers {
            let source = CustomFieldSource::new(answer.field, answer.yes, answer.no)?;
            fields = fields.answer(answer.question, source);
        }
        Ok(fields)
    }
}

impl From<CustomFields> for Vec<Answer> {
    fn from(fields: CustomFields) -> Self {
        let answer = |(question, source): (Question, CustomFieldSource)| Answer {
            question,
            field: source.field.into(),
            yes: source.yes,
            no: source.no,
        };
        fields.sources.into_iter().map(answer).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn questions_read_back() {
        for question in Question::ALL {
            assert_eq!(question.as_str().parse(), Ok(question));
            assert_eq!(serde_json::to_value(question).unwrap(), question.as_str());
            assert!(UnknownQuestion.to_string().contains(question.as_str()));
        }
    }

    #[test]
    fn custom_fields_read_back_from_json() {
        let json = json!([
            {"question": "disk_encrypted", "field": "filevault", "yes": ["on"], "no": ["off"]},
            {"question": "antivirus_on", "field": "avPresent", "yes": ["1", "yes"], "no": ["0"]},
        ]);
        let fields: CustomFields = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(&fields).unwrap(), json);
        assert_eq!(fields.names(), ["avPresent", "filevault"]);
    }

    #[test]
    fn a_name_or_value_that_no_field_has_is_refused() {
        for name in ["a,b", "a\u{0}b", "a\nb", "a\u{202e}b", &"a".repeat(129)] {
            assert_eq!(CustomFieldName::new(name), Err(SourceError::FieldName));
        }
        assert_eq!(CustomFieldName::new(" \t"), Err(SourceError::NoField));
        assert_eq!(CustomFieldName::new(" a b ").unwrap().as_str(), "a b");
        CustomFieldName::new(&"ä".repeat(128)).unwrap();

        let refused =
            |yes: Vec<String>| CustomFieldSource::new("f".to_owned(), yes, vec!["off".to_owned()]);
        let field = || "f".to_owned();
        let many = (0..51).map(|number| number.to_string()).collect();
        for yes in [vec!["a".repeat(257)], vec!["a\u{1b}[2J".to_owned()], many] {
            assert_eq!(refused(yes), Err(SourceError::Values { field: field() }));
        }
    }
}
