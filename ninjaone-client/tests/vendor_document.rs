//! The crate against the vendor's OpenAPI document, as far as `vendor.json` holds its facts.
//!
//! For every typed endpoint: an answer made of the document's schema decodes without a malformed row, and what is written
//! back is what was read, field by field, whatever of it is absent, `null` or new.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::too_many_lines,
    clippy::default_trait_access,
    reason = "a test, helpers and tables included"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use ninjaone_client::{
    Client, Credentials, Error, Pager, RateLimit, Region, Transport, TransportError, activities,
    alerts, backup, custom_fields, device, devices, endpoints, jobs, locations, models::*,
    organizations, queries, roles, users,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
struct Facts {
    endpoints: Vec<EndpointFacts>,
    schemas: BTreeMap<String, BTreeMap<String, Value>>,
    variants: BTreeMap<String, Vec<String>>,
    enums: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct EndpointFacts {
    path: String,
    typed: bool,
    #[serde(default)]
    parameters: BTreeSet<String>,
    #[serde(default)]
    answer: Value,
}

fn facts() -> Facts {
    serde_json::from_str(include_str!("vendor.json")).unwrap()
}

// ---------------------------------------------------------------------------------------------------------------------
// Every endpoint of the document has its method, and every parameter its setter.

#[test]
fn every_typed_endpoint_has_a_method_and_no_other_has() {
    let typed: BTreeSet<_> = facts()
        .endpoints
        .into_iter()
        .filter(|endpoint| endpoint.typed)
        .map(|e| e.path)
        .collect();
    let ours: BTreeSet<_> = endpoints()
        .map(|endpoint| endpoint.path.to_owned())
        .collect();
    assert_eq!(ours, typed);
    assert_eq!(endpoints().count(), 85);
    let operations: BTreeSet<_> = endpoints().map(|endpoint| endpoint.operation).collect();
    assert_eq!(operations.len(), 85);
}

/// What the walks send by themselves, and what is left out on purpose.
const NOT_SETTERS: [&str; 3] = [
    "cursor",
    "cursorName",
    // The document swaps it with `olderThan`, and a time in it was seen to empty the answer.
    "newerThan",
];

#[test]
fn every_parameter_of_the_document_has_a_setter() {
    let mut ours: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for request in full_requests() {
        request.validate().unwrap();
        let url = url::Url::parse(&format!("https://x{}", request.path_and_query())).unwrap();
        let names = url
            .query_pairs()
            .map(|(name, _)| name.into_owned())
            .collect();
        ours.insert(request.endpoint().path, names);
        assert!(!request.path_and_query().contains('+'), "spaces are %20");
    }
    for endpoint in facts().endpoints.iter().filter(|endpoint| endpoint.typed) {
        let wanted: BTreeSet<_> = endpoint
            .parameters
            .iter()
            .filter(|name| !NOT_SETTERS.contains(&name.as_str()))
            .cloned()
            .collect();
        let mut have = ours.remove(endpoint.path.as_str()).unwrap_or_default();
        // Seen live, not in the document.
        have.remove("includeLastBackupJobTimes");
        assert_eq!(have, wanted, "{}", endpoint.path);
    }
    assert!(ours.is_empty());
}

fn full_requests() -> Vec<ninjaone_client::Request> {
    use ninjaone_client::{DeviceFilter, DeviceId, LocationId, OrganizationId};
    let filter = || DeviceFilter::organization(OrganizationId::new(7));
    let time = time::macros::datetime!(2026-11-23 06:30 UTC);
    let (device, organization, location) =
        (DeviceId::new(1), OrganizationId::new(2), LocationId::new(3));
    macro_rules! report {
        ($($params:ident)*) => { [$(queries::$params::default().filter(filter()).ts("1").request()),*] };
    }
    let log = activities::ActivitiesParams::default()
        .class(ActivityClass::All)
        .before(time)
        .after(time)
        .older_than(9)
        .r#type(ActivityType::NINJA_BACKUP)
        .statuses([ActivityStatus::STARTED])
        .user("1")
        .series("u")
        .filter(filter())
        .language("en")
        .time_zone("UTC")
        .source_config("u");
    let backups = backup::BackupJobsParams::default()
        .filter(filter())
        .deleted_filter(filter())
        .statuses(BackupJobStatus::RUNNING)
        .plan_types([BackupPlanType::IMAGE, BackupPlanType::FILE_FOLDER])
        .started(backup::Started::After(time))
        .include(DeviceInclusion::All);
    let organizations = organizations::OrganizationsParams::default()
        .after(1)
        .filter("x");
    let devices = devices::DevicesParams::default().filter(filter()).after(1);
    let mut requests = vec![
        log.request(),
        alerts::AlertsParams::default()
            .source_type(SourceType::AGENT_OFFLINE)
            .filter(filter())
            .language("en")
            .time_zone("UTC")
            .request(),
        jobs::JobsParams::default()
            .job_type(ActivityType::SCRIPTING)
            .filter(filter())
            .language("en")
            .time_zone("UTC")
            .request(),
        backups.request(),
        backups.request_integrity_checks(),
        organizations.request(),
        organizations.request_detailed(),
        devices.request(),
        devices.request_detailed(),
        devices::DeviceSearchParams::default()
            .query("x")
            .limit(5_u32)
            .request(),
        locations::LocationsParams::default().after(1).request(),
        organizations::OrganizationDevicesParams::default()
            .after(1)
            .request(organization),
        organizations::OrganizationEndUsersParams::default()
            .with_roles()
            .request(organization),
        organizations::LocationCustomFieldsParams::default()
            .with_inheritance()
            .request(organization, location),
        roles::NodeRolesParams::default().assignable(true).request(),
        users::UsersParams::default()
            .user_type(UserType::Technician)
            .with_roles()
            .request(),
        users::UserRolesParams::default()
            .role_type(UserType::EndUser)
            .request(),
        custom_fields::CustomFieldDefinitionsParams::default().request(),
        custom_fields::DeviceCustomFieldDefinitionsParams::default()
            .scopes(["node", "location"])
            .request(),
        device::DeviceActivitiesParams::default()
            .older_than(9)
            .activity_type(ActivityType::ACTION)
            .statuses(ActivityStatus::STARTED)
            .series("u")
            .language("en")
            .time_zone("UTC")
            .request(device),
        device::DeviceAlertsParams::default()
            .language("en")
            .time_zone("UTC")
            .request(device),
        device::DeviceJobsParams::default()
            .language("en")
            .time_zone("UTC")
            .request(device),
        device::DeviceCustomFieldsParams::default()
            .with_inheritance()
            .request(device),
        device::DashboardUrlParams::default()
            .redirect(false)
            .request(device),
        device::DeviceOsPatchInstallsParams::default()
            .status(PatchStatus::FAILED)
            .installed_before(time)
            .installed_after(time)
            .request(device),
        device::DeviceOsPatchesParams::default()
            .status(PatchStatus::MANUAL)
            .r#type(PatchType::SECURITY_UPDATES)
            .severity(OsPatchSeverity::CRITICAL)
            .request(device),
        device::DeviceSoftwarePatchInstallsParams::default()
            .r#type(PatchType::PATCH)
            .impact(PatchImpact::CRITICAL)
            .status(PatchStatus::INSTALLED)
            .product_identifier("u")
            .installed_before(time)
            .installed_after(time)
            .request(device),
        device::DeviceSoftwarePatchesParams::default()
            .status(PatchStatus::APPROVED)
            .product_identifier("u")
            .r#type(PatchType::INSTALLER)
            .impact(PatchImpact::OPTIONAL)
            .request(device),
        device::DeviceVolumesParams::default()
            .bitlocker()
            .request(device),
        device::DeviceWindowsServicesParams::default()
            .name("x")
            .state(ServiceState::Running)
            .request(device),
        queries::AntivirusStatusParams::default()
            .filter(filter())
            .ts("1")
            .product_state(ProductState::ON)
            .product_name("x")
            .request(),
        queries::BackupUsageParams::default()
            .include_deleted_devices(true)
            .with_last_job_times()
            .request(),
        queries::DeviceHealthParams::default()
            .filter(filter())
            .health(HealthStatus::Healthy)
            .request(),
        queries::LoggedOnUsersParams::default()
            .filter(filter())
            .request(),
        queries::NetworkInterfacesParams::default()
            .filter(filter())
            .request(),
        queries::PolicyOverridesParams::default()
            .filter(filter())
            .request(),
        queries::OsPatchesParams::default()
            .filter(filter())
            .ts("1")
            .status(PatchStatus::DELAYED)
            .r#type(PatchType::DRIVER_UPDATES)
            .severity(OsPatchSeverity::LOW)
            .request(),
        queries::OsPatchInstallsParams::default()
            .filter(filter())
            .status(PatchStatus::INSTALLED)
            .installed_before(time)
            .installed_after(time)
            .request(),
        queries::SoftwarePatchesParams::default()
            .filter(filter())
            .ts("1")
            .status(PatchStatus::REJECTED)
            .product_identifier("u")
            .r#type(PatchType::PATCH)
            .impact(PatchImpact::RECOMMENDED)
            .request(),
        queries::SoftwarePatchInstallsParams::default()
            .filter(filter())
            .r#type(PatchType::PATCH)
            .impact(PatchImpact::CRITICAL)
            .status(PatchStatus::FAILED)
            .product_identifier("u")
            .installed_before(time)
            .installed_after(time)
            .request(),
        queries::SoftwareParams::default()
            .filter(filter())
            .installed_before(time)
            .installed_after(time)
            .request(),
        queries::VolumesParams::default()
            .filter(filter())
            .ts("1")
            .bitlocker()
            .request(),
        queries::WindowsServicesParams::default()
            .filter(filter())
            .name("x")
            .state(ServiceState::Stopped)
            .request(),
    ];
    requests.extend(
        report!(AntivirusThreatsParams ComputerSystemsParams DisksParams OperatingSystemsParams
        ProcessorsParams RaidControllersParams RaidDrivesParams),
    );
    macro_rules! fields {
        ($($params:ident $first:ident($value:expr))*) => { [$(
            queries::$params::default().$first($value).updated_after(time).fields(["a", "b"]).show_secure_values(false).request()
        ),*] };
    }
    requests.extend(
        fields!(CustomFieldsParams filter(filter()) CustomFieldsDetailedParams filter(filter())
        ScopedCustomFieldsParams scopes(["all"]) ScopedCustomFieldsDetailedParams scopes(["all"])),
    );
    requests
}

// ---------------------------------------------------------------------------------------------------------------------
// Answers made of the document decode, and nothing of them is lost.

/// How an instance is filled.
#[derive(Clone, Copy)]
enum Fill {
    /// Every field, enums by their n-th value.
    Full(usize),
    /// Every field, enums by a word the document does not have.
    NewWords,
    /// Nothing but ids.
    Bare,
    /// Every field `null`, except ids.
    Nulls,
}

struct Maker<'a> {
    facts: &'a Facts,
    fill: Fill,
    next: i64,
}

impl Maker<'_> {
    fn value(&mut self, kind: &Value, depth: usize) -> Value {
        self.next += 1;
        match kind {
            Value::String(kind) => match kind.as_str() {
                "string" => json!(format!("text {}", self.next)),
                "integer" => json!(1_700_000_000 + self.next),
                // An eighth of a second is exact in binary and survives being read as a time.
                #[expect(clippy::cast_precision_loss, reason = "a small number")]
                "number" => json!(1_700_000_000.125 + self.next as f64),
                "boolean" => json!(self.next % 2 == 0),
                "any" => json!({"any": self.next}),
                other => panic!("unknown kind {other}"),
            },
            Value::Object(kind) => match kind.iter().next().unwrap() {
                (key, item) if key == "list" => {
                    json!([self.value(item, depth + 1), self.value(item, depth + 1)])
                }
                (key, item) if key == "map" => {
                    json!({"one": self.value(item, depth + 1), "two": self.value(item, depth + 1)})
                }
                (key, name) if key == "enum" => match self.fill {
                    Fill::NewWords => json!(format!("NEW_WORD_{}", self.next)),
                    Fill::Full(n) => {
                        let words = &self.facts.enums[name.as_str().unwrap()];
                        json!(words[n % words.len()])
                    }
                    Fill::Bare | Fill::Nulls => Value::Null,
                },
                (_, name) => self.object(name.as_str().unwrap(), depth + 1),
            },
            other => panic!("unknown kind {other}"),
        }
    }

    fn object(&mut self, schema: &str, depth: usize) -> Value {
        if depth > 8 {
            return Value::Null;
        }
        let variants = self
            .facts
            .variants
            .get(schema)
            .map_or(&[][..], Vec::as_slice);
        let chosen = match self.fill {
            Fill::Full(n) if !variants.is_empty() => variants[n % variants.len()].as_str(),
            _ => schema,
        };
        let facts = self.facts;
        let mut object = Map::new();
        for (field, kind) in &facts.schemas[chosen] {
            let is_id = field == "id" && kind == "integer";
            let value = match self.fill {
                Fill::Bare if is_id => self.value(kind, depth),
                Fill::Bare => continue,
                Fill::Nulls if !is_id => Value::Null,
                _ if field == "deviceType" && facts.variants.contains_key(schema) => json!(chosen),
                _ => self.value(kind, depth),
            };
            object.insert(field.clone(), value);
        }
        Value::Object(object)
    }
}

