//! NinjaOne over its API.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use ninjaone_client::{
    BaseUrl, Client, Credentials, DeviceFilter, Lane, Limiter, MemoryTokenStore, RateLimit,
    RetryPolicy, TokenStore, Transport, WaitReason,
    models::{User, UserType},
    organizations::OrganizationsParams,
    users::UsersParams,
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use super::{
    assessment::{Assessment, AssessmentRequest},
    budget::{StoreBudget, Trial, windows_with_room},
    device_lists::{self, Listing, read_entra_device_ids},
    facts::asset,
    group::{DeviceLists, DeviceListsRequest, GroupAssessment, GroupRequest},
    group_read,
    port::{Access, AccessGrant, DeviceListRequest, NinjaOne, Redeemed, Redemption, Standing},
    reading,
    reports::{self, detailed_devices},
};
use crate::{
    error::{Error, ErrorKind, Result},
    host::{Progress, ProgressObserver},
    model::{
        CredentialGuard, CredentialId, DeviceList, Fingerprint, ListedOrganization,
        OrganizationList, Report, Sensitive, TenantView,
    },
    seal::Keyring,
    store::Store,
};

/// The most pages of one list or report, unless the host says otherwise. The hour's budget of requests allows half as many more, so
/// that a report without an end fails by itself, long before the deadline of the sweep that would take every other report with it.
/// Pages hold 1,000 to 5,000 rows.
const MOST_PAGES: u32 = 1_000;

/// The largest answer, unless the host says otherwise: its body, and as much again for what it becomes. A page holds 1,000 rows, of a
/// few kilobytes each; several tenants may answer at a time.
const LARGEST_ANSWER: usize = 32 << 20;

/// How long a client is kept that nothing asks with.
const IDLE: Duration = Duration::from_secs(60 * 60);

/// NinjaOne over its API, with one client per connection, so that tokens are reused. A client is kept until its connection is
/// disconnected or connected anew, or for an hour that nothing asks with it; its secrets and its token go with it. Credentials that
/// are only tried are not kept.
#[derive(Debug)]
pub struct NinjaOneApi {
    limit: RateLimit,
    retry: RetryPolicy,
    observer: Option<Arc<dyn ProgressObserver>>,
    budget: Option<StoreBudget>,
    transport: Option<Arc<dyn Transport>>,
    most_pages: u32,
    largest_answer: usize,
    largest_page: Option<u32>,
    clients: Arc<Clients>,
}

/// The clients of connections.
#[derive(Debug, Default)]
struct Clients(Mutex<BTreeMap<CredentialId, Cached>>);

/// A client, and what it was built for: a reconnect builds another.
#[derive(Debug)]
struct Cached {
    connection: CredentialGuard,
    client: Client,
    used_at: Instant,
}

impl Clients {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<CredentialId, Cached>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, connection: CredentialGuard) -> Option<Client> {
        let mut clients = self.lock();
        let cached = clients.get_mut(&connection.credential)?;
        if cached.connection != connection {
            return None;
        }
        cached.used_at = Instant::now();
        Some(cached.client.clone())
    }

    fn keep(self: &Arc<Self>, connection: CredentialGuard, client: Client) {
        let mut clients = self.lock();
        // Where there is one, its watcher runs.
        if clients.is_empty() {
            tokio::spawn(Self::drop_idle(Arc::downgrade(self)));
        }
        let used_at = Instant::now();
        let cached = Cached {
            connection,
            client,
            used_at,
        };
        clients.insert(connection.credential, cached);
    }

    /// Drops clients that nothing asked with for an hour, until there is none.
    async fn drop_idle(clients: Weak<Self>) {
        loop {
            tokio::time::sleep(IDLE / 12).await;
            let Some(clients) = clients.upgrade() else {
                return;
            };
            let mut clients = clients.lock();
            clients.retain(|_, cached| cached.used_at.elapsed() < IDLE);
            if clients.is_empty() {
                return;
            }
        }
    }
}

impl Default for NinjaOneApi {
    fn default() -> Self {
        Self::new()
    }
}

impl NinjaOneApi {
    /// NinjaOne under the vendor's limits and the default retries.
    #[must_use]
    pub fn new() -> Self {
        Self {
            limit: RateLimit::default(),
            retry: RetryPolicy::default(),
            observer: None,
            budget: None,
            transport: None,
            most_pages: MOST_PAGES,
            largest_answer: LARGEST_ANSWER,
            largest_page: None,
            clients: Arc::default(),
        }
    }

