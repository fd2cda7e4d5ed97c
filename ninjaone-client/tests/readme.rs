//! The README's table of endpoints is written from the code and the vendor's facts, never by hand.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test, helpers included"
)]

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::Value;

const BEGIN: &str = "<!-- endpoints: ";
const END: &str = "<!-- end of endpoints -->";

fn table() -> String {
    let facts: Value = serde_json::from_str(include_str!("vendor.json")).unwrap();
    let methods: BTreeMap<_, _> = ninjaone_client::endpoints()
        .map(|endpoint| (endpoint.path, endpoint.operation))
        .collect();
    let mut typed = String::from("| endpoint | method |\n|---|---|\n");
    let mut rest = String::from("Through `client.get::<T>(path, query)`:\n\n");
    for endpoint in facts["endpoints"].as_array().unwrap() {
        let path = endpoint["path"].as_str().unwrap();
        match methods.get(path) {
            Some(operation) => {
                let (group, method) = operation.split_once('.').unwrap();
                writeln!(typed, "| `{path}` | `{group}().{method}` |").unwrap();
            }
            None => writeln!(rest, "- `{path}`").unwrap(),
        }
    }
    format!(
        "\n{typed}\n<details><summary>{} more</summary>\n\n{rest}\n</details>\n",
        rest.lines().count() - 2
    )
}

#[test]
fn the_readme_lists_every_endpoint() {
    let readme = include_str!("../README.md");
    let begin = readme.find(BEGIN).unwrap();
    let begin = begin + readme.split_at(begin).1.find('\n').unwrap() + 1;
    let end = readme.find(END).unwrap();
    let (before, rest) = readme.split_at(begin);
    let (written, after) = rest.split_at(end - begin);
    if written.trim() != table().trim() {
        if std::env::var_os("UPDATE_README").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
            std::fs::write(path, format!("{before}{}\n{after}", table())).unwrap();
        }
        panic!(
            "the table of endpoints is out of date: UPDATE_README=1 cargo test -p ninjaone-client --test readme"
        );
    }
}