/// The kind of a row, and the answer that holds rows of it.
fn row_kind<'a>(facts: &'a Facts, answer: &'a Value) -> (Option<&'a str>, &'a Value) {
    if let Some(item) = answer.get("list") {
        return (Some(""), item);
    }
    if let Some(schema) = answer.get("schema").and_then(Value::as_str) {
        for rows in ["results", "activities"] {
            if let Some(kind) = facts.schemas[schema].get(rows) {
                return (Some(rows), &kind["list"]);
            }
        }
    }
    (None, answer)
}

fn answer_of(rows: &[Value], under: Option<&str>) -> Value {
    match under {
        Some("") => json!(rows),
        Some(key) => json!({key: rows, "lastActivityId": 1, "page": 0, "pageSize": 1}),
        None => rows[0].clone(),
    }
}

/// Numbers as floats and without `null`, which is as good as absent.
fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64().unwrap()),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(object) => object
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), plain(value)))
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

#[derive(Debug, Default)]
struct Scripted(Mutex<Vec<u8>>);

#[async_trait]
impl Transport for Scripted {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let query = request.uri().query().unwrap_or_default();
        let body = if request.uri().path() == "/ws/oauth/token" {
            Bytes::from_static(br#"{"access_token":"t","expires_in":3600}"#)
        } else if ["after=", "olderThan=", "cursor="]
            .iter()
            .any(|place| query.contains(place))
        {
            Bytes::from_static(b"[]")
        } else {
            Bytes::from(self.0.lock().unwrap().clone())
        };
        Ok(http::Response::new(body))
    }
}

