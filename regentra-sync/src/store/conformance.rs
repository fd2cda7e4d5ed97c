//! The laws that every store keeps, as tests that any store can run.
//!
//! ```
//! # #[cfg(test)]
//! mod conformance {
//!     use regentra_sync::{host::StoreClock, store::MemoryStore};
//!
//!     async fn new_store(clock: StoreClock) -> (MemoryStore, ()) {
//!         (MemoryStore::new().with_clock(clock), ())
//!     }
//!
//!     regentra_sync::conformance!(new_store);
//! }
//! ```
//!
//! The argument is an async function. It takes the store's clock and returns a new, empty store that uses this clock, together with a value
//! that must live as long as the store: a temporary folder, a database schema, or `()`. The laws move the clock. The macro expands to one
//! `#[tokio::test]` per law, with the law's name, so the crate that uses it needs `tokio` with the features `macros` and `rt`.
#![expect(
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests: they panic where a store breaks the law they are named after"
)]

pub mod anchors;
pub mod assets;
pub mod audit;
pub mod budget;
pub mod clocks;
pub mod connections;
pub mod evidence;
pub mod mappings;
pub mod planner;
pub mod runs;
pub mod tickets;
pub mod world;

/// Generates one test per law of the store traits; see [`crate::store::conformance`](mod@crate::store::conformance).
///
/// `conformance!(new_store, only: budget, runs)` generates only the laws of the traits named. The names are `connections`, `mappings`,
/// `assets`, `evidence`, `anchors`, `tickets`, `audit`, `runs`, `budget`, `planner`, and `clocks` for the laws about time that span several
/// traits.
#[macro_export]
macro_rules! conformance {
    ($new_store:expr) => {
        $crate::conformance! {
            $new_store,
            only: connections, mappings, assets, evidence, anchors, tickets, audit, runs, budget, planner, clocks
        }
    };
    ($new_store:expr, only: $($wing:ident),+ $(,)?) => {
        $( $crate::conformance! { @$wing $new_store } )+
    };
    (@connections $new_store:expr) => {
        $crate::conformance! { @laws $new_store;
            connections::a_credential_is_read_by_its_msp_only,
            connections::while_anything_is_connected_the_first_key_check_is_kept,
            connections::where_nothing_is_connected_another_key_check_takes_its_place,
            connections::connecting_writes_the_credential_and_the_audit_row,
            connections::connecting_twice_with_one_event_writes_once,
            connections::connecting_from_a_stale_generation_writes_nothing,
            connections::a_client_id_connected_elsewhere_is_refused_unless_allowed,
            connections::a_client_id_is_free_again_after_a_disconnect,
            connections::secrets_are_rewritten_once_per_version,
            connections::secrets_of_a_disconnected_credential_are_not_rewritten,
            connections::a_disconnect_empties_every_sealed_column,
            connections::a_disconnect_retires_assets_and_reactivates_lower_sources,
            connections::a_disconnect_leaves_other_credentials_alone,
            connections::a_disconnect_is_on_the_trail_of_every_affected_customer_once,
            connections::a_disconnect_purges_signature_history_and_notes_open_tickets,
            connections::a_disconnect_leaves_mappings_signals_and_evidence,
            connections::nothing_is_committed_after_a_disconnect,
            connections::settings_are_read_as_they_were_written,
            connections::settings_delivered_twice_are_written_once,
            connections::of_two_changes_of_settings_at_once_one_is_written,
            connections::settings_of_another_msp_or_connection_are_neither_read_nor_written,
            connections::settings_survive_a_disconnect_a_reconnect_and_other_secrets,
            connections::nothing_that_was_read_by_changed_settings_is_written,
        }
        $crate::conformance! { @laws_of_time $new_store;
            connections::a_pending_authorization_is_taken_once_in_time_by_its_msp,
            connections::expired_authorizations_are_forgotten_when_the_next_is_begun_or_taken,
            connections::a_disconnect_forgets_the_authorizations_under_way_for_its_region,
        }
    };
    (@mappings $new_store:expr) => {
        $crate::conformance! { @laws $new_store;
            mappings::mappings_and_companies_are_read_by_their_msp_only,
            mappings::pages_of_mappings_are_whole_and_in_order,
            mappings::mappings_are_filtered_by_everything_that_is_given,
            mappings::mappings_are_counted_by_decision,
            mappings::pages_of_companies_are_whole_in_order_and_filtered,
            mappings::discovery_adds_and_never_changes_a_decision,
            mappings::discovery_delivered_twice_writes_once,
            mappings::a_decision_compares_the_version,
            mappings::a_decision_clears_the_suggestion_and_the_first_evidence_time,
            mappings::a_decision_creates_its_company_or_needs_one_that_exists,
            mappings::unmapping_ends_assets_history_and_tickets,
            mappings::a_company_is_promoted_once_and_to_an_organization_of_its_own,
            mappings::adding_a_company_leaves_one_that_exists,
            mappings::adopted_frameworks_are_read_as_they_were_written,
            mappings::a_decision_about_frameworks_compares_the_version,
            mappings::promoting_and_mapping_leave_the_adopted_frameworks,
        }
    };
    (@assets $new_store:expr) => {
        $crate::conformance! { @laws $new_store;
            assets::assets_are_read_as_they_were_written,
            assets::assets_are_found_by_company_mapping_and_device,
            assets::pages_of_assets_are_whole_in_order_and_filtered,
            assets::asset_commits_are_all_or_nothing,
            assets::asset_commits_hold_their_guards,
            assets::an_asset_is_superseded_by_none_that_does_not_count,
            assets::an_msp_neither_reads_nor_writes_assets_of_another,
        }
        $crate::conformance! { @laws_of_time $new_store;
            assets::assets_delivered_twice_are_written_once,
        }
    };
    (@evidence $new_store:expr) => {
        $crate::conformance! { @laws $new_store;
            evidence::a_sweep_delivered_twice_writes_once,
            evidence::a_sweep_whose_guard_fails_writes_nothing,
            evidence::a_sweep_for_a_customer_the_company_is_not_writes_nothing,
            evidence::a_sweep_with_rows_of_another_customer_or_mapping_is_refused,
            evidence::signals_are_appended_and_the_last_is_current_while_unexpired,
            evidence::of_signals_collected_at_one_time_the_last_committed_is_current,
            evidence::the_signal_history_is_newest_first,
            evidence::of_two_sweeps_from_one_chain_head_one_commits,
            evidence::the_first_evidence_time_is_stamped_once,
            evidence::the_signature_history_keeps_states_and_forgets_devices,
            evidence::customers_do_not_read_each_other,
        }
        $crate::conformance! { @laws_of_time $new_store;
            evidence::a_sweep_commits_everything_together,
        }
    };
    (@anchors $new_store:expr) => {
        $crate::conformance! { @laws $new_store;
            anchors::the_heads_of_a_tick_are_put_under_one_root,
            anchors::a_head_that_came_late_gets_a_root_of_its_own,
            anchors::a_root_that_another_process_made_or_whose_heads_changed_is_not_written,
            anchors::a_root_waits_until_it_is_handed_out,
            anchors::heads_and_roots_of_msps_and_customers_are_apart,
            anchors::why_evidence_is_not_anchored_is_kept_until_it_is_forgotten,
        }
    };
    (@tickets $new_store:expr) => {
        $crate::conformance! { @laws $new_store;
            tickets::a_signal_has_one_open_ticket,
            tickets::a_ticket_is_written_from_the_version_that_was_read,
            tickets::of_two_sweeps_that_open_tickets_in_one_tick_one_commits,
            tickets::the_outbox_gives_due_rows_in_order_until_delivered,
            tickets::a_digest_is_replaced_until_it_is_delivered,
            tickets::a_digest_that_was_delivered_is_not_replaced,
            tickets::a_delivery_keeps_the_reference_once,
            tickets::pages_of_tickets_are_whole_in_order_and_filtered,
        }
    };
    (@audit $new_store:expr) => {
        $crate::conformance! { @laws $new_store;
            audit::trails_are_read_newest_first_in_pages,
            audit::trails_are_filtered_by_everything_that_is_given,
            audit::trails_of_tenants_are_apart,
            audit::audit_rows_delivered_twice_are_written_once,
        }
    };
    (@runs $new_store:expr) => {
        $crate::conformance! { @laws $new_store;
            runs::pages_of_runs_are_whole_in_order_and_filtered,
            runs::the_runs_of_some_subjects_are_read_without_the_others,
        }
        $crate::conformance! { @laws_of_time $new_store;
            runs::a_lease_has_one_holder_until_it_expires,
            runs::each_taking_of_a_lease_raises_its_fence,
            runs::a_lost_lease_is_not_renewed_and_records_nothing,
            runs::a_released_lease_is_free_and_its_runs_are_recorded,
            runs::leases_of_other_subjects_and_msps_are_independent,
            runs::of_many_workers_at_once_one_gets_the_lease,
            runs::the_store_tells_the_time_by_its_clock,
            runs::a_lease_that_ends_later_than_twice_its_length_is_expired,
        }
    };
    (@budget $new_store:expr) => {
        $crate::conformance! { @laws_of_time $new_store;
            budget::a_window_never_holds_more_than_its_limit,
            budget::an_exhausted_budget_counts_nothing_and_says_when,
            budget::many_at_once_never_overflow_a_window,
            budget::budgets_of_tenants_are_apart,
            budget::requests_stamped_ahead_count_as_started_now,
        }
    };
    (@planner $new_store:expr) => {
        $crate::conformance! { @laws $new_store;
            planner::the_plan_pages_through_every_msp,
            planner::the_plan_holds_only_what_is_active,
        }
    };
    (@clocks $new_store:expr) => {
        $crate::conformance! { @laws_of_time $new_store;
            clocks::a_commit_ahead_of_the_stores_clock_is_refused,
            clocks::whatever_is_stamped_ahead_of_the_stores_clock_is_refused_and_writes_nothing,
            clocks::an_authorization_lasts_ten_minutes_by_the_stores_clock,
            clocks::an_asset_is_not_written_behind_its_own_row,
            clocks::of_two_decisions_the_version_says_which_is_later_and_no_clock_does,
            clocks::of_two_runs_the_one_released_last_is_the_last,
            clocks::what_lies_ahead_is_counted_by_its_msp,
            clocks::a_tick_to_come_has_opened_no_ticket,
            clocks::a_commit_behind_the_last_record_is_refused,
            clocks::a_clock_that_ran_ahead,
            clocks::a_clock_that_ran_behind,
            clocks::two_processes_ten_minutes_apart,
            clocks::an_outbox_row_that_was_written_ahead_is_due,
        }
    };
    (@laws $new_store:expr; $($module:ident :: $law:ident),+ $(,)?) => {
        $(
            #[::tokio::test]
            async fn $law() {
                let clock = $crate::store::conformance::world::clock();
                let (store, _kept) = $new_store($crate::host::StoreClock::of(clock)).await;
                $crate::store::conformance::$module::$law(&store).await;
            }
        )+
    };
    (@laws_of_time $new_store:expr; $($module:ident :: $law:ident),+ $(,)?) => {
        $(
            #[::tokio::test]
            async fn $law() {
                let clock = $crate::store::conformance::world::clock();
                let store = $new_store($crate::host::StoreClock::of(clock.clone()));
                let (store, _kept) = store.await;
                $crate::store::conformance::$module::$law(&store, &clock).await;
            }
        )+
    };
}

