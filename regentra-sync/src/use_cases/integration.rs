//! The integration: every use case, over a host's store.

use std::{
    collections::BTreeSet,
    future::Future,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use ninjaone_client::Lane;
use regentra_evidence::HeadSigner;
use secrecy::SecretString;
use time::OffsetDateTime;

use super::refresh_token::SealedRefreshToken;
use crate::{
    error::{Error, ErrorKind, Result},
    host::{AnchorSink, Clock, HostPolicy, Progress, ProgressObserver, SystemClock, Unobserved},
    model::{
        Actor, AuditDetails, AuditRow, Credential, CredentialId, EventId, Field, Fingerprint,
        Grant, Lease, LeaseKey, MspOrgId, RegionKey, RunRecord, RunSubject, WorkerId,
    },
    ninjaone::{Access, AccessGrant, NinjaOne, Reading, Standing},
    schedule::{Cadence, PlanKind},
    seal::{Keyring, SealError},
    store::{RunSubjects, Store, StoreErrorKind},
    views::Views,
};

/// How often work that lost a race for rows starts over before it gives up.
pub(super) const RACES: usize = 16;

/// The integration of a host: every use case of it, over the host's store. A cheap clone; clones share everything.
///
/// ```
/// use std::sync::Arc;
/// use regentra_sync::{Integration, ninjaone::NinjaOneApi, seal::{KeyId, Keyring, MasterKey}, store::MemoryStore};
///
/// let store = Arc::new(MemoryStore::new());
/// // The host keeps these keys in its own secret store.
/// let keyring = Arc::new(Keyring::new(KeyId::new("2026-11")?, MasterKey::generate()?, MasterKey::generate()?));
/// // Every process of the host draws its requests from the budget in the store.
/// let ninjaone = NinjaOneApi::new().shared_budget(store.clone(), keyring.clone());
/// let integration = Integration::builder(store, keyring, Arc::new(ninjaone)).build();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Every future may be dropped at any point: what is not committed then was not done, what is committed is whole, and the same
/// request or event can be handled again.
#[derive(Clone, Debug)]
pub struct Integration {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) store: Arc<dyn Store>,
    /// `None` in a process without keys.
    keyring: Option<Arc<Keyring>>,
    pub(super) ninjaone: Arc<dyn NinjaOne>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) observer: Arc<dyn ProgressObserver>,
    pub(super) policy: Arc<HostPolicy>,
    pub(super) views: Views,
    pub(super) head_signer: Option<HeadSigner>,
    pub(super) anchor_sink: Option<Arc<dyn AnchorSink>>,
    pub(super) worker: WorkerId,
    /// What the store has connected was connected under this identity key.
    pub(super) key_is_checked: AtomicBool,
    /// Subjects that this process works on; the store's lease is this worker's for all of them.
    pub(super) running: Mutex<BTreeSet<(MspOrgId, LeaseKey)>>,
}

/// Puts an [`Integration`] together.
#[derive(Debug)]
pub struct IntegrationBuilder {
    store: Arc<dyn Store>,
    keyring: Option<Arc<Keyring>>,
    ninjaone: Arc<dyn NinjaOne>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn ProgressObserver>,
    policy: HostPolicy,
    head_signer: Option<HeadSigner>,
    anchor_sink: Option<Arc<dyn AnchorSink>>,
}