    /// Another rate limit than the vendor's.
    #[must_use]
    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.limit = limit;
        self
    }

    /// Another retry policy than the default.
    #[must_use]
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// The most pages that are read of one list or report. One that goes on after them fails: a report's signal is unknown, and a
    /// device list is not synced. Default: 1,000, which are a million rows where NinjaOne does not cut its pages shorter.
    #[must_use]
    pub fn most_pages(mut self, pages: u32) -> Self {
        self.most_pages = pages;
        self
    }

    /// The most rows that a page is asked to hold. Below it the size follows what NinjaOne manages, by tenant and report. Default:
    /// 5,000 for reports, and 1,000 for lists and the activity log.
    #[must_use]
    pub fn largest_page(mut self, rows: u32) -> Self {
        self.largest_page = Some(rows);
        self
    }

    /// The largest answer that is read, in bytes: its body, and as much again for what it becomes. A report with a larger one fails,
    /// and a device list is not synced. Default: 32 MiB.
    #[must_use]
    pub fn largest_answer(mut self, bytes: usize) -> Self {
        self.largest_answer = bytes;
        self
    }

    /// Another way to the network than the client's own: a proxy, a recording.
    #[must_use]
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Observes the requests: each attempt, and each wait.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn ProgressObserver>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Draws every request from the budget in the store too, which all processes of the host share. The keyring is the
    /// integration's: it names the tenant whose budget it is. Without a shared budget this process keeps the limits on its own,
    /// and a second one spends the same requests again.
    #[must_use]
    pub fn shared_budget(
        mut self,
        store: Arc<dyn Store>,
        keyring: impl Into<Arc<Keyring>>,
    ) -> Self {
        self.budget = Some(StoreBudget {
            store,
            keyring: keyring.into(),
            log_ins: None,
        });
        self
    }

    /// How many clients are kept: at most one for each connection.
    #[must_use]
    pub fn kept_clients(&self) -> usize {
        self.clients.lock().len()
    }

    /// The client of a connection, kept, or one for credentials that are only tried.
    fn client(&self, access: &Access) -> Result<Client> {
        let client = match &access.standing {
            Standing::Saved(connection) => {
                if let Some(client) = self.clients.get(*connection) {
                    client
                } else {
                    let credentials = credentials_of(access);
                    let client = self.build(&access.base_url, credentials, None)?;
                    self.clients.keep(*connection, client.clone());
                    client
                }
            }
            Standing::Tried { log_ins } => {
                let trial = Trial {
                    log_ins: log_ins.clone(),
                    accepted: Arc::default(),
                };
                self.build(&access.base_url, credentials_of(access), Some(trial))?
            }
        };
        Ok(client.in_lane(access.lane))
    }

    fn build(
        &self,
        base_url: &BaseUrl,
        credentials: Credentials,
        trial: Option<Trial>,
    ) -> Result<Client> {
        let mut builder = Client::builder(base_url.clone(), credentials)
            .rate_limit(self.limit.clone())
            .retry(self.retry)
            .most_pages(self.most_pages)
            .largest_answer(self.largest_answer)
            .largest_content(self.largest_answer);
        if let Some(rows) = self.largest_page {
            builder = builder.largest_page(rows);
        }
        let accepted = trial.as_ref().map(|trial| Arc::clone(&trial.accepted));
        builder = builder.observer(Arc::new(Listener {
            observer: self.observer.clone(),
            accepted,
        }));
        if trial.is_some() {
            // What NinjaOne answers to a guess slows down no other connection with the same client id.
            builder = builder.limiter(Arc::new(Limiter::new()));
        }
        if let Some(budget) = &self.budget {
            builder = builder.shared_budget(Arc::new(StoreBudget {
                log_ins: trial,
                ..budget.clone()
            }));
        }
        if let Some(transport) = &self.transport {
            builder = builder.transport(Arc::clone(transport));
        }
        Ok(builder.build()?)
    }
}

fn credentials_of(access: &Access) -> Credentials {
    let client_id = access.client_id.expose_secret().to_owned();
    match &access.grant {
        AccessGrant::ClientCredentials { client_secret } => {
            Credentials::client_credentials(client_id, client_secret.expose_secret().to_owned())
        }
        AccessGrant::AuthorizationCode {
            client_secret,
            tokens,
            ..
        } => authorized(client_id, client_secret.as_ref(), Arc::clone(tokens)),
    }
}

