//! The system's own PostgreSQL server, for tests: started once a test binary in a folder of its own, reachable through a unix
//! socket only, and gone with the process that started it, however that ends.
//!
//! Each test has a database of its own, a copy of one that was migrated. On a machine without PostgreSQL the tests say so and
//! are skipped; where `CI` is set they fail.

use std::{
    env,
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use regentra_sync::{host::StoreClock, store::conformance::world};
use regentra_sync_postgres::PostgresStore;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::sync::OnceCell;

/// Owns the schema; no superuser.
pub const OWNER: &str = "regentra_owner";
/// What the store connects as.
pub const STORE: &str = "regentra_store";
/// The server's superuser.
pub const SUPERUSER: &str = "postgres";

/// How soon the server notices that a client is dead.
const NOTICES: Duration = Duration::from_secs(20);

const TEMPLATE: &str = "regentra_template";

/// Starts a server, says where, and stops it when its standard input ends.
const KEEPER: &str = r#"
set -eu
folder=$(mktemp -d "${TMPDIR:-/tmp}/regentra-pg.XXXXXX")
trap 'rm -rf "$folder"' EXIT
"$0/initdb" --pgdata "$folder/data" --username postgres --auth trust --encoding UTF8 --locale C --no-sync >"$folder/log" 2>&1 \
  || { cat "$folder/log" >&2; exit 1; }
"$0/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= -c max_connections=200 -c shared_buffers=64MB "$@" >>"$folder/log" 2>&1 &
until "$0/pg_isready" --quiet --host "$folder"; do
  kill -0 $! 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
  sleep 0.05
done
echo "$folder"
cat >/dev/null
"$0/pg_ctl" stop --pgdata "$folder/data" --mode immediate >/dev/null
"#;

/// Ends a server without a word to its clients, and starts it again after a while. The keeper stops the new one like the old one.
const RESTART: &str = r#"
set -eu
programs=$0 folder=$1 down=$2
shift 2
"$programs/pg_ctl" stop --pgdata "$folder/data" --mode immediate >/dev/null
sleep "$down"
"$programs/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= -c max_connections=200 -c shared_buffers=64MB "$@" \
  >>"$folder/log" 2>&1 </dev/null &
until "$programs/pg_isready" --quiet --host "$folder"; do sleep 0.05; done
"#;

/// What is written may be lost when the machine stops: no test is about that, and it is faster.
const FORGETFUL: &[&str] = &[
    "--fsync=off",
    "--synchronous_commit=off",
    "--full_page_writes=off",
];

/// A running server.
#[derive(Debug)]
pub struct Server {
    programs: PathBuf,
    settings: Vec<String>,
    folder: PathBuf,
    /// It stops when its standard input ends, which is when this process does.
    _keeper: Child,
}

impl Server {
    fn start(programs: &Path, settings: &[&str]) -> Self {
        let mut command = shell();
        let mut keeper = command
            .args(["-c", KEEPER])
            .arg(programs)
            .args(settings)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut folder = String::new();
        BufReader::new(keeper.stdout.take().unwrap())
            .read_line(&mut folder)
            .unwrap();
        assert!(
            !folder.trim().is_empty(),
            "PostgreSQL is installed and did not start; its log stands above"
        );
        Self {
            programs: programs.to_owned(),
            settings: settings.iter().map(|text| (*text).to_owned()).collect(),
            folder: PathBuf::from(folder.trim()),
            _keeper: keeper,
        }
    }

    /// Stops it hard, for so many seconds, and starts it again: every connection of this test binary dies.
    fn restart(&self, down: u32) {
        let restarted = shell()
            .args(["-c", RESTART])
            .arg(&self.programs)
            .arg(&self.folder)
            .arg(down.to_string())
            .args(&self.settings)
            .current_dir("/")
            .status();
        assert!(
            restarted.unwrap().success(),
            "PostgreSQL did not start again"
        );
    }

    /// A URL to a database of this server, as a role.
    pub fn url(&self, role: &str, database: &str) -> String {
        format!(
            "postgres://{role}@localhost/{database}?host={}",
            self.folder.display()
        )
    }
}

/// A shell as a user that PostgreSQL runs as, which is not root.
fn shell() -> Command {
    let is_root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|id| id.stdout.trim_ascii() == b"0");
    if !is_root {
        return Command::new("sh");
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--", "sh"]);
    command
}

/// The server of this test binary; `None`, said aloud, on a machine without PostgreSQL.
///
/// # Panics
/// Where `CI` is set and there is no PostgreSQL.
pub fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(|| start(FORGETFUL)).as_ref()
}

/// A server that keeps what it committed as it does by default, for benchmarks; else as [`server`].
pub fn durable_server() -> Option<Server> {
    start(&[])
}

fn start(settings: &[&str]) -> Option<Server> {
    let programs = programs();
    assert!(
        programs.is_some() || env::var_os("CI").is_none(),
        "PostgreSQL is not installed, and CI does not skip its tests: run .ci/postgres first"
    );
    if programs.is_none() {
        // Not `eprintln!`, which the test runner holds back.
        let _ = writeln!(
            io::stderr(),
            "\nSKIPPED: PostgreSQL is not installed here, so its tests did not run (see .ci/postgres)\n"
        );
    }
    programs.map(|programs| Server::start(&programs, settings))
}

