//! PostgreSQL keeps every law of the store traits, under a role that row-level security binds.

use regentra_harness::postgres;
use regentra_sync::host::StoreClock;
use sqlx::Row as _;

regentra_sync::conformance!(postgres::new_store);

/// The role under which the laws above run.
#[tokio::test]
async fn the_role_is_no_superuser_has_no_bypassrls_and_owns_no_table() {
    let (store, _database) = postgres::new_store(StoreClock::server()).await;
    let row = sqlx::query(
        "SELECT current_user::text AS role, session_user = current_user AS same, rolsuper, rolbypassrls, rolcreaterole, \
         (SELECT count(*) FROM pg_class WHERE relowner = r.oid) AS owned, \
         (SELECT count(*) FROM pg_auth_members WHERE member = r.oid) AS memberships, \
         (SELECT count(*) FROM pg_class WHERE relnamespace = 'regentra_sync'::regnamespace AND relkind = 'r') AS tables \
         FROM pg_roles r WHERE rolname = current_user",
    )
    .fetch_one(store.pool())
    .await
    .unwrap();
    assert_eq!(row.get::<String, _>("role"), postgres::STORE);
    assert!(row.get::<bool, _>("same"));
    for power in ["rolsuper", "rolbypassrls", "rolcreaterole"] {
        assert!(!row.get::<bool, _>(power), "{power}");
    }
    for count in ["owned", "memberships"] {
        assert_eq!(row.get::<i64, _>(count), 0, "{count}");
    }
    assert!(row.get::<i64, _>("tables") > 10, "the tables are there");
}