type Rows = Result<(Vec<Value>, Vec<String>), Error>;

async fn rows<T: DeserializeOwned + Serialize + Send + 'static>(pager: Pager<T>) -> Rows {
    let read = pager.collect().await?;
    let malformed = read
        .malformed
        .iter()
        .map(|row| format!("{row:?}"))
        .collect();
    Ok((
        read.rows
            .iter()
            .map(|row| serde_json::to_value(row).unwrap())
            .collect(),
        malformed,
    ))
}

async fn one<T: Serialize>(answer: impl Future<Output = Result<T, Error>>) -> Rows {
    Ok((
        vec![serde_json::to_value(answer.await?).unwrap()],
        Vec::new(),
    ))
}

/// Calls the method of an operation.
fn call<'a>(client: &'a Client, operation: &str) -> BoxFuture<'a, Rows> {
    let c = client;
    macro_rules! calls {
        ($($name:literal => $how:ident $group:ident.$method:ident($($argument:expr),*);)*) => {
            match operation {
                $($name => {
                    assert_eq!($name, concat!(stringify!($group), ".", stringify!($method)));
                    Box::pin(async move { $how(c.$group().$method($($argument),*)).await })
                })*
                other => panic!("no call for {other}"),
            }
        };
    }
    calls! {
        "activities.list" => rows activities.list(Default::default());
        "alerts.list" => rows alerts.list(Default::default());
        "backup.jobs" => rows backup.jobs(Default::default());
        "backup.integrity_check_jobs" => rows backup.integrity_check_jobs(Default::default());
        "contacts.list" => rows contacts.list();
        "contacts.get" => one contacts.get(1.into());
        "custom_fields.list" => rows custom_fields.list(Default::default());
        "custom_fields.get" => one custom_fields.get("name");
        "custom_fields.of_devices" => rows custom_fields.of_devices(Default::default());
        "devices.get" => one devices.get(1.into());
        "devices.activities" => rows devices.activities(1.into(), Default::default());
        "devices.alerts" => rows devices.alerts(1.into(), Default::default());
        "devices.custom_fields" => one devices.custom_fields(1.into(), Default::default());
        "devices.dashboard_url" => one devices.dashboard_url(1.into(), Default::default());
        "devices.disks" => rows devices.disks(1.into());
        "devices.jobs" => rows devices.jobs(1.into(), Default::default());
        "devices.last_logged_on_user" => one devices.last_logged_on_user(1.into());
        "devices.network_interfaces" => rows devices.network_interfaces(1.into());
        "devices.os_patch_installs" => rows devices.os_patch_installs(1.into(), Default::default());
        "devices.os_patches" => rows devices.os_patches(1.into(), Default::default());
        "devices.policy_overrides" => one devices.policy_overrides(1.into());
        "devices.processors" => rows devices.processors(1.into());
        "devices.software" => rows devices.software(1.into());
        "devices.software_patch_installs" => rows devices.software_patch_installs(1.into(), Default::default());
        "devices.software_patches" => rows devices.software_patches(1.into(), Default::default());
        "devices.volumes" => rows devices.volumes(1.into(), Default::default());
        "devices.windows_services" => rows devices.windows_services(1.into(), Default::default());
        "devices.list" => rows devices.list(Default::default());
        "devices.detailed" => rows devices.detailed(Default::default());
        "devices.search" => one devices.search(Default::default());
        "groups.list" => rows groups.list();
        "groups.device_ids" => rows groups.device_ids(1.into());
        "jobs.list" => rows jobs.list(Default::default());
        "locations.list" => rows locations.list(Default::default());
        "organizations.list" => rows organizations.list(Default::default());
        "organizations.detailed" => rows organizations.detailed(Default::default());
        "organizations.get" => one organizations.get(1.into());
        "organizations.custom_fields" => one organizations.custom_fields(1.into());
        "organizations.devices" => rows organizations.devices(1.into(), Default::default());
        "organizations.end_users" => rows organizations.end_users(1.into(), Default::default());
        "organizations.location_custom_fields" =>
            one organizations.location_custom_fields(1.into(), 2.into(), Default::default());
        "organizations.locations" => rows organizations.locations(1.into());
        "organizations.backup_usage" => rows organizations.backup_usage(1.into());
        "organizations.location_backup_usage" => one organizations.location_backup_usage(1.into(), 2.into());
        "policies.list" => rows policies.list();
        "queries.antivirus_status" => rows queries.antivirus_status(Default::default());
        "queries.antivirus_threats" => rows queries.antivirus_threats(Default::default());
        "queries.backup_usage" => rows queries.backup_usage(Default::default());
        "queries.computer_systems" => rows queries.computer_systems(Default::default());
        "queries.custom_fields" => rows queries.custom_fields(Default::default());
        "queries.custom_fields_detailed" => rows queries.custom_fields_detailed(Default::default());
        "queries.device_health" => rows queries.device_health(Default::default());
        "queries.disks" => rows queries.disks(Default::default());
        "queries.logged_on_users" => rows queries.logged_on_users(Default::default());
        "queries.network_interfaces" => rows queries.network_interfaces(Default::default());
        "queries.operating_systems" => rows queries.operating_systems(Default::default());
        "queries.os_patch_installs" => rows queries.os_patch_installs(Default::default());
        "queries.os_patches" => rows queries.os_patches(Default::default());
        "queries.policy_overrides" => rows queries.policy_overrides(Default::default());
        "queries.processors" => rows queries.processors(Default::default());
        "queries.raid_controllers" => rows queries.raid_controllers(Default::default());
        "queries.raid_drives" => rows queries.raid_drives(Default::default());
        "queries.scoped_custom_fields" => rows queries.scoped_custom_fields(Default::default());
        "queries.scoped_custom_fields_detailed" => rows queries.scoped_custom_fields_detailed(Default::default());
        "queries.software" => rows queries.software(Default::default());
        "queries.software_patch_installs" => rows queries.software_patch_installs(Default::default());
        "queries.software_patches" => rows queries.software_patches(Default::default());
        "queries.volumes" => rows queries.volumes(Default::default());
        "queries.windows_services" => rows queries.windows_services(Default::default());
        "roles.list" => rows roles.list();
        "roles.with_policies" => rows roles.with_policies(Default::default());
        "software.licenses" => rows software.licenses();
        "software.license" => one software.license(1.into());
        "software.license_assignments" => rows software.license_assignments(1.into());
        "software.products" => rows software.products();
        "tags.list" => one tags.list();
        "users.end_user" => one users.end_user(1.into());
        "users.end_user_custom_fields" => one users.end_user_custom_fields(1.into());
        "users.end_users" => rows users.end_users();
        "users.roles" => rows users.roles(Default::default());
        "users.technician" => one users.technician(1.into());
        "users.technicians" => rows users.technicians();
        "users.list" => rows users.list(Default::default());
        "vulnerabilities.scan_groups" => rows vulnerabilities.scan_groups();
        "vulnerabilities.scan_group" => one vulnerabilities.scan_group(1.into());
    }
}

