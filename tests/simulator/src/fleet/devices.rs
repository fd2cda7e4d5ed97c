//! Device rows, after `samples/real/devices-detailed.windows_server.json` and the vendor's schema of each `deviceType`.

use serde_json::{Map, Value, json};

use super::{Present, Rows, UNHEARD_OF, machine::Machine};

/// The fields that `devices` shows of `devices-detailed`.
const SUMMARY: [&str; 23] = [
    "id",
    "uid",
    "assignedOwnerUid",
    "parentDeviceId",
    "organizationId",
    "locationId",
    "nodeClass",
    "nodeRoleId",
    "rolePolicyId",
    "policyId",
    "approvalStatus",
    "offline",
    "displayName",
    "systemName",
    "dnsName",
    "netbiosName",
    "created",
    "lastContact",
    "lastUpdate",
    "userData",
    "tags",
    "maintenance",
    UNHEARD_OF,
];

/// The row of the list of a detailed row; one that is no object stays what it is.
pub(crate) fn summary(row: &Value) -> Value {
    match row.as_object() {
        Some(fields) => {
            let known = fields
                .iter()
                .filter(|(key, _)| SUMMARY.contains(&key.as_str()));
            Value::Object(
                known
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect(),
            )
        }
        None => row.clone(),
    }
}

/// Adds the device.
pub(super) fn add(rows: &mut Rows, machine: &Machine, now: Present) {
    rows.device(&row(machine, now));
}

/// The device as `devices-detailed` shows it.
pub(super) fn row(machine: &Machine, now: Present) -> Value {
    let mut dice = machine.dice(1);
    let dns = format!(
        "{}.{}.example.com",
        machine.name,
        machine.domain.to_lowercase()
    );
    let mut fields = object(json!({
        "id": machine.id, "uid": dice.uuid(), "organizationId": machine.organization, "locationId": machine.location,
        "nodeClass": machine.class, "nodeRoleId": role_id(machine), "rolePolicyId": 57, "approvalStatus": machine.approval,
        "systemName": machine.name, "dnsName": dns, "created": machine.created, "lastContact": machine.last_contact,
        "lastUpdate": machine.last_contact, "tags": [],
    }));
    let mut put = |key: &str, value: Value| drop(fields.insert(key.to_owned(), value));
    if let Some(offline) = machine.offline {
        put("offline", json!(offline));
    }
    // Most rows have no display name; some say so in words, some have one.
    match machine.place % 6 {
        1 => put("displayName", Value::Null),
        2 => put(
            "displayName",
            json!(format!("{} (reception)", machine.name)),
        ),
        3 => put("policyId", Value::Null),
        4 => put("policyId", json!(243)),
        _ => {}
    }
    if machine.every(7, 5) {
        put(UNHEARD_OF, json!({ "since": "13.1" }));
    }
    if machine.every(23, 11) {
        put(
            "maintenance",
            json!({ "status": "PENDING", "start": now.ago(-3_600.0), "end": now.ago(-7_200.0) }),
        );
    }
    let own = if machine.is_computer() {
        computer(machine)
    } else {
        apparatus(machine)
    };
    fields.extend(own);
    Value::Object(fields)
}

