//! What asset sync sees of NinjaOne, over real HTTP.

use ninjaone_client::{BaseUrl, Lane, RateLimit};
use ninjaone_simulator::{Fault, Tenant, front};
use regentra_sync::{
    model::{CustomFieldName, DeviceId, DeviceList, OrganizationId},
    ninjaone::{Access, AccessGrant, DeviceListRequest, NinjaOne as _, NinjaOneApi, Standing},
    seal::{KeyId, Keyring, MasterKey},
};
use secrecy::SecretString;
use serde_json::{Value, json};
use time::{OffsetDateTime, macros::datetime};

const NOW: OffsetDateTime = datetime!(2026-11-23 06:30 UTC);

fn device(id: i64, organization: i64, approval: &str, hours_ago: i64) -> Value {
    json!({"id": id, "organizationId": organization, "nodeClass": "WINDOWS_WORKSTATION", "approvalStatus": approval,
        "systemName": format!("pc-{id}-{hours_ago}"), "lastContact": NOW.unix_timestamp() - hours_ago * 3600})
}

async fn listed(devices: &[Value], fields: &[Value], field: Option<&str>) -> DeviceList {
    let mut tenant = Tenant::builder(NOW)
        .organizations(&[
            json!({"id": 1, "name": "One"}),
            json!({"id": 2, "name": "Two"}),
        ])
        .devices(devices)
        .custom_fields(fields)
        .build();
    tenant.fault(Fault::FiltersIgnored);
    let (id, secret) = (
        SecretString::from(tenant.client_id()),
        SecretString::from(tenant.client_secret()),
    );
    let server = front::tcp::serve(tenant).await.unwrap();
    let keys = || MasterKey::generate().unwrap();
    let keyring = Keyring::new(KeyId::new("test").unwrap(), keys(), keys());
    let access = Access {
        base_url: BaseUrl::parse(&server.url()).unwrap(),
        fingerprint: keyring.fingerprint("test", &id),
        client_id: id,
        grant: AccessGrant::ClientCredentials {
            client_secret: secret,
        },
        lane: Lane::Interactive,
        standing: Standing::Tried {
            log_ins: keyring.fingerprint("log-ins", &SecretString::from("1")),
        },
    };
    let live = NinjaOneApi::new().rate_limit(RateLimit::unlimited());
    let field = field.map(|name| CustomFieldName::new(name).unwrap());
    let request = DeviceListRequest {
        organization: OrganizationId::new(1),
        ceiling: 100,
        entra_device_id_field: field.as_ref(),
    };
    live.devices(&access, request).await.unwrap()
}

#[tokio::test]
async fn a_device_listed_twice_is_one_asset_and_says_what_its_newest_row_says() {
    for order in [[0, 1], [1, 0]] {
        let rows = [device(1, 1, "APPROVED", 0), device(1, 1, "APPROVED", 9)];
        let devices = order.map(|row: usize| rows.get(row).unwrap().clone());
        let list = listed(&devices, &[], None).await;
        let names: Vec<_> = list
            .devices
            .iter()
            .map(|device| device.content.name.as_str())
            .collect();
        assert_eq!(names, ["pc-1-0"]);
    }
}

#[tokio::test]
async fn only_approved_devices_of_the_organization_are_listed_and_foreign_ones_counted() {
    let devices = [
        device(1, 1, "APPROVED", 0),
        device(2, 1, "PENDING", 0),
        device(3, 2, "APPROVED", 0),
    ];
    let list = listed(&devices, &[], None).await;
    let ids: Vec<_> = list.devices.iter().map(|device| device.id).collect();
    assert_eq!(
        (ids.as_slice(), list.foreign_rows),
        ([DeviceId::new(1)].as_slice(), 1)
    );
    assert!(list.is_complete());
}

#[tokio::test]
async fn the_entra_device_id_is_read_from_the_custom_field_that_the_host_names() {
    let devices = [device(1, 1, "APPROVED", 0), device(2, 1, "APPROVED", 0)];
    let fields = [
        json!({"deviceId": 1, "fields": {"entraId": " 11111111-2222-4333-8444-555555555555 "}}),
        json!({"deviceId": 2, "fields": {"entraId": ""}}),
    ];
    let entra = |list: DeviceList| -> Vec<Option<String>> {
        let ids = list
            .devices
            .into_iter()
            .map(|device| device.content.entra_device_id);
        ids.map(|id| id.map(|id| id.as_str().to_owned())).collect()
    };
    let named = listed(&devices, &fields, Some("entraId")).await;
    assert_eq!(
        entra(named),
        [
            Some("11111111-2222-4333-8444-555555555555".to_owned()),
            None
        ]
    );
    let not_named = listed(&devices, &fields, None).await;
    assert_eq!(entra(not_named), [None, None]);
}

#[tokio::test]
async fn an_entra_device_id_that_cannot_be_read_is_not_taken_for_none() {
    let devices = [device(1, 1, "APPROVED", 0), device(2, 1, "APPROVED", 0)];
    let id = "11111111-2222-4333-8444-555555555555";
    let wrapped = json!({"deviceId": 1, "fields": {"entraId": {"value": id}}});
    let list = listed(&devices, std::slice::from_ref(&wrapped), Some("entraId")).await;
    let read = list.devices[0].content.entra_device_id.as_ref().unwrap();
    assert_eq!(read.as_str(), id, "some answers wrap the value");
    assert!(!list.entra_device_ids_unsure && list.is_complete());

    let malformed = json!({"deviceId": "not a number", "fields": {"entraId": id}});
    let list = listed(&devices, &[wrapped, malformed], Some("entraId")).await;
    assert!(list.entra_device_ids_unsure && !list.is_complete());
    assert_eq!((list.devices.len(), list.malformed_rows), (2, 1));
}