impl IntegrationBuilder {
    /// Another clock than the machine's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Observes the progress of work. The requests to NinjaOne are observed where they are made
    /// ([`NinjaOneApi::observer`](crate::ninjaone::NinjaOneApi::observer)).
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn ProgressObserver>) -> Self {
        self.observer = observer;
        self
    }

    /// What the host decides otherwise than the promise.
    #[must_use]
    pub fn policy(mut self, policy: HostPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Signs the head of every evidence chain that a sweep continues. Keep its secret outside the database and apart from the keys
    /// of the keyring. Every process that sweeps has to have it from then on: a record without a signature that follows a signed
    /// one is a fault.
    #[must_use]
    pub fn head_signer(mut self, signer: HeadSigner) -> Self {
        self.head_signer = Some(signer);
        self
    }

    /// Takes the roots over the heads of evidence chains out of the reach of the database's administrator, each time sweeps are
    /// planned. Without one no root is made; the heads wait.
    #[must_use]
    pub fn anchor_sink(mut self, sink: Arc<dyn AnchorSink>) -> Self {
        self.anchor_sink = Some(sink);
        self
    }

    /// The integration.
    #[must_use]
    pub fn build(self) -> Integration {
        let Self {
            store,
            keyring,
            ninjaone,
            clock,
            observer,
            policy,
            head_signer,
            anchor_sink,
        } = self;
        let worker = WorkerId::new(clock.now());
        let policy = Arc::new(policy);
        let views = Views::new(Arc::clone(&store))
            .clock(Arc::clone(&clock))
            .policy(Arc::clone(&policy));
        let inner = Inner {
            views,
            store,
            keyring,
            ninjaone,
            clock,
            observer,
            policy,
            head_signer,
            anchor_sink,
            worker,
            key_is_checked: AtomicBool::new(false),
            running: Mutex::default(),
        };
        Integration {
            inner: Arc::new(inner),
        }
    }
}

/// A subject that this process works on, until it is dropped.
#[derive(Debug)]
pub(super) struct RunningSubject<'a> {
    integration: &'a Integration,
    subject: (MspOrgId, LeaseKey),
}

impl Drop for RunningSubject<'_> {
    fn drop(&mut self) {
        self.integration.running_subjects().remove(&self.subject);
    }
}

/// A lease that is held, and the mark that this process holds it.
#[derive(Debug)]
pub(super) struct LeaseGuard<'a> {
    pub(super) lease: Lease,
    _running: RunningSubject<'a>,
}

impl Integration {
    /// Builds an integration over a store, with the keys that seal and open its secrets, and a way to NinjaOne: its API
    /// ([`NinjaOneApi`](crate::ninjaone::NinjaOneApi)), or another one, such as a script in tests.
    #[must_use]
    pub fn builder(
        store: Arc<dyn Store>,
        keyring: impl Into<Arc<Keyring>>,
        ninjaone: Arc<dyn NinjaOne>,
    ) -> IntegrationBuilder {
        Self::builder_with(store, Some(keyring.into()), ninjaone)
    }

    /// The same for a process without keys: it decides what organizations are, promotes companies, delivers tickets and
    /// disconnects. Whatever seals or opens a secret, and so everything that asks NinjaOne, fails with [`ErrorKind::Sealing`].
    #[must_use]
    pub fn builder_without_keys(
        store: Arc<dyn Store>,
        ninjaone: Arc<dyn NinjaOne>,
    ) -> IntegrationBuilder {
        Self::builder_with(store, None, ninjaone)
    }

    fn builder_with(
        store: Arc<dyn Store>,
        keyring: Option<Arc<Keyring>>,
        ninjaone: Arc<dyn NinjaOne>,
    ) -> IntegrationBuilder {
        IntegrationBuilder {
            store,
            keyring,
            ninjaone,
            clock: Arc::new(SystemClock),
            observer: Arc::new(Unobserved),
            policy: HostPolicy::default(),
            head_signer: None,
            anchor_sink: None,
        }
    }

    /// Everything that a host shows: the reads over its store, by the same clock and policy.
    #[must_use]
    pub fn views(&self) -> &Views {
        &self.inner.views
    }

    /// The keys of this process.
    pub(super) fn keyring(&self) -> Result<&Arc<Keyring>> {
        let missing = || {
            let message = "this process has no keys, and this seals or opens secrets: give it the host's keys";
            Error::new(ErrorKind::Sealing, message)
        };
        self.inner.keyring.as_ref().ok_or_else(missing)
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.inner.clock
    }

    pub(crate) fn policy(&self) -> &HostPolicy {
        &self.inner.policy
    }

    pub(super) fn now(&self) -> OffsetDateTime {
        self.inner.clock.now()
    }

