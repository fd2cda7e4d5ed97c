//! What an administrator of the database can do to evidence, and what finds it: signatures and anchors, by this program and by an
//! auditor's own in Python.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use regentra_evidence::{ChainHead, HeadTree, SignalKind};
use serde_json::{Value, json};
use sqlx::{Connection as _, Row as _, SqliteConnection, sqlite::SqliteConnectOptions};
use uuid::Uuid;

use crate::simulated::{Person, Run, mixed};

/// One of its signals fails.
const COMPANY: &str = "Harbour Legal";
const OTHER: &str = "Northwind Logistics";

/// Whether the auditor's verifier can run here. It has to where `CI` is set.
fn python() -> bool {
    let found = Command::new("python3")
        .args([
            "-c",
            "import sys, cryptography; assert sys.version_info >= (3, 11)",
        ])
        .output()
        .is_ok_and(|output| output.status.success());
    let openssl = Command::new("openssl")
        .arg("version")
        .output()
        .is_ok_and(|output| output.status.success());
    if found && openssl {
        return true;
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "python3 (3.11) with cryptography, or openssl, is missing"
    );
    eprintln!("SKIPPED: python3 (3.11) with cryptography, or openssl, is missing");
    false
}

/// Two customers that were swept four times, once more than a day after the others.
async fn sweeps_four_times(person: &mut Person) {
    let times = [
        "2026-11-23T06:31:00Z",
        "2026-11-23T12:31:00Z",
        "2026-11-23T18:31:00Z",
        "2026-11-25T06:31:00Z",
    ];
    person.sweeps_two_customers([COMPANY, OTHER], &times).await;
}

/// A place that the administrator of the database cannot write to, and a person who keeps anchors and public keys there.
struct Safe(tempfile::TempDir);

impl Safe {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }
}

async fn vouched() -> (Person, Safe) {
    let mut person = Person::of(mixed().build()).await;
    let safe = Safe(tempfile::tempdir().unwrap());
    let anchors = ("REGENTRA_ANCHORS", safe.text("anchors"));
    person.variables.push(anchors);
    let made = person.does(&["signing-key", "--new"]).await;
    fs::write(safe.path("keys"), made.text()).unwrap();
    sweeps_four_times(&mut person).await;
    (person, safe)
}

/// Only what is beside the database is left to verify with: the administrator took the public keys away.
fn without_public_keys(person: &Person) {
    fs::remove_file(person.folder.path().join("msp.db.signing.pub")).unwrap();
}

async fn verify(person: &Person, more: &[&str]) -> Run {
    let mut args = vec!["records", "--company", COMPANY, "--verify"];
    args.extend(more);
    person.does(&args).await
}

fn audited(export: &Path, more: &[&str]) -> (Option<i32>, Vec<Value>) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("verify_evidence.py");
    let output = Command::new("python3")
        .arg(script)
        .arg(export)
        .args(more)
        .output()
        .unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let reports = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    (output.status.code(), reports.collect())
}

async fn connection(person: &Person) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(person.db());
    SqliteConnection::connect_with(&options).await.unwrap()
}

async fn run_sql(db: &mut SqliteConnection, sql: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))
        .execute(db)
        .await
        .unwrap();
}

