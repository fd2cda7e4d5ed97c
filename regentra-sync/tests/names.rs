//! Names that two tenants could share.
//!
//! An MSP and its customer are tenants of different kinds, and a name that fits both is how data of one gets into the other's.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Source files below a folder; none where the folder is not there, as in a published crate.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let kind = path.extension().and_then(|kind| kind.to_str());
        if path.is_dir() {
            found.extend(sources(&path));
        } else if matches!(kind, Some("rs" | "sql")) {
            found.push(path);
        }
    }
    found
}

/// The words of a line of code that are bare names of an organization.
fn bare_names(line: &str) -> Vec<&str> {
    let code = line.split("//").next().unwrap_or_default();
    code.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .filter(|word| matches!(*word, "org_id" | "organization_id" | "orgid"))
        .collect()
}

#[test]
fn no_name_of_a_tenant_is_a_bare_organization_id() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let all: Vec<_> = ["src", "adapters/sqlite", "adapters/postgres"]
        .iter()
        .flat_map(|folder| sources(&own.join(folder)))
        .collect();
    assert!(all.len() > 50, "{} files were read", all.len());
    let mut faults = Vec::new();
    for path in all {
        // The vendor's rows have a field of that name: which organization of NinjaOne a row is of.
        let is_vendors = path.starts_with(own.join("src/ninjaone"));
        for (number, line) in (1..).zip(fs::read_to_string(&path).unwrap().lines()) {
            let is_field_of_a_row = is_vendors && line.contains("row.organization_id");
            if !bare_names(line).is_empty() && !is_field_of_a_row {
                faults.push(format!("{}:{number}: {}", path.display(), line.trim()));
            }
        }
    }
    assert!(
        faults.is_empty(),
        "say whose organization:\n{}",
        faults.join("\n")
    );
}

#[test]
fn bare_names_are_found() {
    for (line, found) in [
        ("let org_id = 1;", 1),
        ("fn of(organization_id: Uuid, org_id: Uuid)", 2),
        ("msp_org_id, customer_compliance_org_id, external_org_id", 0),
        ("// org_id", 0),
    ] {
        assert_eq!(bare_names(line).len(), found, "{line}");
    }
}
