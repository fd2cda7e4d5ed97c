//! The client against the simulated tenant, and beside another one's OAuth.

mod examples;
mod oauth_oracle;
mod over_http;
mod pairs_of_faults;
