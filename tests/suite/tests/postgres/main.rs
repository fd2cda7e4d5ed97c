//! Everything on PostgreSQL. A program of its own: it starts a server, and where there is none it ends and says so.

mod authorization;
mod canary_columns;
mod conformance;
mod crashes;
mod histories;
mod interruptions;
mod races;
mod setup;
mod tenancy;
mod two_regions;
