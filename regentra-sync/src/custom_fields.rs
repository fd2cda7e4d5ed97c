//! The custom fields a host names to say what NinjaOne cannot: `FileVault`, `LUKS`, antivirus on servers.

use regentra_evidence::{AntivirusPosture, CustomFact, DiskEncryption, RowFate};

use crate::facts::{Malformed, custom_field::CustomFieldSource};
use ninjaone_client::models::DeviceCustomFields;

/// What a custom field answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
/// use regentra_sync::{custom_fields::{CustomFields, Question}, facts::custom_field::CustomFieldSource};
///
/// let fields = CustomFields::default()
///     .answer(Question::DiskEncrypted, CustomFieldSource::new("filevault", ["on"], ["off"])?)
///     .answer(Question::AntivirusOn, CustomFieldSource::new("avPresent", ["yes"], ["no"])?);
/// assert_eq!(fields.names(), ["avPresent", "filevault"]);
/// # Ok::<(), regentra_sync::facts::custom_field::SourceError>(())
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

    /// What one row of the custom fields report answers.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for a row with an answer and without a device, and for one whose fields cannot be read.
    pub fn read(&self, row: &DeviceCustomFields) -> Result<Vec<(Question, CustomFact)>, Malformed> {
        let mut answers = Vec::new();
        for (question, source) in &self.sources {
            if let Some(fact) = source.fact(row)? {
                answers.push((*question, fact));
            }
        }
        Ok(answers)
    }
}

/// Shows the answers about disks to their evaluator.
pub(crate) fn answer_disks(answers: &[(Question, CustomFact)], disk: &mut DiskEncryption) {
    for (question, fact) in answers {
        if *question == Question::DiskEncrypted {
            let _: RowFate = disk.observe_custom(*fact);
        }
    }
}

/// Shows the answers about antivirus to their evaluator.
pub(crate) fn answer_antivirus(
    answers: &[(Question, CustomFact)],
    antivirus: &mut AntivirusPosture,
) {
    for (question, fact) in answers {
        let _: RowFate = match question {
            Question::AntivirusOn => antivirus.observe_custom_protection(*fact),
            Question::SignaturesUpToDate => antivirus.observe_custom_definitions(*fact),
            Question::DiskEncrypted => continue,
        };
    }
}