    /// The last run of a subject, without one that lies in the future.
    pub(super) async fn last_run(
        &self,
        msp: MspOrgId,
        subject: RunSubject,
    ) -> Result<Option<RunRecord>> {
        let RunSubject {
            kind,
            credential,
            mapping,
        } = subject;
        let subjects = RunSubjects::of(kind, credential, mapping);
        let runs = self.views().runs_of(msp, subjects).await?;
        Ok(runs.into_iter().find(|run| run.subject == subject))
    }

    /// When work of this kind is due, by the policy: for what runs events, and plans their ticks.
    #[must_use]
    pub fn cadence(&self, kind: PlanKind) -> Cadence {
        match kind {
            PlanKind::AssetSync => self.inner.policy.asset_sync,
            PlanKind::EvidenceSweep => self.inner.policy.evidence_sweep,
        }
    }

    /// How long what could not be planned waits after so many failures in a row: as the policy's [`Retry`](crate::schedule::Retry) says, and
    /// at least a second. For what runs events.
    #[must_use]
    pub fn plan_wait(&self, failures: u32) -> std::time::Duration {
        let wait = self.inner.policy.retry.wait(failures);
        wait.max(time::Duration::SECOND).unsigned_abs()
    }

    /// Passes progress on to the host's observer: for what runs events, which knows when one begins and when it is handled again.
    pub fn report_progress(&self, progress: &Progress) {
        self.inner.observer.progress(progress);
    }

