//! Reads lists page by page. A list is read to its end, or there is an error.

mod by_cursor;
mod cursor;
mod decode;
mod learned;
mod page_size;
mod pager;
mod stream;
#[cfg(test)]
mod tests;
mod walk;

pub(crate) use decode::{Fence, Fences, RawPage, Unreadable, read_page, read_single};
pub use decode::{MalformedRow, RepairedField};
pub(crate) use learned::LearnedOfReports;
pub(crate) use page_size::PageSizes;
pub use pager::{Collected, Completeness, Page, Pager};
pub(crate) use walk::{ActivityRange, Walk};
