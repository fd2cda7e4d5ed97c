//! Pagers as streams.

use std::collections::VecDeque;

use futures_core::Stream;
use futures_util::stream;
use serde::de::DeserializeOwned;

use super::pager::{Completeness, Page, Pager};
use crate::{Error, ErrorKind};

impl<T: DeserializeOwned + Send + 'static> Pager<T> {
    /// Returns the pages as a stream. Each page is fetched when the stream is polled for it.
    ///
    /// A stream cannot return a [`Completeness`]. If the list was truncated at a ceiling, the stream therefore ends
    /// with an error ([`Truncated`](ErrorKind::Truncated), not retryable). After an error the stream ends.
    pub fn into_pages(self) -> impl Stream<Item = Result<Page<T>, Error>> + Send {
        stream::unfold(Some(self), |pager| async {
            let mut pager = pager?;
            match pager.next_page().await {
                Ok(Some(page)) => Some((Ok(page), Some(pager))),
                Ok(None) => pager.cut_at_ceiling().map(|error| (Err(error), None)),
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    /// Returns the rows as a stream. The next page is fetched when all rows of the page before have been returned.
    ///
    /// A row that did not decode is an error ([`Decode`](ErrorKind::Decode)); the stream continues after it. Otherwise the stream ends as
    /// [`Self::into_pages`] does.
    pub fn into_stream(self) -> impl Stream<Item = Result<T, Error>> + Send {
        let operation = self.request().endpoint().operation;
        let rows: VecDeque<Result<T, Error>> = VecDeque::new();
        stream::unfold(
            (Some(self), rows),
            move |(mut pager, mut rows)| async move {
                loop {
                    if let Some(row) = rows.pop_front() {
                        return Some((row, (pager, rows)));
                    }
                    let mut walking = pager.take()?;
                    match walking.next_page().await {
                        Ok(Some(page)) => {
                            rows.extend(page.malformed.iter().map(|row| {
                                let field = row
                                    .field
                                    .as_deref()
                                    .map(|field| format!(" (field {field})"));
                                let reason = format!(
                                    "row {} does not decode{}",
                                    row.position,
                                    field.unwrap_or_default()
                                );
                                Err(Error::new(ErrorKind::Decode, reason).of(operation))
                            }));
                            rows.extend(page.rows.into_iter().map(Ok));
                            pager = Some(walking);
                        }
                        Ok(None) => rows.extend(walking.cut_at_ceiling().map(Err)),
                        Err(error) => rows.push_back(Err(error)),
                    }
                }
            },
        )
    }

    fn cut_at_ceiling(&self) -> Option<Error> {
        match self.completeness() {
            Some(Completeness::TruncatedAtCeiling { ceiling }) => Some(
                Error::new(
                    ErrorKind::Truncated,
                    format!("the list was cut at its ceiling of {ceiling} rows"),
                )
                .permanent()
                .of(self.request().endpoint().operation),
            ),
            _ => None,
        }
    }
}