    pub(super) fn running_subjects(
        &self,
    ) -> std::sync::MutexGuard<'_, BTreeSet<(MspOrgId, LeaseKey)>> {
        self.inner
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the lease on a subject; `None` while another run works on it, in this process or elsewhere.
    pub(super) async fn lease(
        &self,
        msp: MspOrgId,
        key: LeaseKey,
    ) -> Result<Option<LeaseGuard<'_>>> {
        if !self.running_subjects().insert((msp, key)) {
            return Ok(None);
        }
        // From here on dropping marks the subject as free again.
        let running = RunningSubject {
            integration: self,
            subject: (msp, key),
        };
        let (worker, length) = (self.inner.worker, self.inner.policy.lease_length);
        let lease = self
            .inner
            .store
            .take_lease(msp, key, worker, length)
            .await?;
        Ok(lease.map(|lease| LeaseGuard {
            lease,
            _running: running,
        }))
    }

    /// Works, and renews the lease meanwhile. When the lease is lost the work goes on: its commit will be refused.
    pub(super) async fn with_lease<T>(
        &self,
        msp: MspOrgId,
        held: &LeaseGuard<'_>,
        work: impl Future<Output = T>,
    ) -> T {
        let length = self.inner.policy.lease_length;
        let third: time::Duration = length / 3;
        let renew = async {
            loop {
                tokio::time::sleep(third.unsigned_abs()).await;
                match self.inner.store.renew_lease(msp, &held.lease, length).await {
                    Ok(Some(_)) => {}
                    Ok(None) => {
                        tracing::warn!(lease = %held.lease.key.to_text(), "the lease was taken over");
                        std::future::pending::<()>().await;
                    }
                    Err(error) => tracing::warn!(%error, "the lease could not be renewed"),
                }
            }
        };
        match futures_util::future::select(pin!(work), pin!(renew)).await {
            futures_util::future::Either::Left((done, _)) => done,
            futures_util::future::Either::Right(((), _)) => unreachable!("the renewal never ends"),
        }
    }

    pub(super) async fn release(
        &self,
        msp: MspOrgId,
        held: LeaseGuard<'_>,
        records: Vec<RunRecord>,
    ) -> Result<()> {
        let store = &self.inner.store;
        let released = store.release_lease(msp, &held.lease, records).await;
        if let Err(refused) = &released
            && refused.kind() == StoreErrorKind::Clock
        {
            // A run whose times do not fit is not remembered; what it worked on is free all the same.
            store.release_lease(msp, &held.lease, Vec::new()).await?;
        }
        Ok(released?)
    }

    /// The credential of this region; an error when it was never connected or is disconnected.
    pub(super) async fn connected(
        &self,
        msp: MspOrgId,
        credential: CredentialId,
    ) -> Result<Credential> {
        let stored = self.inner.store.credential(msp, credential).await?;
        stored
            .filter(|credential| credential.is_active)
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::NotConnected,
                    "this NinjaOne region is not connected: connect it first",
                )
            })
    }

    /// Opens a credential. What does not open is audited, once for each state of the row.
    pub(super) async fn open(
        &self,
        msp: MspOrgId,
        credential: &Credential,
        lane: Lane,
    ) -> Result<Access> {
        // A key that is missing altogether is named first.
        let opened = match self.open_secrets(msp, credential, lane) {
            Ok(access) => self.check_key(msp).await.map(|()| access),
            Err(error) => Err(error),
        };
        if let Err(error) = &opened
            && error.kind() == ErrorKind::Sealing
        {
            let state = format!(
                "{}/{}/{}",
                credential.id, credential.generation, credential.secrets_version
            );
            let event = EventId::of_request("unsealing_failed", &state);
            let details = AuditDetails::UnsealingFailed {
                credential: credential.id,
            };
            let row = AuditRow::new(event, self.now(), Actor::Schedule, details);
            match self.inner.store.commit_audit(msp, event, vec![row]).await {
                Ok(_) => {}
                // A clock that is wrong besides does not hide what is wrong first.
                Err(refused) if refused.kind() == StoreErrorKind::Clock => {
                    tracing::warn!(%msp, error = %refused, "secrets do not open, and that is not audited");
                }
                Err(failed) => return Err(failed.into()),
            }
        }
        opened
    }

    /// Refuses to work under another identity key than the store's connections were made under: its fingerprints and device digests
    /// would fit nothing that is stored. Asked once in a process.
    pub(super) async fn check_key(&self, msp: MspOrgId) -> Result<()> {
        if self.inner.key_is_checked.load(Ordering::Relaxed) {
            return Ok(());
        }
        let keyring = self.keyring()?;
        // Where an older release connected no check value is kept yet, and that of a wrong key would shut out the right one: what the
        // MSP has connected has to fit first.
        for credential in self.inner.store.credentials(msp).await? {
            let Some(secrets) = &credential.secrets else {
                continue;
            };
            let (region, sealed) = (&credential.region, &secrets.client_id);
            if let Ok(client_id) = keyring.open(msp, region, Field::ClientId, sealed) {
                let host = region.base_url()?.limit_host();
                if keyring.fingerprint(&host, &client_id) != credential.fingerprint {
                    return Err(SealError::OtherIdentity.into());
                }
            }
        }
        let own = keyring.key_check();
        if self.inner.store.keep_key_check(own.clone()).await? != own {
            return Err(SealError::OtherIdentity.into());
        }
        self.inner.key_is_checked.store(true, Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn open_secrets(
        &self,
        msp: MspOrgId,
        credential: &Credential,
        lane: Lane,
    ) -> Result<Access> {
        let keyring = self.keyring()?;
        let secrets = credential.secrets.as_ref().ok_or_else(|| {
            Error::new(
                ErrorKind::NotConnected,
                "no credentials are saved for this NinjaOne region: connect it first",
            )
        })?;
        let region = &credential.region;
        let open = |field, sealed| keyring.open(msp, region, field, sealed);
        let missing = |message| Error::new(ErrorKind::NotConnected, message);
        let client_id = open(Field::ClientId, &secrets.client_id)?;
        let client_secret = secrets.client_secret.as_ref();
        let client_secret = client_secret
            .map(|sealed| open(Field::ClientSecret, sealed))
            .transpose()?;
        let grant = match credential.grant {
            Grant::ClientCredentials => AccessGrant::ClientCredentials {
                client_secret: client_secret.ok_or_else(|| {
                    missing("no client secret is saved for this NinjaOne region: connect it again")
                })?,
            },
            Grant::AuthorizationCode => {
                let sealed = secrets.refresh_token.as_ref().ok_or_else(|| {
                    missing("no refresh token is saved for this NinjaOne region: authorize again")
                })?;
                // It is read again when it is used; here it is seen that it opens.
                open(Field::RefreshToken, sealed)?;
                AccessGrant::AuthorizationCode {
                    client_secret,
                    connection: credential.guard(),
                    tokens: Arc::new(SealedRefreshToken {
                        store: Arc::clone(&self.inner.store),
                        keyring: Arc::clone(keyring),
                        clock: Arc::clone(&self.inner.clock),
                        msp,
                        connection: credential.guard(),
                    }),
                }
            }
        };
        Ok(Access {
            base_url: region.base_url()?,
            fingerprint: credential.fingerprint.clone(),
            client_id,
            grant,
            lane,
            standing: Standing::Saved(credential.guard()),
        })
    }

    /// What log-ins of an MSP spend until NinjaOne accepts the credentials.
    pub(super) fn log_ins_of(&self, msp: MspOrgId) -> Result<Fingerprint> {
        let msp = SecretString::from(msp.to_string());
        // No host has that name, so that it is no NinjaOne tenant's budget.
        Ok(self.keyring()?.fingerprint("log-ins of an MSP", &msp))
    }

    /// Ends work that takes longer than its deadline, which `limit` names. It is measured by how long it takes and not by a clock,
    /// which may be set.
    pub(super) async fn within<T>(
        &self,
        (limit, deadline): (&'static str, time::Duration),
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let reading = Reading::default();
        let deadline = deadline.unsigned_abs();
        let done = tokio::time::timeout(deadline, reading.noted_by(work)).await;
        done.unwrap_or_else(|_| Err(deadline_passed(&reading, limit, deadline)))
    }

    /// The same for long work that may wait for the request budget: what it waits does not count.
    pub(super) async fn within_apart_from_waits<T>(
        &self,
        (limit, deadline): (&'static str, time::Duration),
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let reading = Reading::default();
        let mut work = pin!(reading.noted_by(work));
        let began = tokio::time::Instant::now();
        let mut allowed = deadline.unsigned_abs();
        loop {
            if let Ok(done) = tokio::time::timeout_at(began + allowed, &mut work).await {
                return done;
            }
            let more = deadline.unsigned_abs().saturating_add(reading.waited());
            if more <= allowed {
                return Err(deadline_passed(&reading, limit, deadline.unsigned_abs()));
            }
            allowed = more;
        }
    }

    /// The address of a region, if the host allows it.
    pub(super) async fn allowed(&self, region: &RegionKey) -> Result<ninjaone_client::BaseUrl> {
        let base = region.base_url()?;
        if (self.inner.policy.host_allowed)(&base) {
            if !crate::host::is_elsewhere(&base).await {
                return Ok(base);
            }
            let message = "this name ends in localhost and does not stand for this machine alone: name its address, such as \
                           127.0.0.1";
            return Err(Error::new(ErrorKind::Invalid, message));
        }
        let message = "this address is not one of NinjaOne's and is not allowed here: use us, us2, eu, ca, oc, fed, or the \
                       address you sign in at";
        Err(Error::new(ErrorKind::Invalid, message))
    }
}

fn deadline_passed(reading: &Reading, limit: &str, deadline: std::time::Duration) -> Error {
    let asked = reading.last();
    let asked = asked.map_or_else(
        || "NinjaOne".to_owned(),
        |asked| format!("NinjaOne for {asked}"),
    );
    let message = format!(
        "asking {asked} takes longer than {} seconds, the longest this work may take (HostPolicy::{limit}): it was ended, nothing that was \
         not finished is written, and it is tried again",
        deadline.as_secs()
    );
    Error::new(ErrorKind::Deadline, message)
}

pub(super) fn superseded() -> Error {
    let message =
        "what this worked on was changed meanwhile, again and again; look at it, and try again";
    Error::new(ErrorKind::Superseded, message)
}

pub(super) fn busy(what: &'static str) -> Error {
    Error::new(ErrorKind::Busy, what)
}
