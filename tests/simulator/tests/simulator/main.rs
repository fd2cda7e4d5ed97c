//! The simulated tenant itself: what it sends, how it pages, whom it gives tokens, and how it lies.

mod fleets;
mod fronts;
mod lies;
mod paging;
mod scale;
mod tokens;
mod vendor_fields;