fn authorized(
    client_id: String,
    client_secret: Option<&SecretString>,
    tokens: Arc<dyn TokenStore>,
) -> Credentials {
    let credentials = Credentials::refresh_token(client_id, tokens);
    match client_secret {
        Some(secret) => credentials.client_secret(secret.expose_secret()),
        None => credentials,
    }
}

#[async_trait]
impl NinjaOne for NinjaOneApi {
    async fn authenticate(&self, access: &Access) -> Result<()> {
        Ok(self.client(access)?.authenticate().await?)
    }

    async fn redeem(&self, redemption: Redemption) -> Result<Redeemed> {
        let Redemption {
            base_url,
            client_id,
            client_secret,
            code,
            log_ins,
        } = redemption;
        // This client is not kept: what comes with the code belongs to a connection that does not exist yet.
        let tokens = Arc::new(MemoryTokenStore::new());
        let credentials = authorized(
            client_id.expose_secret().to_owned(),
            client_secret.as_ref(),
            Arc::<MemoryTokenStore>::clone(&tokens),
        );
        let accepted = Arc::default();
        let client = self.build(&base_url, credentials, Some(Trial { log_ins, accepted }))?;
        let client = client.in_lane(Lane::Interactive);
        client.redeem(code).await?;
        let view = view_of(&client).await;
        // Asking may have brought another one.
        let token = tokens.load().await;
        let token = token.map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
        let token = token
            .ok_or_else(|| Error::new(ErrorKind::Internal, "the client kept no refresh token"))?;
        Ok(Redeemed { token, view })
    }

    async fn organizations(&self, access: &Access, ceiling: usize) -> Result<OrganizationList> {
        let client = self.client(access)?;
        client.authenticate().await?;
        let mut pages = client
            .organizations()
            .list(OrganizationsParams::default())
            .with_ceiling(ceiling);
        reading::note(&pages);
        let mut list = OrganizationList::default();
        while let Some(page) = pages.next_page().await? {
            list.requests += 1;
            list.malformed_rows += page.malformed.len() as u64;
            for row in page.rows {
                // A name that cannot be read is no reason for an organization not to be there.
                let name = row.name.unwrap_or_default();
                match row.id {
                    Some(id) => list.organizations.push(ListedOrganization {
                        id,
                        name: Sensitive::new(asset::cut(&name)),
                    }),
                    None => list.malformed_rows += 1,
                }
            }
        }
        list.truncated = pages.completeness().is_some_and(|end| !end.is_complete());
        Ok(list)
    }

    async fn devices(&self, access: &Access, request: DeviceListRequest<'_>) -> Result<DeviceList> {
        let DeviceListRequest {
            organization,
            ceiling,
            entra_device_id_field,
        } = request;
        let client = self.client(access)?;
        let filter = DeviceFilter::organization(organization);
        let mut pages = detailed_devices(&client, filter.clone());
        // The ceiling is counted here, over the organization's own devices: when NinjaOne ignores the filter and sends the
        // whole fleet, foreign rows must not use it up.
        let mut listing = Listing::default();
        'walk: while let Some(page) = pages.next_page().await? {
            listing.list.requests += 1;
            listing.list.malformed_rows += page.malformed.len() as u64;
            for row in &page.rows {
                match (row.id, row.organization_id) {
                    (Some(_), Some(other)) if other != organization => {
                        listing.list.foreign_rows += 1;
                    }
                    (Some(id), Some(_)) => {
                        listing.observe(id, row, ceiling);
                        if listing.list.truncated {
                            break 'walk;
                        }
                    }
                    _ => listing.list.malformed_rows += 1,
                }
            }
        }
        if let Some(field) = entra_device_id_field {
            let read = read_entra_device_ids(&client, filter, field.as_str()).await?;
            listing.identify_all(read);
        }
        Ok(listing.finish())
    }

    async fn budget_wait(
        &self,
        connection: CredentialId,
        tenant: &Fingerprint,
        lane: Lane,
        requests: u32,
    ) -> Result<Duration> {
        let kept = self
            .clients
            .lock()
            .get(&connection)
            .map(|cached| cached.client.clone());
        let paused = kept.map_or(Duration::ZERO, |client| client.budget().paused_for);
        if self.limit.is_unlimited() {
            return Ok(paused);
        }
        let Some(budget) = &self.budget else {
            return Ok(paused);
        };
        let windows = windows_with_room(&self.limit, lane, requests);
        let wait = budget.store.budget_wait(tenant, &windows).await?;
        Ok(paused.max(wait.unsigned_abs()))
    }

    fn forget(&self, connection: CredentialId) {
        self.clients.lock().remove(&connection);
    }

    async fn assess(&self, access: &Access, request: AssessmentRequest<'_>) -> Result<Assessment> {
        let client = self.client(access)?;
        Ok(reports::read_reports(&client, request).await?.assessment)
    }

    async fn assess_group(
        &self,
        access: &Access,
        request: GroupRequest<'_>,
    ) -> Result<GroupAssessment> {
        let client = self.client(access)?;
        let sizes = request.page_sizes.iter();
        client.expect_page_sizes(sizes.map(|(report, rows)| (operation_of(*report), *rows)));
        let mut read = group_read::read_group(&client, request).await?;
        read.counts.page_sizes = page_sizes(&client);
        Ok(read)
    }

    async fn device_lists(
        &self,
        access: &Access,
        request: DeviceListsRequest<'_>,
    ) -> Result<DeviceLists> {
        let client = self.client(access)?;
        let mut read = device_lists::read_device_lists(&client, request).await?;
        read.counts.page_sizes = page_sizes(&client);
        Ok(read)
    }
}