/// The folder of the newest server's programs.
fn programs() -> Option<PathBuf> {
    let version = |folder: &PathBuf| -> u32 {
        let version = folder.parent().and_then(Path::file_name);
        let digits = version.map(|name| {
            name.to_string_lossy()
                .replace(|c: char| !c.is_ascii_digit(), "")
        });
        digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
    };
    let installed = ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"]
        .into_iter()
        .filter_map(|root| std::fs::read_dir(root).ok())
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| version(bin) >= 15);
    let on_path = env::var_os("PATH").map(|path| env::split_paths(&path).collect::<Vec<_>>());
    installed
        .chain(on_path.into_iter().flatten())
        .filter(|bin| bin.join("initdb").exists() && bin.join("postgres").exists())
        .max_by_key(version)
}

/// One test's database.
#[derive(Debug)]
pub struct Database {
    server: &'static Server,
    name: String,
}

/// Databases whose test is over.
static FINISHED: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl Drop for Database {
    fn drop(&mut self) {
        FINISHED.lock().unwrap().push(self.name.clone());
    }
}

impl Database {
    /// A copy of `template`, or an empty database.
    async fn create(server: &'static Server, template: Option<&str>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("regentra_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut superuser = connect(&server.url(SUPERUSER, "postgres")).await;
        let finished = std::mem::take(&mut *FINISHED.lock().unwrap());
        for finished in finished {
            execute(
                &mut superuser,
                &format!("DROP DATABASE {finished} WITH (FORCE)"),
            )
            .await;
        }
        let template = template.unwrap_or("template0");
        let create = format!("CREATE DATABASE {name} OWNER {OWNER} TEMPLATE {template}");
        execute(&mut superuser, &create).await;
        superuser.close().await.unwrap();
        Self { server, name }
    }

    /// Another database with the same in it. Nobody may be connected to this one.
    pub async fn copy(&self) -> Self {
        Self::create(self.server, Some(&self.name)).await
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A URL to the database, as a role.
    pub fn url(&self, role: &str) -> String {
        self.server.url(role, &self.name)
    }

    /// A store on the database.
    pub async fn store(&self) -> PostgresStore {
        PostgresStore::connect(&self.url(STORE)).await.unwrap()
    }

    /// A connection as a role.
    pub async fn connect(&self, role: &str) -> PgConnection {
        connect(&self.url(role)).await
    }

    /// Everything that the server has logged, of whatever database.
    pub fn logged(&self) -> String {
        let log = std::fs::read(self.server.folder.join("log")).unwrap();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Stops the server hard, for so many seconds, and starts it again. Every connection of this test binary dies: no other test may run
    /// beside one that does this.
    pub fn restart_server(&self, down: u32) {
        self.server.restart(down);
    }

    /// How many statements of the store wait for a lock.
    pub async fn waiting_for_locks(&self) -> i64 {
        self.backends("AND wait_event_type = 'Lock'").await
    }

    /// Waits until no connection of the store is left: until the server has noticed that their process is dead, and
    /// ended what was begun on them.
    ///
    /// # Panics
    /// When it does not notice.
    pub async fn is_left(&self) {
        let begun = Instant::now();
        while self.backends("").await > 0 {
            assert!(begun.elapsed() < NOTICES, "the server has not noticed");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn backends(&self, which: &str) -> i64 {
        let count = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND usename = $2 {which}"
        );
        let mut superuser = connect(&self.server.url(SUPERUSER, "postgres")).await;
        let count = sqlx::query_scalar(AssertSqlSafe(count))
            .bind(&self.name)
            .bind(STORE)
            .fetch_one(&mut superuser)
            .await
            .unwrap();
        superuser.close().await.unwrap();
        count
    }
}

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

/// Runs statements that have to succeed.
pub async fn execute(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// The server with its roles and the database that is copied.
async fn prepared() -> &'static Server {
    static PREPARED: OnceCell<()> = OnceCell::const_new();
    let Some(server) = server() else {
        // The tests of this binary are about nothing else: it ends here, and none of them is reported as passed.
        process::exit(0);
    };
    PREPARED
        .get_or_init(|| async {
            let mut superuser = connect(&server.url(SUPERUSER, "postgres")).await;
            let roles = format!(
                "CREATE ROLE {OWNER} LOGIN NOSUPERUSER NOBYPASSRLS; CREATE ROLE {STORE} LOGIN NOSUPERUSER NOBYPASSRLS"
            );
            execute(&mut superuser, &roles).await;
            execute(&mut superuser, &format!("CREATE DATABASE {TEMPLATE} OWNER {OWNER} TEMPLATE template0")).await;
            superuser.close().await.unwrap();
            regentra_sync_postgres::migrate(&server.url(OWNER, TEMPLATE), STORE).await.unwrap();
        })
        .await;
    server
}

/// A database with the store's schema and nothing in it.
pub async fn database() -> Database {
    Database::create(prepared().await, Some(TEMPLATE)).await
}

/// A database without any schema of ours.
pub async fn bare_database() -> Database {
    Database::create(prepared().await, None).await
}

/// A new, empty store and its database, as the conformance laws want it.
pub async fn new_store(clock: StoreClock) -> (PostgresStore, Database) {
    let database = database().await;
    (database.store().await.with_clock(clock), database)
}

/// A clock for a store that is used at the time of the laws' fixtures, whatever the day is.
pub fn clock() -> StoreClock {
    StoreClock::of(world::clock())
}
