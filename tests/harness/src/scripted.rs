//! A NinjaOne that says what a test tells it to.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use regentra_sync::{
    Error, ErrorKind, Result,
    model::{
        AssetContent, ComplianceOrgId, DeviceId, DeviceList, LastContact, ListedDevice,
        ListedOrganization, OrganizationId, OrganizationList, Report, ReportOutcome, SweepCounts,
        TenantView,
    },
    ninjaone::{
        Access, AccessGrant, Assessment, AssessmentRequest, DeviceListRequest, DeviceLists,
        DeviceListsRequest, GroupAssessment, GroupRequest, NinjaOne, Redeemed, Redemption, Verdict,
    },
    ninjaone_client::{BaseUrl, ErrorKind as Vendor, Lane, RefreshToken},
    regentra_evidence::{SignalKind, Status},
    store::conformance::world,
};
use secrecy::{ExposeSecret as _, SecretString};

/// A report that took too long.
pub const TIMED_OUT: ReportOutcome = ReportOutcome::Failed(ErrorKind::Ninjaone(Vendor::Timeout));

/// What happens while NinjaOne is asked: a disconnect, another worker, another decision.
pub type Meanwhile = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

#[derive(Default)]
pub struct Script {
    pub organizations: BTreeMap<i64, String>,
    pub organizations_truncated: bool,
    pub organizations_malformed: u64,
    pub devices: BTreeMap<i64, Vec<ListedDevice>>,
    pub devices_truncated: bool,
    pub malformed_rows: u64,
    pub foreign_rows: u64,
    /// Verdicts other than `pass`, for every organization.
    pub verdicts: BTreeMap<SignalKind, Status>,
    /// Verdicts of one organization, before those for all.
    pub verdicts_of: BTreeMap<(i64, SignalKind), Status>,
    pub incomplete: bool,
    /// The customer that assessments are of, where it is not the one that was asked for.
    pub assessed: Option<ComplianceOrgId>,
    pub reports: BTreeMap<Report, ReportOutcome>,
    pub signatures: BTreeMap<i64, bool>,
    /// The devices of every organization, where the list of them was whole.
    pub listed: Option<BTreeSet<i64>>,
    /// The only host and client that are known; everything else is a wrong region or client.
    pub only: Option<(&'static str, &'static str)>,
    pub fails: Option<Vendor>,
    pub fails_for: BTreeMap<i64, Vendor>,
    /// What was asked: operation, organization, secret, lane.
    pub asked: Vec<(&'static str, Option<i64>, String, Lane)>,
    /// The fields that were asked for, by operation and organization, in the order of asking.
    pub fields_asked: Vec<(&'static str, i64, Vec<String>)>,
    pub orphan_rows: u64,
    pub unlisted_devices: BTreeMap<i64, u64>,
    pub signature_ages: BTreeMap<i64, Option<time::OffsetDateTime>>,
    pub meanwhile: Option<Meanwhile>,
    pub while_redeeming: Option<Meanwhile>,
    /// What the user who grants a code sees.
    pub view: TenantView,
    /// What becomes of every code.
    pub fails_codes: Option<Vendor>,
    /// How often a refresh token was issued: only the newest is good, and every use of it brings another.
    pub refresh_tokens: u32,
}

impl Script {
    fn next_refresh_token(&mut self) -> RefreshToken {
        self.refresh_tokens += 1;
        self.refresh_token()
    }

    fn refresh_token(&self) -> RefreshToken {
        RefreshToken::new(format!("refresh token {}", self.refresh_tokens))
    }
}

fn authorize_again() -> Error {
    let kind = ErrorKind::Ninjaone(Vendor::AuthorizeAgain);
    Error::new(kind, "NinjaOne does not take it")
}

#[derive(Clone, Default)]
pub struct Scripted(Arc<Mutex<Script>>);

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

impl Scripted {
    pub fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap()
    }

    async fn begin(
        &self,
        what: &'static str,
        organization: Option<OrganizationId>,
        access: &Access,
    ) -> Result<()> {
        let organization = organization.map(OrganizationId::get);
        let (meanwhile, failure) = {
            let mut script = self.script();
            let secret = access.client_secret().map(SecretString::expose_secret);
            let secret = secret.unwrap_or_default().to_owned();
            script.asked.push((what, organization, secret, access.lane));
            let is_known = script.only.is_none_or(|(host, client)| {
                access.base_url.host() == host && access.client_id.expose_secret() == client
            });
            let of_organization = organization.and_then(|id| script.fails_for.get(&id).copied());
            let failure = script
                .fails
                .or(of_organization)
                .or((!is_known).then_some(Vendor::WrongRegionOrClient));
            // What happens meanwhile happens while an organization is pulled.
            (organization.and_then(|_| script.meanwhile.take()), failure)
        };
        // A real request suspends.
        tokio::task::yield_now().await;
        if let Some(meanwhile) = meanwhile {
            meanwhile().await;
        }
        if let Some(kind) = failure {
            let passes = matches!(kind, Vendor::Timeout | Vendor::Server | Vendor::Connect);
            let error = Error::new(ErrorKind::Ninjaone(kind), "NinjaOne fails by the script");
            return Err(error.retryable(passes));
        }
        self.refresh(&access.grant).await
    }

    /// Every request of an authorized connection uses its refresh token, and stores the next one.
    async fn refresh(&self, grant: &AccessGrant) -> Result<()> {
        let AccessGrant::AuthorizationCode { tokens, .. } = grant else {
            return Ok(());
        };
        let of_store = |error| {
            Error::new(
                ErrorKind::Ninjaone(Vendor::TokenStore),
                format!("{error:?}"),
            )
        };
        let spent = tokens.load().await.map_err(of_store)?;
        let spent = spent.ok_or_else(authorize_again)?;
        let next = {
            let mut script = self.script();
            if spent.expose_secret() != script.refresh_token().expose_secret() {
                return Err(authorize_again());
            }
            script.next_refresh_token()
        };
        tokens.store(Some(&spent), &next).await.map_err(of_store)
    }
}

#[async_trait]
impl NinjaOne for Scripted {
    async fn authenticate(&self, access: &Access) -> Result<()> {
        self.begin("authenticate", None, access).await
    }

