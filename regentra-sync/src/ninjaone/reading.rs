//! Tracks what is being read, so that work that is ended can report where it was.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ninjaone_client::Pager;

tokio::task_local! {
    static READING: Reading;
}

/// What a piece of work reads at this moment, and how long it waited before it was allowed to. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reading(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    last: Option<&'static str>,
    waited: Duration,
}

impl Reading {
    /// Runs work that notes here what it reads.
    pub(crate) async fn noted_by<T>(&self, work: impl Future<Output = T>) -> T {
        READING.scope(self.clone(), work).await
    }

    /// What was read last, such as `queries.volumes`; nothing where nothing was noted.
    pub(crate) fn last(&self) -> Option<&'static str> {
        self.state().last
    }

    /// How long it waited for the request budget, or is to wait.
    pub(crate) fn waited(&self) -> Duration {
        self.state().waited
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes that a list or report is read now. Without effect outside of [`Reading::noted_by`].
pub(super) fn note<T: serde::de::DeserializeOwned + Send + 'static>(pages: &Pager<T>) {
    let operation = pages.request().endpoint().operation;
    let _ = READING.try_with(|reading| reading.state().last = Some(operation));
}

/// Notes that the next request waits. Without effect outside of [`Reading::noted_by`].
pub(super) fn note_wait(expected: Duration) {
    let _ = READING.try_with(|reading| {
        let mut state = reading.state();
        state.waited = state.waited.saturating_add(expected);
    });
}
