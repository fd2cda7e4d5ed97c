//! The second way in over real HTTP, on PostgreSQL: processes that are killed hard while they rotate the refresh token.
#![expect(
    clippy::unwrap_used,
    reason = "a test panics where it fails, helpers included"
)]

mod authorization;
mod postgres;

use async_trait::async_trait;
use authorization::{Place, killed};
use postgres::{Database, STORE};

#[async_trait(?Send)]
impl Place for Database {
    fn told(&self) -> String {
        self.url(STORE)
    }

    async fn is_left(&self) {
        self.is_left().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_hard_while_it_rotates_is_made_good_or_says_to_authorize_again() {
    let test = "a_process_killed_hard_while_it_rotates_is_made_good_or_says_to_authorize_again";
    killed::at_any_time(test, 24, async || Box::new(postgres::database().await) as _).await;
}