/// Every instance of every endpoint's schema that `fill` makes is read and written back as it was.
async fn survives(
    fill: impl Fn(usize) -> Fill,
    count: impl Fn(&Facts, &Value) -> usize,
    beside: Option<(&str, Value)>,
) {
    let facts = facts();
    let transport = Arc::new(Scripted::default());
    let client = Client::builder(
        Region::Us,
        Credentials::client_credentials("document", "secret"),
    )
    .transport(transport.clone())
    .rate_limit(RateLimit::unlimited())
    .build()
    .unwrap();
    for endpoint in endpoints() {
        let document = facts
            .endpoints
            .iter()
            .find(|facts| facts.path == endpoint.path)
            .unwrap();
        let (under, kind) = row_kind(&facts, &document.answer);
        let mut made = Vec::new();
        for n in 0..count(&facts, kind) {
            let mut row = Maker {
                facts: &facts,
                fill: fill(n),
                next: i64::try_from(n).unwrap() * 10_000,
            }
            .value(kind, 0);
            if let (Some((key, value)), Value::Object(row)) = (&beside, &mut row)
                && kind != "any"
                && kind.get("map").is_none()
            {
                row.insert((*key).to_owned(), value.clone());
            }
            made.push(row);
        }
        // The activity log comes newest first.
        if under == Some("activities") {
            made.reverse();
        }
        // No page is full, or the walk would ask for another.
        let of = if under.is_some() { 400 } else { 1 };
        for page in made.chunks(of) {
            *transport.0.lock().unwrap() = serde_json::to_vec(&answer_of(page, under)).unwrap();
            let (read, malformed) =
                call(&client, endpoint.operation)
                    .await
                    .unwrap_or_else(|error| {
                        panic!(
                            "{} does not read {}: {error}",
                            endpoint.operation,
                            answer_of(page, under)
                        )
                    });
            assert!(
                malformed.is_empty(),
                "{}: {malformed:?}",
                endpoint.operation
            );
            assert_eq!(read.len(), page.len(), "{}", endpoint.operation);
            for (read, made) in read.iter().zip(page) {
                let mut made = made.clone();
                if let (Some((key, _)), Value::Object(made)) = (&beside, &mut made) {
                    made.remove(*key);
                }
                assert_eq!(plain(read), plain(&made), "{}", endpoint.operation);
            }
        }
    }
}

