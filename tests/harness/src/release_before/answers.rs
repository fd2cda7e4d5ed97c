//! The NinjaOne tenants of the story: a few rows of every report, by phase. What changes between phases is said once, here.

use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use regentra_sync::ninjaone_client::{Transport, TransportError};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use url::Url;

/// How a tenant looks at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Nothing fails but one customer's encryption.
    #[default]
    Begun,
    /// An antivirus is off, signatures are out of date, patches are missing.
    Failing,
    /// The antivirus is on again. Devices and an organization are gone.
    Recovering,
    /// The patches are installed too. More devices are gone.
    Recovered,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    now: OffsetDateTime,
    refuses: Option<&'static str>,
    refresh_tokens: u32,
    token_requests: Vec<Vec<(String, String)>>,
}

/// What NinjaOne answers. Clones are one tenant.
#[derive(Clone, Debug)]
pub struct Answers(Arc<Mutex<State>>);

impl Answers {
    pub fn at(now: OffsetDateTime) -> Self {
        Self(Arc::new(Mutex::new(State {
            phase: Phase::Begun,
            now,
            refuses: None,
            refresh_tokens: 0,
            token_requests: Vec::new(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Sets the time of its rows and how it looks.
    pub fn set(&self, now: OffsetDateTime, phase: Phase) {
        let mut state = self.state();
        (state.now, state.phase) = (now, phase);
    }

    /// The host that lets nobody read anything.
    pub fn set_refusing(&self, host: Option<&'static str>) {
        self.state().refuses = host;
    }

    /// How many refresh tokens it gave out: only the last is good.
    pub fn refresh_tokens(&self) -> u32 {
        self.state().refresh_tokens
    }

    pub fn set_refresh_tokens(&self, given: u32) {
        self.state().refresh_tokens = given;
    }

    /// The fields of every request for a token.
    pub fn token_requests(&self) -> Vec<Vec<(String, String)>> {
        self.state().token_requests.clone()
    }

    fn token(&self, body: &[u8]) -> Option<Value> {
        let fields: Vec<(String, String)> =
            url::form_urlencoded::parse(body).into_owned().collect();
        let field = |name: &str| {
            let field = fields.iter().find(|(field, _)| field == name);
            field.map(|(_, value)| value.as_str())
        };
        let mut state = self.state();
        let is_good = match field("grant_type") {
            Some("client_credentials") => true,
            Some("refresh_token") => {
                field("refresh_token") == Some(&refresh_token(state.refresh_tokens))
            }
            Some("authorization_code") => field("code") == Some(CODE),
            _ => false,
        };
        let is_client = field("grant_type") == Some("client_credentials");
        state.token_requests.push(fields);
        if !is_good {
            return None;
        }
        let mut token = json!({"access_token": "access-token", "expires_in": 3600, "token_type": "Bearer",
            "scope": "monitoring offline_access"});
        if !is_client {
            state.refresh_tokens += 1;
            token["refresh_token"] = refresh_token(state.refresh_tokens).into();
        }
        Some(token)
    }
}

/// The code of every administrator who says yes.
pub const CODE: &str = "code";

fn refresh_token(number: u32) -> String {
    format!("refresh-token-{number}")
}

#[async_trait]
impl Transport for Answers {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let url = Url::parse(&request.uri().to_string()).unwrap();
        let (status, body) = if url.path() == "/ws/oauth/token" {
            match self.token(request.body()) {
                Some(token) => (StatusCode::OK, token),
                None => (StatusCode::BAD_REQUEST, json!({"error": "invalid_grant"})),
            }
        } else {
            let state = self.state();
            let host = url.host_str().unwrap().to_owned();
            let of_fabrikam = parameter(&url, "df").is_some_and(|filter| filter == "org = 2");
            // A module that is not licensed for a while.
            let is_closed = state.phase == Phase::Recovering
                && of_fabrikam
                && url.path() == "/v2/queries/software-patches";
            let tenant = Tenant {
                phase: state.phase,
                now: state.now,
                host,
            };
            if state.refuses == Some(tenant.host.as_str()) || is_closed {
                (
                    StatusCode::FORBIDDEN,
                    json!({"resultCode": "FAILURE", "errorMessage": "no permission"}),
                )
            } else {
                (StatusCode::OK, tenant.answer(&url))
            }
        };
        let response = Response::builder().status(status);
        let response = response.header("content-type", "application/json");
        Ok(response.body(Bytes::from(body.to_string())).unwrap())
    }
}

/// One of them, as it looks now.
struct Tenant {
    host: String,
    phase: Phase,
    now: OffsetDateTime,
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    let mut all = url.query_pairs();
    let found = all.find(|(parameter, _)| parameter == name);
    found.map(|(_, value)| value.into_owned())
}

impl Tenant {
    fn answer(&self, url: &Url) -> Value {
        let of = parameter(url, "df")
            .and_then(|filter| filter.strip_prefix("org = ")?.parse::<i64>().ok());
        let devices: Vec<Device> = self
            .devices()
            .into_iter()
            .filter(|device| of.is_none_or(|of| of == device.organization))
            .collect();
        let rows = |row: fn(&Self, &Device) -> Vec<Value>| -> Vec<Value> {
            devices
                .iter()
                .flat_map(|device| row(self, device))
                .collect()
        };
        let report = |rows: Vec<Value>| json!({ "results": rows });
        let after = |rows: Vec<Value>| -> Value {
            let after = parameter(url, "after").and_then(|after| after.parse::<i64>().ok());
            let later = rows
                .into_iter()
                .filter(|row| after.is_none() || row["id"].as_i64() > after)
                .collect();
            Value::Array(later)
        };
        match url.path() {
            "/v2/organizations" => after(self.organizations()),
            "/v2/devices-detailed" | "/v2/devices" => after(rows(Self::device)),
            "/v2/users" => {
                json!([{"id": 1, "enabled": true, "userType": "TECHNICIAN", "administrator": true}])
            }
            "/v2/queries/volumes" => report(rows(Self::volumes)),
            "/v2/queries/antivirus-status" => report(rows(Self::antivirus)),
            "/v2/queries/os-patches" => report(rows(Self::patches)),
            "/v2/queries/software-patches" => report(Vec::new()),
            "/v2/queries/os-patch-installs" => report(rows(Self::installs)),
            "/v2/queries/software-patch-installs" => report(rows(Self::software_installs)),
            // An answer that nobody understands.
            "/v2/activities" if of == Some(1) && self.phase == Phase::Failing => json!("no object"),
            "/v2/activities" => {
                let before = parameter(url, "olderThan").and_then(|id| id.parse::<i64>().ok());
                let mut rows = rows(Self::activities);
                rows.retain(|row| before.is_none_or(|before| row["id"].as_i64() < Some(before)));
                rows.reverse();
                json!({"lastActivityId": rows.last().map(|row| row["id"].clone()), "activities": rows})
            }
            other => panic!("the story has no answer to {other}"),
        }
    }

    fn organizations(&self) -> Vec<Value> {
        let all: &[(i64, &str)] = match self.host.as_str() {
            "app.ninjarmm.com" => &[
                (1, "Contoso"),
                (2, "Fabrikam"),
                (3, "Tailspin"),
                (4, "Wingtip"),
                (5, "Contoso Labs"),
                (6, "Northwind"),
                (7, "Gone Later"),
            ],
            _ => &[(8, "Litware")],
        };
        let is_there = |id: i64| id != 7 || self.phase < Phase::Recovering;
        let there = all.iter().filter(|(id, _)| is_there(*id));
        let mut rows: Vec<_> = there
            .map(|(id, name)| json!({"id": id, "name": name, "nodeApprovalMode": "AUTOMATIC"}))
            .collect();
        if self.host == "oc.ninjarmm.com" {
            rows.push(json!({"name": "Without an id"}));
        }
        rows
    }

    /// Epoch seconds, so many hours ago.
    fn hours_ago(&self, hours: i64) -> i64 {
        (self.now - Duration::hours(hours)).unix_timestamp()
    }

    fn devices(&self) -> Vec<Device> {
        let is_gone = |id: i64| {
            (self.phase >= Phase::Recovering && matches!(id, 22 | 52..=56))
                || (self.phase >= Phase::Recovered && matches!(id, 64..=68))
        };
        let all = [
            (11, 1, "WINDOWS_WORKSTATION", "SERIES-11"),
            (12, 1, "WINDOWS_WORKSTATION", "SERIES-12"),
            (13, 1, "WINDOWS_SERVER", "SERIES-13"),
            (14, 1, "MAC", "SERIES-14"),
            (15, 1, "NMS_SWITCH", "SERIES-15"),
            (16, 1, "WINDOWS_WORKSTATION", "SERIES-16"),
            (21, 2, "WINDOWS_WORKSTATION", "SERIES-21"),
            (22, 2, "WINDOWS_WORKSTATION", "SERIES-22"),
            (51, 5, "WINDOWS_WORKSTATION", "SERIES-51"),
            (52, 5, "WINDOWS_WORKSTATION", "SERIES-52"),
            (53, 5, "WINDOWS_WORKSTATION", "SERIES-53"),
            (54, 5, "WINDOWS_WORKSTATION", "SERIES-54"),
            (55, 5, "WINDOWS_WORKSTATION", "SERIES-55"),
            (56, 5, "WINDOWS_WORKSTATION", "SERIES-56"),
            (61, 6, "WINDOWS_WORKSTATION", "SERIES-61"),
            // One machine: its older record was never seen after the newer one appeared.
            (62, 6, "WINDOWS_WORKSTATION", "RE-IMAGED"),
            (63, 6, "WINDOWS_WORKSTATION", "RE-IMAGED"),
            (64, 6, "WINDOWS_WORKSTATION", "SERIES-64"),
            (65, 6, "WINDOWS_WORKSTATION", "SERIES-65"),
            (66, 6, "WINDOWS_WORKSTATION", "SERIES-66"),
            (67, 6, "WINDOWS_WORKSTATION", "SERIES-67"),
            (68, 6, "WINDOWS_WORKSTATION", "SERIES-68"),
            (81, 8, "WINDOWS_SERVER", "SERIES-81"),
        ];
        let all = all
            .into_iter()
            .map(|(id, organization, class, serial)| Device {
                id,
                organization,
                class,
                serial,
            });
        all.filter(|device| !is_gone(device.id)).collect()
    }

    fn device(&self, device: &Device) -> Vec<Value> {
        let (seen, created) = match device.id {
            16 => (40 * 24, 400 * 24),
            62 => (20 * 24, 400 * 24),
            63 => (1, 10 * 24),
            _ => (1, 400 * 24),
        };
        let row = json!({"id": device.id, "organizationId": device.organization, "locationId": 1,
            "nodeClass": device.class, "approvalStatus": "APPROVED", "offline": seen > 24,
            "systemName": format!("PC-{}", device.id), "dnsName": format!("pc-{}.example", device.id),
            "created": self.hours_ago(created), "lastContact": self.hours_ago(seen),
            "os": {"name": "An operating system"},
            "system": {"name": format!("PC-{}", device.id), "manufacturer": "A manufacturer",
                "model": "A model", "serialNumber": device.serial}});
        vec![row]
    }

    fn volumes(&self, device: &Device) -> Vec<Value> {
        let (conversion, protection) = match device.id {
            21 => ("FULLY_DECRYPTED", "UNPROTECTED"),
            _ => ("FULLY_ENCRYPTED", "PROTECTED"),
        };
        let mut row = json!({"deviceId": device.id, "name": "C:", "driveLetter": "C:", "label": "",
            "deviceType": "Local Disk", "capacity": 512_000_000_000_i64, "serialNumber": "3EEA25BE",
            "timestamp": self.hours_ago(2),
            "bitLockerStatus": {"conversionStatus": conversion, "protectionStatus": protection}});
        if !device.is_windows() {
            row["bitLockerStatus"] = Value::Null;
        }
        if device.is_computer() {
            vec![row]
        } else {
            Vec::new()
        }
    }

    fn antivirus(&self, device: &Device) -> Vec<Value> {
        if !device.is_computer() {
            return Vec::new();
        }
        let state = if device.id == 12 && self.phase == Phase::Failing {
            "OFF"
        } else {
            "ON"
        };
        let definitions = if device.id == 13 && self.phase >= Phase::Failing {
            "Out-of-Date"
        } else {
            "Up-to-Date"
        };
        let product = if device.id == 13 {
            "SentinelOne"
        } else {
            "Windows Defender"
        };
        vec![
            json!({"deviceId": device.id, "productName": product, "productState": state,
            "definitionStatus": definitions, "timestamp": self.hours_ago(1)}),
        ]
    }

    fn patches(&self, device: &Device) -> Vec<Value> {
        let missing = match (device.id, self.phase) {
            (11, Phase::Failing | Phase::Recovering) => 6,
            (14, phase) if phase < Phase::Recovered => 1,
            _ => 0,
        };
        (0..missing)
            .map(|number| {
                json!({"deviceId": device.id, "id": format!("00000000-0000-4000-8000-00000000000{number}"),
                    "name": "A patch", "status": "MANUAL", "severity": "CRITICAL",
                    "type": "SECURITY_UPDATES", "timestamp": self.hours_ago(3)})
            })
            .collect()
    }

    fn installs(&self, device: &Device) -> Vec<Value> {
        self.installed(device, "00000000-0000-4000-8000-000000000009")
    }

    fn software_installs(&self, device: &Device) -> Vec<Value> {
        self.installed(device, "00000000-0000-4000-8000-000000000008")
    }

    fn installed(&self, device: &Device, patch: &str) -> Vec<Value> {
        if !device.is_computer() {
            return Vec::new();
        }
        vec![
            json!({"deviceId": device.id, "id": patch, "name": "A patch", "status": "INSTALLED", "severity": "LOW",
            "impact": "optional", "type": "PATCH", "installedAt": self.hours_ago(72), "timestamp": self.hours_ago(72)}),
        ]
    }

    fn activities(&self, device: &Device) -> Vec<Value> {
        let codes: &[&str] = match device.id {
            11 => &["NINJA_BACKUP_BACKUPJOB_COMPLETED_WITH_WARNING"],
            13 | 81 => &[
                "NINJA_BACKUP_BACKUPJOB_COMPLETED",
                "NINJA_BACKUP_INTEGRITY_CHECK_COMPLETED",
            ],
            21 => &["NINJA_BACKUP_BACKUPJOB_FAILED"],
            _ => &[],
        };
        (0..)
            .zip(codes)
            .map(|(number, code)| {
                json!({"id": device.id * 10 + number, "deviceId": device.id, "statusCode": code,
                    "activityTime": self.hours_ago(20)})
            })
            .collect()
    }
}

struct Device {
    id: i64,
    organization: i64,
    class: &'static str,
    serial: &'static str,
}

impl Device {
    fn is_windows(&self) -> bool {
        self.class.starts_with("WINDOWS")
    }

    fn is_computer(&self) -> bool {
        self.is_windows() || self.class == "MAC"
    }
}