/// The operation of the client that reads a report.
const fn operation_of(report: Report) -> &'static str {
    match report {
        Report::Devices => "devices.detailed",
        Report::Volumes => "queries.volumes",
        Report::AntivirusStatus => "queries.antivirus_status",
        Report::OsPatches => "queries.os_patches",
        Report::OsPatchInstalls => "queries.os_patch_installs",
        Report::SoftwarePatches => "queries.software_patches",
        Report::SoftwarePatchInstalls => "queries.software_patch_installs",
        Report::Activities => "activities.list",
        Report::CustomFields => "queries.custom_fields",
    }
}

/// Rows of a page as they are asked for now, of the reports that were read.
fn page_sizes(client: &Client) -> BTreeMap<Report, u32> {
    let sizes = client.page_sizes();
    let of = |report| Some((report, *sizes.get(operation_of(report))?));
    Report::ALL.into_iter().filter_map(of).collect()
}

/// How long finding out what a user sees may keep a connection from being saved: the code is spent by then.
const VIEW_WITHIN: Duration = Duration::from_secs(20);

/// How much of the tenant the user sees whose token the client has.
///
/// The API does not say who is asking. It lists the technicians, where the user may see them: what all of them see, this one
/// does. `Unknown` when they differ, when a row does not say, and when the list is refused.
async fn view_of(client: &Client) -> TenantView {
    let params = UsersParams::default().user_type(UserType::Technician);
    let users = tokio::time::timeout(VIEW_WITHIN, client.users().list(params).collect()).await;
    let users = match users {
        Ok(Ok(users)) if users.completeness.is_complete() && users.malformed.is_empty() => {
            users.rows
        }
        _ => return TenantView::Unknown,
    };
    let is_technician =
        |user: &&User| user.enabled != Some(false) && user.user_type != Some(UserType::EndUser);
    let sees_all = |user: &User| match (user.administrator, user.permit_all_clients) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    };
    let views: BTreeSet<_> = users.iter().filter(is_technician).map(sees_all).collect();
    let mut views = views.into_iter();
    match (views.next().flatten(), views.next()) {
        (Some(true), None) => TenantView::Whole,
        (Some(false), None) => TenantView::Part,
        _ => TenantView::Unknown,
    }
}

/// Hands on what the client tells, and notes that credentials were accepted.
#[derive(Debug)]
struct Listener {
    observer: Option<Arc<dyn ProgressObserver>>,
    accepted: Option<Arc<AtomicBool>>,
}

impl ninjaone_client::ClientObserver for Listener {
    fn event(&self, event: &ninjaone_client::ClientEvent) {
        use ninjaone_client::ClientEvent;
        if let (ClientEvent::Token { .. }, Some(accepted)) = (event, &self.accepted) {
            accepted.store(true, Ordering::Relaxed);
        }
        if let ClientEvent::Wait {
            reason: WaitReason::Budget,
            expected,
            ..
        } = event
        {
            reading::note_wait(*expected);
        }
        let Some(observer) = &self.observer else {
            return;
        };
        match event {
            ClientEvent::Attempt { operation, .. } => {
                observer.progress(&Progress::Request { operation });
            }
            ClientEvent::Wait {
                reason, expected, ..
            } => {
                observer.progress(&Progress::Waiting {
                    reason: *reason,
                    expected: *expected,
                });
            }
            _ => {}
        }
    }
}