#[cfg(test)]
mod tests {
    crate::conformance!(new_memory_store);

    async fn new_memory_store(clock: crate::host::StoreClock) -> (crate::store::MemoryStore, ()) {
        std::future::ready((crate::store::MemoryStore::new().with_clock(clock), ())).await
    }

    mod of_one_trait {
        use super::new_memory_store;

        crate::conformance!(new_memory_store, only: budget, runs);
    }

    /// If the laws about clocks miss a commit, a time in the future that it writes could decide for weeks.
    #[test]
    fn every_commit_is_held_against_the_stores_clock() {
        let traits = [
            include_str!("anchors.rs"),
            include_str!("assets.rs"),
            include_str!("audit.rs"),
            include_str!("connections.rs"),
            include_str!("evidence.rs"),
            include_str!("mappings.rs"),
            include_str!("tickets.rs"),
        ];
        let laws = include_str!("conformance/clocks.rs");
        let commits = traits
            .iter()
            .flat_map(|file| file.split("async fn commit_").skip(1))
            .map(|commit| commit.split('(').next().unwrap_or_default());
        let commits: Vec<_> = commits.collect();
        assert_eq!(commits.len(), 13, "{commits:?}");
        for commit in commits {
            assert!(laws.contains(&format!(".commit_{commit}(")), "{commit}");
        }
    }

    /// A law that the macro does not list would never run.
    #[test]
    fn every_law_is_in_the_macro() {
        let laws = [
            include_str!("conformance/anchors.rs"),
            include_str!("conformance/assets.rs"),
            include_str!("conformance/audit.rs"),
            include_str!("conformance/budget.rs"),
            include_str!("conformance/clocks.rs"),
            include_str!("conformance/connections.rs"),
            include_str!("conformance/evidence.rs"),
            include_str!("conformance/mappings.rs"),
            include_str!("conformance/planner.rs"),
            include_str!("conformance/runs.rs"),
            include_str!("conformance/tickets.rs"),
        ];
        let listed = include_str!("conformance.rs");
        for law in laws
            .iter()
            .flat_map(|file| file.split("pub async fn ").skip(1))
        {
            let name = law.split('(').next().unwrap_or_default();
            assert!(
                listed.contains(&format!("::{name},")),
                "{name} is not in the macro"
            );
        }
    }
}
