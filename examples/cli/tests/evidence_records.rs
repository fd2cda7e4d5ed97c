//! An auditor sees the evidence records of a customer, and whatever was done to them by hand is named.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::fs;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::simulated::{self, Person, mixed};

/// A person with a promoted customer of two organizations that was swept three times, and one of another.
async fn swept_three_times() -> Person {
    let mut person = Person::of(mixed().build()).await;
    let times = [
        "2026-11-23T06:31:00Z",
        "2026-11-23T12:31:00Z",
        "2026-11-23T18:31:00Z",
    ];
    let promoted = ["Northwind Logistics", "Harbour Legal"];
    person.sweeps_two_customers(promoted, &times).await;
    person
}

async fn records(person: &Person, more: &[&str]) -> simulated::Run {
    let mut args = vec!["records", "--company", "Northwind Logistics"];
    args.extend(more);
    person.does(&args).await
}

/// A person who knows how writes into the file: the triggers that keep evidence as it is are dropped first.
async fn by_hand(person: &Person, sql: &'static str) {
    let options = SqliteConnectOptions::new().filename(person.db());
    let mut db = SqliteConnection::connect_with(&options).await.unwrap();
    for trigger in [
        "evidence_no_update",
        "evidence_no_delete",
        "signals_no_update",
        "signals_no_delete",
        "evidence_no_replace",
        "customer_audit_no_delete",
    ] {
        let drop = format!("DROP TRIGGER IF EXISTS {trigger}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(drop))
            .execute(&mut db)
            .await
            .unwrap();
    }
    sqlx::raw_sql(sql).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_is_listed_with_what_an_auditor_needs_to_verify_it_alone() {
    let person = swept_three_times().await;
    let chains = records(&person, &["--json"]).await.rows();
    assert_eq!(chains.len(), 10, "five signals of two organizations");
    for chain in &chains {
        assert_eq!(
            (&chain["whole"], &chain["length"]),
            (&true.into(), &3.into())
        );
        let records = chain["records"].as_array().unwrap();
        let mut previous = records[0]["previous"].as_str().unwrap();
        for record in records {
            assert_eq!(record["previous"], previous);
            let text = format!(
                "{previous}\n{}\n{}",
                record["sequence"],
                record["record"].as_str().unwrap()
            );
            let digest = Sha256::digest(text);
            let hash = digest
                .iter()
                .fold(String::new(), |hash, byte| hash + &format!("{byte:02x}"));
            assert_eq!(record["hash"], hash.as_str());
            assert_eq!(record["rules"], "2026-12");
            previous = record["hash"].as_str().unwrap();
        }
        assert_eq!(chain["head"]["hash"], previous);
    }

    let page = records(&person, &["--limit", "2"]).await;
    for words in [
        "Northwind Logistics (5), disk encryption: 3 records, whole, head 3 ",
        "Summit Legal (29), patches: 3 records, whole",
        "1 before; --limit shows more",
        "2026-11-30 18:31 UTC",
        "2026-11",
        "10 evidence chains, 30 records: they fit each other and the heads in the audit trail",
        "That shows accidents, and nothing that the database's administrator did.",
        "Signatures: not verified, there are no public keys",
        "Anchors: none given",
    ] {
        assert!(
            page.text().contains(words),
            "{words} is missing in {page:?}"
        );
    }
    let verified = records(&person, &["--verify"]).await;
    assert_eq!(verified.text().lines().count(), 10 + 3, "{verified:?}");

    // The same head stands in the list of what was done.
    let hash = &chains[0]["head"]["hash"].as_str().unwrap()[..12];
    let audit = ["audit", "--company", "Northwind Logistics"];
    let run = person.does(&audit).await;
    assert!(run.text().contains(hash), "{hash} is missing in {run:?}");
    let not_promoted = person.does(&["companies", "--add", "Newcomer"]).await;
    not_promoted.text();
    let none = person.does(&["records", "--company", "Newcomer"]).await;
    assert!(none.message().contains("not promoted"), "{none:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_done_to_the_evidence_by_hand_is_named_and_fails() {
    let person = swept_three_times().await;
    // What an ended process has left in the journal belongs to the file.
    by_hand(&person, "PRAGMA wal_checkpoint(TRUNCATE)").await;
    let whole = fs::read(person.db()).unwrap();
    let cases = [
        (
            "UPDATE evidence SET record = replace(record, '\"status\":\"', '\"status\":\"pass\",\"was\":\"') WHERE sequence = 2",
            "record 2 was changed",
            10,
        ),
        (
            "DELETE FROM evidence WHERE sequence = 2 AND signal = 'patch_sla'",
            "record 2 was removed",
            2,
        ),
        (
            "DELETE FROM evidence WHERE sequence = 3 AND signal = 'patch_sla'",
            "records from 3 on were removed from the end",
            2,
        ),
        (
            "UPDATE evidence SET sequence = 9 WHERE sequence = 1 AND signal = 'patch_sla'; \
             UPDATE evidence SET sequence = 1 WHERE sequence = 2 AND signal = 'patch_sla'; \
             UPDATE evidence SET sequence = 2 WHERE sequence = 9 AND signal = 'patch_sla'",
            "record 1 was changed",
            2,
        ),
        (
            "DELETE FROM customer_audit WHERE at = (SELECT max(at) FROM customer_audit)",
            "no audit row speaks of record 3",
            5,
        ),
        (
            "UPDATE signals SET body = replace(body, '\"complete\":true', '\"complete\":false')",
            "the signal that is shown is not what record 3 says",
            10,
        ),
    ];
    for (sql, words, broken) in cases {
        fs::write(person.db(), &whole).unwrap();
        by_hand(&person, sql).await;
        for more in [&[][..], &["--verify"], &["--json"]] {
            let run = records(&person, more).await;
            assert_eq!(run.code, Some(1), "{sql}: {run:?}");
            assert!(run.stdout.contains(words), "{words}: {run:?}");
            assert!(run.stderr.contains(words), "{words}: {run:?}");
            assert_eq!(run.stderr.matches("error:").count(), 1, "{run:?}");
            if more == ["--json"] {
                let chains: Vec<Value> = serde_json::from_str(&run.stdout).unwrap();
                let found = chains.iter().filter(|chain| chain["whole"] == false);
                assert_eq!(found.count(), broken, "{sql}: {run:?}");
            }
        }
    }
}