fn computer(machine: &Machine) -> Map<String, Value> {
    let mut dice = machine.dice(2);
    let (third, fourth) = (dice.below(250), 1 + dice.below(250));
    let mac = |dice: &mut crate::seed::Dice| {
        let pairs: Vec<String> = (0..3).map(|_| dice.hex(2).to_uppercase()).collect();
        format!("00:15:5D:{}", pairs.join(":"))
    };
    let (first_mac, second_mac) = (mac(&mut dice), mac(&mut dice).to_lowercase());
    let memory = 8_589_934_592_u64 * u64::from(1 + dice.below(8));
    let serial = match machine.place % 17 {
        // Junk that many boards report: nothing may be matched by it.
        16 => "To Be Filled By O.E.M.".to_owned(),
        _ => dice.hex(10).to_uppercase(),
    };
    let (manufacturer, system, build, release) = system(machine);
    let (maker, model, processor) = if machine.is_mac() {
        ("Apple Inc.", "MacBookPro18,3", "Apple M1 Pro")
    } else {
        dice.pick([
            (
                "Dell Inc.",
                "Latitude 5540",
                "13th Gen Intel(R) Core(TM) i7-1365U",
            ),
            (
                "LENOVO",
                "21HDCTO1WW",
                "13th Gen Intel(R) Core(TM) i5-1345U",
            ),
            (
                "Microsoft Corporation",
                "Virtual Machine",
                "Intel(R) Xeon(R) Gold 6258R CPU @ 2.70GHz",
            ),
            ("HP", "HP EliteBook 840 G10", "AMD Ryzen 7 PRO 7840U"),
        ])
    };
    let clock = 2_694_000_000_u64;
    let domain_role = if machine.is_server() {
        "Member Server"
    } else {
        "Member Workstation"
    };
    object(json!({
        "ipAddresses": [
            format!("10.10.{third}.{fourth}"), format!("fe80::215:5dff:fe{third:02x}:{fourth:02x}"),
            format!("2001:db8:{third:x}::{fourth:x}"),
        ],
        "macAddresses": [first_mac, second_mac],
        "netbiosName": machine.name.chars().take(15).collect::<String>(),
        "notes": [{ "text": format!("Handed over to {} on {}; keep the charger", machine.domain, machine.location) }],
        "publicIP": format!("203.0.113.{fourth}"),
        "os": {
            "manufacturer": manufacturer, "name": system, "architecture": "64-bit",
            "lastBootTime": machine.collected.floor() - 172_800.0, "buildNumber": build, "releaseId": release,
            "servicePackMajorVersion": 0, "servicePackMinorVersion": 0, "locale": "en-GB", "language": "English",
            "needsReboot": machine.every(8, 3),
        },
        "system": {
            "name": machine.name, "manufacturer": maker, "model": model, "biosSerialNumber": serial, "serialNumber": serial,
            "assetSerialNumber": format!("ASSET-{}", machine.id),
            "domain": machine.domain, "domainRole": domain_role, "numberOfProcessors": 1, "totalPhysicalMemory": memory,
            "virtualMachine": model == "Virtual Machine", "chassisType": if machine.is_server() { "DESKTOP" } else { "LAPTOP" },
        },
        "memory": { "capacity": memory },
        "processors": [{
            "architecture": "x64", "maxClockSpeed": clock, "clockSpeed": clock, "name": processor, "numCores": 7,
            "numLogicalCores": 14,
        }],
        "volumes": super::volumes::of_detail(machine),
        "lastLoggedInUser": format!("{}\\{}", machine.domain, dice.pick(["auser", "jdoe", "m.smith", "reception", "k.lake"])),
        "deviceType": "AgentDevice",
    }))
}

fn system(machine: &Machine) -> (&'static str, &'static str, &'static str, &'static str) {
    if machine.is_mac() {
        ("Apple", "macOS 15.1 Sequoia", "24B83", "15.1")
    } else if machine.is_linux() {
        (
            "Canonical",
            "Ubuntu 24.04.1 LTS",
            "6.8.0-48-generic",
            "24.04",
        )
    } else if machine.is_server() {
        (
            "Microsoft Corporation",
            "Windows Server 2022 Standard Edition",
            "20348",
            "21H2",
        )
    } else {
        (
            "Microsoft Corporation",
            "Windows 11 Professional Edition",
            "22631",
            "23H2",
        )
    }
}

/// Everything that is no computer with an agent.
fn apparatus(machine: &Machine) -> Map<String, Value> {
    let mut dice = machine.dice(3);
    let address = format!("10.20.{}.{}", dice.below(250), 1 + dice.below(250));
    match machine.class {
        "VMWARE_VM_HOST" => object(json!({
            "ipAddresses": [address], "deviceType": "VMHost", "cpuMhz": 2_600, "cpuModel": "Intel(R) Xeon(R) Silver 4314",
            "htActive": true, "htAvailable": true, "lastBootTime": machine.collected.floor() - 9_000_000.0,
            "memorySize": 274_877_906_944_u64, "model": "PowerEdge R650", "name": machine.name, "cpuCores": 32, "cpuPackages": 2,
            "cpuThreads": 64, "serviceTag": dice.hex(7).to_uppercase(), "vendor": "Dell Inc.", "releaseName": "VMware ESXi",
            "version": "8.0.3", "buildNumber": "24280767",
        })),
        "APPLE_IOS" => object(json!({
            "deviceType": "MdmDevice",
            "system": {
                "name": machine.name, "displayName": "iPhone", "manufacturer": "Apple", "model": "iPhone 15",
                "serialNumber": dice.hex(10).to_uppercase(), "build": "22B83",
            },
            "memory": { "capacity": 6_442_450_944_u64 },
        })),
        "CLOUD_MONITOR_TARGET" => object(json!({
            "deviceType": "CloudMonitorHTTP", "enabled": true, "interval": 300, "timeout": 30, "target": "https://shop.example.com",
        })),
        "UNMANAGED_DEVICE" => object(json!({ "deviceType": "UnmanagedDevice" })),
        _ => object(json!({
            "ipAddresses": [address], "macAddresses": [format!("9C:8E:CD:{0}:{0}:01", dice.hex(2).to_uppercase())],
            "deviceType": "NMSTarget",
        })),
    }
}

pub(super) fn role_id(machine: &Machine) -> i64 {
    match machine.class {
        "WINDOWS_WORKSTATION" => 201,
        "WINDOWS_SERVER" => 1002,
        "MAC" => 205,
        class if class.starts_with("NMS") => 301,
        _ => 401,
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