/// How many instances it takes to see every word and every variant below a kind.
fn words_below(facts: &Facts, kind: &Value, seen: &mut BTreeSet<String>) -> usize {
    let Some((key, below)) = kind.as_object().and_then(|kind| kind.iter().next()) else {
        return 1;
    };
    let name = below.as_str().unwrap_or_default();
    match key.as_str() {
        "enum" => facts.enums[name].len(),
        "schema" if seen.insert(name.to_owned()) => {
            let variants = facts.variants.get(name).map_or(&[][..], Vec::as_slice);
            let schemas = variants.iter().map(String::as_str).chain([name]);
            let most = schemas
                .flat_map(|schema| facts.schemas[schema].values())
                .map(|kind| words_below(facts, kind, seen))
                .max();
            // Variants are chosen by the same number as words: a word must meet the variant that has it.
            most.unwrap_or(1).max(1) * variants.len().max(1)
        }
        "schema" => 1,
        _ => words_below(facts, below, seen),
    }
}

#[tokio::test]
async fn every_field_and_every_word_of_the_document_survives() {
    survives(
        Fill::Full,
        |facts, kind| words_below(facts, kind, &mut BTreeSet::new()),
        None,
    )
    .await;
}

#[tokio::test]
async fn words_the_document_does_not_have_survive() {
    survives(|_| Fill::NewWords, |_, _| 2, None).await;
}

