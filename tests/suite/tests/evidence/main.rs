//! The five signals, from rows as NinjaOne sends them: a second opinion, tables of every boundary, a tenant that lies, the presets.

mod agreement;
mod boundaries;
mod fleets;
mod lies;
mod minimise;
mod oracle;
mod over_http;
mod presets;
mod tables;
mod whole_way;
