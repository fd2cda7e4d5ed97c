//! What is read at this moment, so that work that is ended says where it stood.

use std::sync::{Arc, Mutex, PoisonError};

use ninjaone_client::Pager;

tokio::task_local! {
    static READING: Reading;
}

/// What a piece of work reads at this moment. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reading(Arc<Mutex<Option<&'static str>>>);

impl Reading {
    /// Runs work that notes here what it reads.
    pub(crate) async fn noted_by<T>(&self, work: impl Future<Output = T>) -> T {
        READING.scope(self.clone(), work).await
    }

    /// What was read last, such as `queries.volumes`; nothing where nothing was noted.
    pub(crate) fn last(&self) -> Option<&'static str> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes that a list or report is read now. Without effect outside of [`Reading::noted_by`].
pub(super) fn note<T: serde::de::DeserializeOwned + Send + 'static>(pages: &Pager<T>) {
    let operation = pages.request().endpoint().operation;
    let _ = READING.try_with(|reading| {
        *reading.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(operation);
    });
}
