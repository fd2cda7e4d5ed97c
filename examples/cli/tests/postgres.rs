//! The command line on a PostgreSQL server. A program of its own: it starts the server, and where there is none it ends and says so.

mod run_on_postgres;
mod simulated;
mod story_on_postgres;