    async fn redeem(&self, redemption: Redemption) -> Result<Redeemed> {
        tokio::task::yield_now().await;
        let meanwhile = self.script().while_redeeming.take();
        if let Some(meanwhile) = meanwhile {
            meanwhile().await;
        }
        let secret = redemption.client_secret;
        let secret = secret.map(|secret| secret.expose_secret().to_owned());
        let mut script = self.script();
        let asked = (
            "redeem",
            None,
            secret.unwrap_or_default(),
            Lane::Interactive,
        );
        script.asked.push(asked);
        if let Some(kind) = script.fails_codes {
            let kind = ErrorKind::Ninjaone(kind);
            return Err(Error::new(kind, "NinjaOne does not take the code"));
        }
        let view = script.view;
        let token = script.next_refresh_token();
        Ok(Redeemed { token, view })
    }

    async fn organizations(&self, access: &Access, ceiling: usize) -> Result<OrganizationList> {
        self.begin("organizations", None, access).await?;
        let script = self.script();
        let all = script
            .organizations
            .iter()
            .map(|(id, name)| ListedOrganization {
                id: OrganizationId::new(*id),
                name: name.as_str().into(),
            });
        Ok(OrganizationList {
            organizations: all.take(ceiling).collect(),
            truncated: script.organizations_truncated || script.organizations.len() > ceiling,
            malformed_rows: script.organizations_malformed,
            requests: 1,
        })
    }

    async fn devices(&self, access: &Access, request: DeviceListRequest<'_>) -> Result<DeviceList> {
        let DeviceListRequest {
            organization,
            ceiling,
            ..
        } = request;
        self.begin("devices", Some(organization), access).await?;
        let mut script = self.script();
        let field = request.entra_device_id_field;
        let fields = field.iter().map(ToString::to_string).collect();
        script
            .fields_asked
            .push(("devices", organization.get(), fields));
        let all = script
            .devices
            .get(&organization.get())
            .cloned()
            .unwrap_or_default();
        Ok(DeviceList {
            truncated: script.devices_truncated || all.len() > ceiling,
            devices: all.into_iter().take(ceiling).collect(),
            foreign_rows: script.foreign_rows,
            malformed_rows: script.malformed_rows,
            entra_device_ids_unsure: false,
            requests: 1,
        })
    }