#[tokio::test]
async fn absent_and_null_fields_are_tolerated() {
    survives(|_| Fill::Bare, |_, _| 2, None).await;
    survives(|_| Fill::Nulls, |_, _| 2, None).await;
}

#[tokio::test]
async fn fields_the_document_does_not_have_are_tolerated() {
    for new in [
        json!("x"),
        json!(1.5),
        json!({"a": [1, {"b": null}]}),
        Value::Null,
    ] {
        survives(
            |_| Fill::Full(1),
            |_, _| 2,
            Some(("fieldOfALaterVersion", new)),
        )
        .await;
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Every word of the document has a name.

#[test]
fn every_word_of_every_enum_has_a_name() {
    macro_rules! known {
        ($($name:literal => $type:ty;)*) => {
            |name: &str, word: &str| match name {
                $($name => <$type>::from(word).is_known(),)*
                other => panic!("no type for {other}"),
            }
        };
    }
    let is_known = known! {
        "Activity.activityResult" => ActivityResult;
        "Activity.activityType" => ActivityType;
        "Activity.priority" => ActivityPriority;
        "Activity.severity" => ActivitySeverity;
        "Activity.statusCode" => ActivityStatus;
        "Alert.conditionHealthStatus" => HealthStatus;
        "Alert.sourceType" => SourceType;
        "AssigmentAutomationSettings.assignmentType" => LicenseAssignmentType;
        "AttributeContentAdvancedSettingsDateFiltersType" => DateFilterType;
        "AttributeContentAdvancedSettingsIdentifier.assignTo" => IdentifierAssignment;
        "AttributeContentAdvancedSettingsIdentifier.scope" => IdentifierScope;
        "AttributeContentAdvancedSettingsIdentifier.type" => IdentifierType;
        "AttributeContentAdvancedSettingsIpAddressType" => IpAddressType;
        "AttributeContentAdvancedSettingsMonetary.currency" => Currency;
        "AttributeEndUserOption" => EndUserPermission;
        "AttributeScope" => AttributeScope;
        "AttributeScriptPermission" => AccessPermission;
        "AttributeTechnicianPermission" => TechnicianPermission;
        "AttributeType" => CustomFieldType;
        "AttributeValueUpdatedByInfo.source" => CustomFieldWriter;
        "DefinitionScope" => DefinitionScope;
        "DeviceHealthSummary.avInstallStatus" => InstallStatus;
        "DeviceSearchGroups.operator" => AnyOrAll;
        "EntityType" => EntityType;
        "Job.jobStatus" => JobStatus;
        "Maintenance.status" => MaintenanceStatus;
        "NodeRole.chassisType" => ChassisType;
        "NodeRolePublicApiDTO.nodeClassGroup" => NodeClassGroup;
        "NodeWithDetailedReferences.approvalStatus" => ApprovalStatus;
        "NodeWithDetailedReferences.nodeClass" => NodeClass;
        "Organization.nodeApprovalMode" => NodeApprovalMode;
        "PublicScanGroup.status" => ScanGroupStatus;
        "SoftwareLicenseDTO.type" => LicenseType;
        "Term.renewalUnit" => RenewalUnit;
        "User.invitationStatus" => InvitationStatus;
        "User.userType" => UserType;
        "VolumeBitLockerStatus.conversionStatus" => ConversionStatus;
        "VolumeBitLockerStatus.encryptionMethod" => EncryptionMethod;
        "VolumeBitLockerStatus.lockStatus" => LockStatus;
        "VolumeBitLockerStatus.protectionStatus" => ProtectionStatus;
        "WindowsService.startType" => ServiceStartType;
        "WindowsService.state" => ServiceState;
    };
    let facts = facts();
    let mut words = 0;
    for (name, values) in &facts.enums {
        for word in values {
            assert!(is_known(name, word), "{name} lacks {word}");
            words += 1;
        }
        assert!(!is_known(name, "A_WORD_OF_A_LATER_VERSION"), "{name}");
    }
    assert!(words > 1100, "{words} words");
    // The kinds of device, which the document has as names of schemas.
    for kind in &facts.variants["Device"] {
        assert!(DeviceType::from(kind.as_str()).is_known(), "{kind}");
    }
}

#[test]
fn models_print_nothing_of_their_content() {
    let facts = facts();
    let kind = json!({"schema": "Device"});
    let made = Maker {
        facts: &facts,
        fill: Fill::Full(0),
        next: 0,
    }
    .value(&kind, 0);
    let device: Device = serde_json::from_value(made).unwrap();
    assert_eq!(format!("{device:?}"), "Device { .. }");
    assert_eq!(
        format!("{:?}", device.system.unwrap()),
        "ComputerSystem { .. }"
    );
}