/// Without any key, from the database alone: every fail becomes a pass, and every hash of it is written anew, in records, signals, audit
/// rows, heads and roots.
async fn make_passes_of_fails(person: &Person) {
    let mut db = connection(person).await;
    let triggers = sqlx::query("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
        .fetch_all(&mut db)
        .await
        .unwrap();
    for trigger in triggers {
        run_sql(
            &mut db,
            &format!("DROP TRIGGER {}", trigger.get::<String, _>(0)),
        )
        .await;
    }
    run_sql(&mut db, "UPDATE signals SET status = 'pass', body = replace(body, '\"status\":\"fail\"', '\"status\":\"pass\"')").await;

    let rows = "SELECT rowid, compliance_org_id, mapping_id, signal, sequence, record, hash FROM evidence \
                ORDER BY compliance_org_id, mapping_id, signal, sequence";
    let rows = sqlx::query(rows).fetch_all(&mut db).await.unwrap();
    let mut heads: BTreeMap<String, ChainHead> = BTreeMap::new();
    let mut replaced = Vec::new();
    for row in rows {
        let (customer, mapping): (Uuid, Uuid) = (row.get(1), row.get(2));
        let signal: String = row.get(3);
        let kind = SignalKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == signal)
            .unwrap();
        let subject = format!("{}/{}", customer.as_hyphenated(), mapping.as_hyphenated());
        let head = heads
            .entry(format!("{subject}/{signal}"))
            .or_insert_with(|| ChainHead::start(&subject, kind));
        let mut record: Value = serde_json::from_str(&row.get::<String, _>(5)).unwrap();
        record.as_object_mut().unwrap().remove("signing_key");
        if record["signal"]["status"] == "fail" {
            record["signal"]["status"] = json!("pass");
        }
        let link = head.append(record.to_string());
        *head = link.head();
        sqlx::query("UPDATE evidence SET record = ?1, previous = ?2, hash = ?3, signature = NULL WHERE rowid = ?4")
            .bind(&link.record)
            .bind(link.previous.as_bytes().as_slice())
            .bind(link.hash.as_bytes().as_slice())
            .bind(row.get::<i64, _>(0))
            .execute(&mut db)
            .await
            .unwrap();
        let old: Vec<u8> = row.get(6);
        sqlx::query("UPDATE evidence_heads SET hash = ?1 WHERE hash = ?2")
            .bind(link.hash.as_bytes().as_slice())
            .bind(&old)
            .execute(&mut db)
            .await
            .unwrap();
        let hex = |hex: String, byte: &u8| hex + &format!("{byte:02x}");
        let old = old.iter().fold(String::new(), hex);
        replaced.push((old, link.hash.to_string()));
    }
    for row in sqlx::query("SELECT audit_id, details FROM customer_audit")
        .fetch_all(&mut db)
        .await
        .unwrap()
    {
        let mut details: String = row.get(1);
        for (old, new) in &replaced {
            details = details.replace(old, new);
        }
        details = details.replace("\"status\":\"fail\"", "\"status\":\"pass\"");
        sqlx::query("UPDATE customer_audit SET details = ?1 WHERE audit_id = ?2")
            .bind(details)
            .bind(row.get::<Vec<u8>, _>(0))
            .execute(&mut db)
            .await
            .unwrap();
    }
    let roots = sqlx::query("SELECT number FROM evidence_roots")
        .fetch_all(&mut db)
        .await
        .unwrap();
    for root in roots {
        let number: i64 = root.get(0);
        let heads = sqlx::query("SELECT length, hash FROM evidence_heads WHERE root_number = ?1")
            .bind(number)
            .fetch_all(&mut db)
            .await
            .unwrap();
        let tree = HeadTree::new(heads.iter().map(|head| ChainHead {
            length: u64::try_from(head.get::<i64, _>(0)).unwrap(),
            hash: regentra_evidence::Hash256::from_bytes(
                head.get::<Vec<u8>, _>(1).try_into().unwrap(),
            ),
        }));
        sqlx::query("UPDATE evidence_roots SET root = ?1 WHERE number = ?2")
            .bind(tree.root().as_bytes().as_slice())
            .bind(number)
            .execute(&mut db)
            .await
            .unwrap();
    }
    db.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_who_makes_passes_of_fails_is_found_with_keys_or_anchors_and_not_without()
{
    let (person, safe) = vouched().await;
    let (keys, anchors) = (safe.text("keys"), safe.text("anchors"));
    let export = safe.text("evidence.json");
    let whole = verify(&person, &["--anchors", &anchors, "--export", &export]).await;
    for words in [
        "Signatures: 20 of 20 signed, and each signature verifies.",
        "Anchors: 20 of 20 are as they were when they were anchored.",
        "nothing that the database's administrator did",
    ] {
        assert!(whole.text().contains(words), "{words}: {whole:?}");
    }
    let fails = |run: &Run| {
        let chains = run.rows();
        let records = chains
            .iter()
            .flat_map(|chain| chain["records"].as_array().unwrap());
        records.filter(|record| record["status"] == "fail").count()
    };
    let list = ["records", "--company", COMPANY, "--json"];
    assert!(fails(&person.does(&list).await) > 0);

    make_passes_of_fails(&person).await;
    without_public_keys(&person);
    // With nothing from outside it all fits: that is what the documentation says.
    let fooled = verify(&person, &["--export", &export]).await;
    assert!(fooled.text().contains("they fit each other"), "{fooled:?}");
    assert!(
        fooled.text().contains("there are no public keys"),
        "{fooled:?}"
    );
    assert!(fooled.text().contains("Anchors: none given"), "{fooled:?}");
    assert_eq!(fails(&person.does(&list).await), 0);

    for (more, words) in [
        (&["--keys", &*keys][..], "is not signed and has to be"),
        (&["--anchors", &anchors], "are not those that were anchored"),
        (
            &["--keys", &keys, "--anchors", &anchors],
            "not what the database has",
        ),
    ] {
        let run = verify(&person, more).await;
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(run.stderr.contains(words), "{words}: {run:?}");
    }
    if python() {
        let export = safe.path("evidence.json");
        assert_eq!(audited(&export, &[]).0, Some(0), "nothing from outside");
        for more in [&["--keys", &*keys][..], &["--anchors", &anchors]] {
            let (code, reports) = audited(&export, more);
            assert_eq!(code, Some(1));
            assert!(
                reports.iter().all(|report| report["fault"].is_string()),
                "{reports:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_were_deleted_or_anchored_again_are_found_with_the_anchors() {
    let (mut person, safe) = vouched().await;
    let old = safe.text("old");
    fs::copy(safe.path("anchors"), &old).unwrap();
    make_passes_of_fails(&person).await;
    without_public_keys(&person);
    // The host's own next anchors are made over the new history: the old ones are still there.
    let mut db = connection(&person).await;
    run_sql(
        &mut db,
        "UPDATE evidence_heads SET root_number = NULL; DELETE FROM evidence_roots",
    )
    .await;
    run_sql(
        &mut db,
        "DELETE FROM events WHERE event_id NOT IN (SELECT event_id FROM evidence)",
    )
    .await;
    db.close().await.unwrap();
    person.variables = vec![("REGENTRA_ANCHORS", safe.text("new"))];
    fs::rename(
        person.folder.path().join("msp.db.signing"),
        safe.path("signing"),
    )
    .unwrap();
    person.does(&["anchor"]).await.text();
    let export = safe.text("evidence.json");
    for anchors in [safe.text("old"), {
        let both = fs::read_to_string(safe.path("old")).unwrap();
        fs::write(
            safe.path("both"),
            both + &fs::read_to_string(safe.path("new")).unwrap(),
        )
        .unwrap();
        safe.text("both")
    }] {
        let run = verify(&person, &["--anchors", &anchors, "--export", &export]).await;
        assert_eq!(run.code, Some(1), "{run:?}");
    }
    let mut db = connection(&person).await;
    run_sql(
        &mut db,
        "DELETE FROM evidence_heads; DELETE FROM evidence_roots",
    )
    .await;
    db.close().await.unwrap();
    let run = verify(&person, &["--anchors", &old, "--export", &export]).await;
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(
        run.stderr.contains("are not those that were anchored"),
        "{run:?}"
    );
}

type Damage = (&'static str, fn(&mut Value), bool);

/// What is done to the first chain of an export. The last says whether it can be found from the export.
const DAMAGES: &[Damage] = &[
    ("nothing", |_| {}, false),
    (
        "a record",
        |chain| chain["links"][1]["record"] = json!("{}"),
        true,
    ),
    (
        "a link left out",
        |chain| {
            chain["links"].as_array_mut().unwrap().remove(1);
        },
        true,
    ),
    (
        "two links swapped",
        |chain| chain["links"].as_array_mut().unwrap().swap(0, 1),
        true,
    ),
    (
        "a link twice",
        |chain| {
            let link = chain["links"][1].clone();
            chain["links"].as_array_mut().unwrap().insert(1, link);
        },
        true,
    ),
    (
        "the last link",
        |chain| {
            chain["links"].as_array_mut().unwrap().pop();
        },
        true,
    ),
    ("every link", |chain| chain["links"] = json!([]), true),
    (
        "the subject",
        |chain| chain["subject"] = json!("another subject"),
        true,
    ),
    (
        "the signal",
        |chain| {
            let other = if chain["signal"] == "patch_sla" {
                "disk_encryption"
            } else {
                "patch_sla"
            };
            chain["signal"] = json!(other);
        },
        true,
    ),
    (
        "an audit head",
        |chain| chain["audit_heads"][0]["hash"] = json!("0".repeat(64)),
        true,
    ),
    (
        "every audit head",
        |chain| chain["audit_heads"] = json!([]),
        true,
    ),
    (
        "a signature",
        |chain| {
            chain["links"][2]
                .as_object_mut()
                .unwrap()
                .remove("signature");
        },
        true,
    ),
    (
        "two signatures swapped",
        |chain| {
            let other = chain["links"][0]["signature"].clone();
            chain["links"][2]["signature"] = other;
        },
        true,
    ),
    (
        "a hash in a proof",
        |chain| chain["proofs"][0]["proof"]["path"][0] = json!("0".repeat(64)),
        true,
    ),
    (
        "a proof's place",
        |chain| chain["proofs"][0]["proof"]["index"] = json!(99),
        true,
    ),
    (
        "a proof's size",
        |chain| chain["proofs"][0]["proof"]["size"] = json!(1),
        true,
    ),
    (
        "a proof's head",
        |chain| chain["proofs"][0]["head"]["length"] = json!(2),
        true,
    ),
    (
        "a proof under another anchor",
        |chain| chain["proofs"][0]["number"] = json!(2),
        true,
    ),
    ("every proof", |chain| chain["proofs"] = json!([]), true),
    // The tail with everything that speaks of it is found in the database (its heads are missing), and not from an export: the other
    // customers' heads, among which it would be missed, are not in it.
    (
        "the tail, its audit head and its proof",
        |chain| {
            chain["links"].as_array_mut().unwrap().pop();
            chain["audit_heads"].as_array_mut().unwrap().remove(0);
            chain["proofs"].as_array_mut().unwrap().pop();
        },
        false,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn both_verifiers_say_the_same_of_good_and_of_damaged_exports() {
    use regentra_evidence::{EvidenceExport, TrustedKeys, anchor::read_anchors, verify_export};

    let (mut person, safe) = vouched().await;
    // A second key signs on, and the auditor holds the first one alone.
    person.does(&["signing-key", "--new"]).await.text();
    "2026-11-25T12:31:00Z".clone_into(&mut person.now);
    person.does(&["sweep"]).await.text();
    let export = safe.text("evidence.json");
    verify(
        &person,
        &["--anchors", &safe.text("anchors"), "--export", &export],
    )
    .await
    .text();

    let good: Value = serde_json::from_slice(&fs::read(&export).unwrap()).unwrap();
    assert_eq!(good["chains"].as_array().unwrap().len(), 5);
    let lines = |name: &str| fs::read_to_string(safe.path(name)).unwrap();
    let keys = lines("keys");
    let keys = keys.lines().map(|line| serde_json::from_str(line).unwrap());
    let keys = TrustedKeys::new(keys).unwrap();
    assert_eq!(keys.keys().len(), 1);
    let anchors = read_anchors(&lines("anchors")).unwrap().anchors;
    assert!(anchors.len() >= 5, "{anchors:?}");
    let python = python();
    for (what, damage, is_found) in DAMAGES {
        let mut export = good.clone();
        damage(&mut export["chains"][0]);
        let path = safe.path("damaged.json");
        fs::write(&path, export.to_string()).unwrap();
        let export: EvidenceExport = serde_json::from_value(export).unwrap();
        let reports = verify_export(&export, Some(&keys), &anchors);
        assert_eq!(
            reports[0].fault.is_some(),
            *is_found,
            "{what}: {:?}",
            reports[0]
        );
        assert!(
            reports[1..].iter().all(|report| report.fault.is_none()),
            "{what}: {reports:?}"
        );
        if !python {
            continue;
        }
        let (code, theirs) = audited(
            &path,
            &[
                "--keys",
                &safe.text("keys"),
                "--anchors",
                &safe.text("anchors"),
            ],
        );
        assert_eq!(code, Some(i32::from(*is_found)), "{what}");
        assert_eq!(theirs.len(), reports.len());
        for (ours, theirs) in reports.iter().zip(&theirs) {
            assert_eq!(
                theirs["fault"].is_string(),
                ours.fault.is_some(),
                "{what}: {ours:?} {theirs}"
            );
            assert_eq!(theirs["signal"], json!(ours.signal));
            if ours.fault.is_none() {
                let counts = [
                    json!(ours.records),
                    json!(ours.signatures.signed),
                    json!(ours.anchored),
                ];
                assert_eq!(
                    [&theirs["records"], &theirs["signed"], &theirs["anchored"]],
                    [&counts[0], &counts[1], &counts[2]]
                );
            }
        }
    }
    if python {
        // Anchors and keys that contradict themselves are refused, and a file that cannot be read is no verdict.
        let first = lines("anchors").lines().next().unwrap().to_owned();
        let root = serde_json::from_str::<Value>(&first).unwrap()["root"].clone();
        let other = first.replace(root.as_str().unwrap(), &"0".repeat(64));
        fs::write(safe.path("twice"), format!("{first}\n{other}\n")).unwrap();
        let export = safe.path("evidence.json");
        assert_eq!(
            audited(&export, &["--anchors", &safe.text("twice")]).0,
            Some(1)
        );
        let run = verify(&person, &["--anchors", &safe.text("twice")]).await;
        assert!(run.stderr.contains("gives root 1 otherwise"), "{run:?}");
        assert_eq!(audited(&safe.path("none"), &[]).0, Some(2));
    }
}

/// A time-stamping authority on loopback that `openssl ts` plays. The certificate of its CA is in `ca.pem`.
struct Authority {
    url: String,
}

impl Authority {
    fn start(folder: &Path) -> Self {
        Self::configured(folder, "")
    }

    /// Its stamps say the time to the microsecond, as RFC 3161 allows.
    fn to_the_microsecond(folder: &Path) -> Self {
        Self::configured(folder, "clock_precision_digits = 6\n")
    }

    fn configured(folder: &Path, more: &str) -> Self {
        let config = "[req]\ndistinguished_name = name\nprompt = no\n[name]\nCN = Stamps\n\
            [ca_ext]\nbasicConstraints = critical, CA:true\nkeyUsage = critical, keyCertSign\n\
            [tsa_ext]\nbasicConstraints = critical, CA:false\nkeyUsage = critical, digitalSignature\n\
            extendedKeyUsage = critical, timeStamping\n\
            [tsa]\ndefault_tsa = stamps\n[stamps]\nserial = serial\nsigner_digest = sha256\n\
            default_policy = 1.2.3.4.1\ndigests = sha256\naccuracy = secs:1\ness_cert_id_alg = sha256\n";
        fs::write(folder.join("tsa.cnf"), format!("{config}{more}")).unwrap();
        fs::write(folder.join("serial"), "01\n").unwrap();
        for command in [
            "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 3650 -config tsa.cnf -extensions ca_ext",
            "req -new -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.csr -config tsa.cnf -subj /CN=Signer",
            "x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -set_serial 2 -days 3650 -out tsa.pem -extfile tsa.cnf \
             -extensions tsa_ext",
        ] {
            openssl(folder, command);
        }
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let folder = folder.to_owned();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                answer(&folder, connection.unwrap());
            }
        });
        Self { url }
    }
}

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn answer(folder: &Path, mut connection: std::net::TcpStream) {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let (mut length, mut is_query) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        is_query |= line == "content-type: application/timestamp-query";
    }
    assert!(is_query);
    let mut query = vec![0; length];
    reader.read_exact(&mut query).unwrap();
    fs::write(folder.join("query"), query).unwrap();
    openssl(
        folder,
        "ts -reply -queryfile query -config tsa.cnf -signer tsa.pem -inkey tsa.key -out reply",
    );
    let reply = fs::read(folder.join("reply")).unwrap();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/timestamp-reply\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        reply.len()
    );
    connection.write_all(head.as_bytes()).unwrap();
    connection.write_all(&reply).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn roots_wait_while_the_authority_is_away_and_are_stamped_when_it_answers() {
    if !python() {
        return;
    }
    let mut person = Person::of(mixed().build()).await;
    let safe = Safe(tempfile::tempdir().unwrap());
    let away = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", away.local_addr().unwrap());
    drop(away);
    person.variables = vec![
        ("REGENTRA_ANCHORS", safe.text("anchors")),
        ("REGENTRA_TSA", address),
    ];
    sweeps_four_times(&mut person).await;
    assert!(!safe.path("anchors").exists());
    let found = person.does(&["diagnose"]).await;
    let words = "4 roots over evidence are not anchored outside";
    assert!(found.text().contains(words), "{found:?}");
    let failed = person.does(&["anchor"]).await;
    assert_eq!(failed.code, Some(1));
    assert!(failed.stderr.contains("4 roots wait"), "{failed:?}");

    let authority = Authority::start(safe.0.path());
    person.variables[1].1 = authority.url;
    let anchored = person.does(&["anchor"]).await;
    assert!(
        anchored.text().contains("0 roots made, 4 roots anchored"),
        "{anchored:?}"
    );
    assert!(
        !person
            .does(&["diagnose"])
            .await
            .text()
            .contains("anchored outside")
    );
    let (anchors, export) = (safe.text("anchors"), safe.text("evidence.json"));
    let run = verify(&person, &["--anchors", &anchors, "--export", &export]).await;
    assert!(run.text().contains("20 of 20 are as they were"), "{run:?}");

    let (export, ca) = (safe.path("evidence.json"), safe.text("ca.pem"));
    let stamped = |anchors: &str| audited(&export, &["--anchors", anchors, "--tsa-ca", &ca]).0;
    assert_eq!(stamped(&anchors), Some(0));
    // Another authority's stamps, a stamp of another anchor, and none.
    let other = safe.path("other");
    fs::create_dir(&other).unwrap();
    drop(Authority::start(&other));
    let others = other.join("ca.pem").to_str().unwrap().to_owned();
    assert_eq!(
        audited(&export, &["--anchors", &anchors, "--tsa-ca", &others]).0,
        Some(1)
    );
    let text = fs::read_to_string(&anchors).unwrap();
    let mut lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    lines[0]["time_stamp"] = lines[1]["time_stamp"].clone();
    let write = |lines: &[Value]| {
        let lines: Vec<_> = lines.iter().map(Value::to_string).collect();
        fs::write(safe.path("damaged"), lines.join("\n")).unwrap();
    };
    write(&lines);
    assert_eq!(stamped(&safe.text("damaged")), Some(1));
    let run = verify(&person, &["--anchors", &safe.text("damaged")]).await;
    assert!(
        run.stderr.contains("of something else than its anchor"),
        "{run:?}"
    );
    lines[0].as_object_mut().unwrap().remove("time_stamp");
    write(&lines);
    assert_eq!(stamped(&safe.text("damaged")), Some(1));
}

/// Whatever is asked of it, it answers that.
fn always(answer: &'static [u8]) -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            // The query is some hundred bytes, and comes in a moment.
            let _ = connection.read(&mut [0; 4096]);
            let _ = connection.write_all(answer);
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stamp_with_a_fraction_of_a_second_is_kept_and_what_cannot_be_read_is_shown_by_its_kind()
{
    if !python() {
        return;
    }
    let mut person = Person::of(mixed().build()).await;
    let safe = Safe(tempfile::tempdir().unwrap());
    person.variables = vec![
        ("REGENTRA_ANCHORS", safe.text("anchors")),
        (
            "REGENTRA_TSA",
            always(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\n<html>"),
        ),
    ];
    sweeps_four_times(&mut person).await;
    let refusing =
        always(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    for (authority, kind) in [(None, "sink.unreadable"), (Some(refusing), "sink.refused")] {
        if let Some(authority) = authority {
            person.variables[1].1 = authority;
        }
        assert_eq!(person.does(&["anchor"]).await.code, Some(1));
        let found = person.does(&["diagnose"]).await;
        assert!(found.text().contains(kind), "{found:?}");
    }

    person.variables[1].1 = Authority::to_the_microsecond(safe.0.path()).url;
    let anchored = person.does(&["anchor"]).await;
    assert!(anchored.text().contains("4 roots anchored"), "{anchored:?}");
    let found = person.does(&["diagnose"]).await;
    assert!(!found.text().contains("sink."), "{found:?}");
    let (anchors, export) = (safe.text("anchors"), safe.text("evidence.json"));
    let run = verify(&person, &["--anchors", &anchors, "--export", &export]).await;
    assert!(run.text().contains("20 of 20 are as they were"), "{run:?}");
    // The stamps are what they are about, and the auditor's verifier takes them, too.
    let stamps = fs::read_to_string(&anchors).unwrap();
    let has_fraction = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let stamp = STANDARD
            .decode(line["time_stamp"].as_str().unwrap())
            .unwrap();
        let dot = |at: &[u8]| at[0].is_ascii_digit() && at[1] == b'.' && at[2].is_ascii_digit();
        stamp.windows(3).any(dot)
    };
    assert!(stamps.lines().any(has_fraction));
    let ca = safe.text("ca.pem");
    let export = safe.path("evidence.json");
    let audited = audited(&export, &["--anchors", &anchors, "--tsa-ca", &ca]);
    assert_eq!(audited.0, Some(0));
}