    async fn assess(&self, access: &Access, request: AssessmentRequest<'_>) -> Result<Assessment> {
        self.begin("assess", Some(request.organization), access)
            .await?;
        let organization = request.organization.get();
        let mut script = self.script();
        let names = request.custom_fields.names();
        let names = names.into_iter().map(str::to_owned).collect();
        script.fields_asked.push(("assess", organization, names));
        script.signature_ages = script
            .signatures
            .keys()
            .map(|device| {
                (
                    *device,
                    request
                        .signature_ages
                        .and_then(|ages| ages.out_of_date_since(DeviceId::new(*device))),
                )
            })
            .collect();
        let verdict = |kind| {
            let of_organization = script.verdicts_of.get(&(organization, kind));
            let status = of_organization
                .or_else(|| script.verdicts.get(&kind))
                .copied()
                .unwrap_or(Status::Pass);
            let mut signal = world::signal(kind, status, request.now);
            signal.complete = !script.incomplete;
            Verdict {
                signal,
                facts: world::facts(),
            }
        };
        let mut reports = BTreeMap::from([(Report::Devices, ReportOutcome::Answered)]);
        reports.extend(
            script
                .reports
                .iter()
                .map(|(report, outcome)| (*report, *outcome)),
        );
        let listed = script.listed.as_ref();
        let listed = listed.map(|listed| listed.iter().copied().map(DeviceId::new).collect());
        Ok(Assessment {
            customer: script.assessed.unwrap_or(request.customer),
            organization: request.organization,
            verdicts: SignalKind::ALL.map(verdict).to_vec(),
            reports,
            counts: SweepCounts {
                foreign_rows: script.foreign_rows,
                orphan_rows: script.orphan_rows,
                malformed_rows: script.malformed_rows,
                requests: 9,
                ..SweepCounts::default()
            },
            signatures_out_of_date: by_device(&script.signatures),
            listed_devices: listed,
            unlisted_devices: by_device(&script.unlisted_devices),
            rows: BTreeMap::new(),
        })
    }
}

/// Several scripted tenants, each found by its client id: credentials of one never see another's data.
#[derive(Clone, Debug, Default)]
pub struct NinjaOnes(Arc<Mutex<BTreeMap<String, Scripted>>>);

impl NinjaOnes {
    pub fn with_client(&self, client_id: &str) -> Scripted {
        let mut all = self.0.lock().unwrap();
        all.entry(client_id.to_owned()).or_default().clone()
    }

    fn behind(&self, client_id: &SecretString) -> Result<Scripted> {
        let all = self.0.lock().unwrap();
        let known = all.get(client_id.expose_secret()).cloned();
        let unknown = || Error::new(ErrorKind::Invalid, "nobody has this client id");
        known.ok_or_else(unknown)
    }
}

#[async_trait]
impl NinjaOne for NinjaOnes {
    async fn authenticate(&self, access: &Access) -> Result<()> {
        self.behind(&access.client_id)?.authenticate(access).await
    }

    async fn redeem(&self, redemption: Redemption) -> Result<Redeemed> {
        let behind = self.behind(&redemption.client_id)?;
        behind.redeem(redemption).await
    }

    async fn organizations(&self, access: &Access, ceiling: usize) -> Result<OrganizationList> {
        self.behind(&access.client_id)?
            .organizations(access, ceiling)
            .await
    }

    async fn devices(&self, access: &Access, request: DeviceListRequest<'_>) -> Result<DeviceList> {
        let behind = self.behind(&access.client_id)?;
        behind.devices(access, request).await
    }

    async fn assess(&self, access: &Access, request: AssessmentRequest<'_>) -> Result<Assessment> {
        let behind = self.behind(&access.client_id)?;
        behind.assess(access, request).await
    }

    async fn assess_group(
        &self,
        access: &Access,
        request: GroupRequest<'_>,
    ) -> Result<GroupAssessment> {
        let behind = self.behind(&access.client_id)?;
        behind.assess_group(access, request).await
    }

    async fn device_lists(
        &self,
        access: &Access,
        request: DeviceListsRequest<'_>,
    ) -> Result<DeviceLists> {
        let behind = self.behind(&access.client_id)?;
        behind.device_lists(access, request).await
    }
}

fn by_device<T: Copy>(scripted: &BTreeMap<i64, T>) -> BTreeMap<DeviceId, T> {
    let pairs = scripted.iter();
    pairs.map(|(id, of)| (DeviceId::new(*id), *of)).collect()
}

/// A device with a name, and nothing else that identifies it.
pub fn device(id: i64, name: &str) -> ListedDevice {
    ListedDevice {
        id: DeviceId::new(id),
        content: AssetContent {
            name: name.into(),
            host_name: Some(name.into()),
            ..AssetContent::default()
        },
        contact: LastContact::default(),
    }
}

pub fn base_url(text: &str) -> BaseUrl {
    BaseUrl::parse(text).unwrap()
}
