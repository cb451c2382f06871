//! A private Postgres server on loopback for the tests of a process.
//!
//! A shell watches a pipe from the test process. When the process ends, however it ends, the shell stops the server and removes
//! its files.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// Makes tests fail where Postgres is missing.
const NEEDED: &str = "KLING_OMNI_NEEDS_POSTGRES";
/// Where Debian has the programs of each version.
const DEBIAN: &str = "/usr/lib/postgresql";
const SUPERUSER: &str = "postgres";
/// Far longer than a start or a stop takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the server `"$@"` until a line with the name of a signal comes. The end of the input ends the server at once, and
/// removes its files.
const WATCHER: &str = r#"
exec 3<&0
"$@" 3<&- </dev/null &
server=$!
(
    if read -r signal <&3; then ended=0; else signal=QUIT ended=7; fi
    # The server may end at once, and this process is ended after it.
    trap '' TERM
    kill -s "$signal" $server
    exit $ended
) &
reader=$!
wait $server
kill $reader 2>/dev/null
wait $reader
if [ $? = 7 ]; then rm -rf "$KLING_OMNI_DATA"; fi
"#;

/// Whether a commit waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fsync {
    /// It does, as in production.
    On,
    /// It does not: a stopped server keeps what was committed, a machine that loses power does not.
    Off,
}

/// A server, which stops when the process ends.
#[derive(Debug)]
pub struct PostgresServer {
    programs: PathBuf,
    owner: Option<Owner>,
    data: PathBuf,
    port: u16,
    databases: AtomicU32,
    is_shared: bool,
    watcher: Mutex<Option<Child>>,
}

/// A database of a server, empty at first. Dropped, another test may get it.
#[derive(Debug)]
pub struct PostgresDatabase {
    /// Its name.
    pub name: String,
    /// Where it is: `postgres://…`.
    pub url: String,
    is_shared: bool,
}

/// Databases of the shared server that no test uses. To empty one is far cheaper than to create one: a new one has three
/// hundred files.
static UNUSED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Empties the database of the session.
const RESET: &str = "
    select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid();
    do $$
    declare name text;
    begin
        execute format('alter database %I reset all', current_database());
        for name in select nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema' loop
            execute format('drop schema %I cascade', name);
        end loop;
        create schema public;
    end
    $$";

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        if self.is_shared {
            UNUSED.lock().unwrap().push(std::mem::take(&mut self.name));
        }
    }
}

/// The user that runs the server for root, whom Postgres refuses.
#[derive(Clone, Copy, Debug)]
struct Owner {
    user: u32,
    group: u32,
}

impl PostgresServer {
    /// The server that all tests of this process share. Without Postgres on this machine, says that the test is skipped.
    ///
    /// # Panics
    ///
    /// Panics without Postgres if `KLING_OMNI_NEEDS_POSTGRES` is set.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<PostgresServer>> = OnceLock::new();
        let start = || {
            let mut server = Self::create(Fsync::Off)?;
            server.is_shared = true;
            Some(server)
        };
        SHARED.get_or_init(start).as_ref()
    }

    /// A server of its own for a test that stops it. As [`shared`](Self::shared), otherwise.
    pub fn create(fsync: Fsync) -> Option<Self> {
        let Some(programs) = programs() else {
            let is_needed = std::env::var_os(NEEDED).is_some_and(|value| value != "0");
            assert!(!is_needed, "no Postgres, and {NEEDED} is set");
            // Not captured by the test harness.
            let _ = writeln!(std::io::stderr(), "skipped: Postgres is not installed");
            return None;
        };
        let owner = Owner::find();
        let data = tempfile::Builder::new()
            .prefix("kling-omni-postgres-")
            .tempdir()
            .unwrap()
            .keep();
        if let Some(owner) = owner {
            chown(&data, Some(owner.user), Some(owner.group)).unwrap();
        }
        let server = Self {
            programs,
            owner,
            data,
            port: free_port(),
            databases: AtomicU32::new(0),
            is_shared: false,
            watcher: Mutex::new(None),
        };
        server.initialize(fsync);
        server.start();
        Some(server)
    }

    /// A server of its own that also accepts TLS. Its certificate is for `127.0.0.1`, and that of its authority is the
    /// [`root_certificate`](Self::root_certificate). Without Postgres or openssl, says that the test is skipped.
    pub fn with_tls() -> Option<Self> {
        let server = Self::create(Fsync::Off)?;
        let openssl = Command::new("openssl").arg("version").output();
        if !openssl.is_ok_and(|openssl| openssl.status.success()) {
            let _ = writeln!(std::io::stderr(), "skipped: openssl is not installed");
            return None;
        }
        server.certify();
        server.immediate_stop();
        let settings = "ssl = on\nssl_cert_file = 'server.pem'\nssl_key_file = 'server.key'\n";
        server.configure(settings);
        server.start();
        Some(server)
    }

    /// The certificate of the authority of a server with TLS.
    pub fn root_certificate(&self) -> PathBuf {
        self.data.join("root.pem")
    }

    /// Makes an authority, and the certificate of the server.
    fn certify(&self) {
        let new_key = [
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ];
        for (name, subject, more) in [
            (
                "root",
                "/CN=authority of a test",
                ["-addext", "basicConstraints=critical,CA:TRUE"].as_slice(),
            ),
            (
                "server",
                "/CN=server of a test",
                &[
                    "-addext",
                    "basicConstraints=critical,CA:FALSE",
                    "-addext",
                    "subjectAltName=IP:127.0.0.1",
                    "-CA",
                    "root.pem",
                    "-CAkey",
                    "root.key",
                ],
            ),
        ] {
            let mut openssl = self.server_command("/usr/bin/env");
            openssl.arg("openssl");
            openssl
                .args(["req", "-x509", "-subj", subject])
                .args(new_key);
            openssl.args([
                "-keyout",
                &format!("{name}.key"),
                "-out",
                &format!("{name}.pem"),
            ]);
            succeed(openssl.args(more));
        }
        let key = self.data.join("server.key");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(key, mode).unwrap();
    }

    fn configure(&self, settings: &str) {
        let file = self.data.join("postgresql.conf");
        let mut file = File::options().append(true).open(file).unwrap();
        file.write_all(settings.as_bytes()).unwrap();
    }

    fn initialize(&self, fsync: Fsync) {
        let mut initdb = self.server_command("initdb");
        initdb
            .args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C"])
            .args(["--username", SUPERUSER, "--pgdata"])
            .arg(&self.data);
        succeed(&mut initdb);
        let fsync = match fsync {
            Fsync::On => "on",
            Fsync::Off => "off",
        };
        let settings = format!(
            "listen_addresses = '127.0.0.1'\n\
             port = {}\n\
             unix_socket_directories = ''\n\
             fsync = {fsync}\n\
             max_connections = 300\n\
             shared_buffers = 32MB\n",
            self.port
        );
        self.configure(&settings);
    }

    /// An empty database.
    pub fn new_database(&self) -> PostgresDatabase {
        let unused = match self.is_shared {
            true => UNUSED.lock().unwrap().pop(),
            false => None,
        };
        let name = match unused {
            Some(name) => {
                self.query(&name, RESET);
                name
            }
            None => {
                let number = self.databases.fetch_add(1, Ordering::Relaxed);
                let name = format!("test_{number}");
                self.query(SUPERUSER, &format!("create database {name}"));
                name
            }
        };
        PostgresDatabase {
            url: self.url(self.port, &name),
            name,
            is_shared: self.is_shared,
        }
    }

    /// The URL of a database through a proxy at this port, or at the server itself.
    pub fn url(&self, port: u16, database: &str) -> String {
        format!("postgres://{SUPERUSER}@127.0.0.1:{port}/{database}?sslmode=disable")
    }

    /// The port of the server. It stays the same after a stop.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs statements in a database. Returns the rows as text, with `|` between columns.
    pub fn query(&self, database: &str, sql: &str) -> String {
        let mut psql = self.command("psql");
        let port = self.port.to_string();
        psql.args(["-h", "127.0.0.1", "-p", &port, "-U", SUPERUSER])
            .args(["-v", "ON_ERROR_STOP=1", "-XqAt", "-d", database, "-c", sql]);
        let output = succeed(&mut psql);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Ends all connections to a database, as an administrator does. Returns how many.
    pub fn terminate_backends(&self, database: &str) -> usize {
        let sql = format!(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity \
             where datname = '{database}' and pid <> pg_backend_pid()"
        );
        self.query(SUPERUSER, &sql).parse().unwrap()
    }

    /// Stops the server as a crash does: no connection is told, nothing is written.
    pub fn immediate_stop(&self) {
        let watcher = self.watcher.lock().unwrap().take();
        let mut watcher = watcher.expect("the server is stopped");
        let mut input = watcher.stdin.take().unwrap();
        input.write_all(b"QUIT\n").unwrap();
        watcher.wait().unwrap();
    }

    /// Starts the server after a stop, and returns when it accepts connections.
    pub fn start(&self) {
        let begin = Instant::now();
        loop {
            let state = self.data.join("postmaster.pid");
            // A stopped server may have left it.
            let _ = fs::remove_file(&state);
            let mut watcher = self.spawn();
            while watcher.try_wait().unwrap().is_none() {
                if is_ready(&state) {
                    *self.watcher.lock().unwrap() = Some(watcher);
                    return;
                }
                thread::sleep(Duration::from_millis(10));
            }
            // Another process may have the port for a moment.
            assert!(begin.elapsed() < PATIENCE, "no start: {}", self.log());
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn spawn(&self) -> Child {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file())
            .unwrap();
        let mut watcher = self.server_command("/bin/sh");
        watcher
            .args(["-c", WATCHER, "sh"])
            .arg(self.programs.join("postgres"))
            .arg("-D")
            .arg(&self.data)
            .env("KLING_OMNI_DATA", &self.data)
            // The signals of a terminal are for the tests.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        watcher.spawn().unwrap()
    }

    fn log_file(&self) -> PathBuf {
        self.data.join("log")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// A program of Postgres, or one with an absolute path.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(self.programs.join(program.as_ref()));
        command.current_dir(&self.data).env_remove("PGOPTIONS");
        command
    }

    /// As [`command`](Self::command), as a user whom Postgres accepts.
    fn server_command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.command(program);
        if let Some(owner) = self.owner {
            command.uid(owner.user).gid(owner.group);
        }
        command
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let watcher = self.watcher.get_mut().unwrap().take();
        match watcher {
            Some(mut watcher) => {
                drop(watcher.stdin.take());
                let _ = watcher.wait();
            }
            None => {
                let _ = fs::remove_dir_all(&self.data);
            }
        }
    }
}

impl Owner {
    /// The user `postgres`, or one without rights, for root.
    fn find() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let users = fs::read_to_string("/etc/passwd").unwrap();
        let ids = users.lines().find_map(|line| {
            let mut ids = line.strip_prefix("postgres:")?.split(':').skip(1);
            let mut id = || ids.next()?.parse().ok();
            Some((id()?, id()?))
        });
        let (user, group) = ids.unwrap_or((65534, 65534));
        Some(Self { user, group })
    }
}

/// The folder with the programs of the newest version: that of `PATH`, or that of Debian, which is not in `PATH`.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = fs::read_dir(DEBIAN).into_iter().flatten().flatten();
    let number = |version: &Path| version.file_name()?.to_str()?.parse::<u32>().ok();
    let mut versions: Vec<_> = versions.map(|entry| entry.path()).collect();
    versions.sort_by_key(|version| std::cmp::Reverse(number(version)));
    let versions = versions.into_iter().map(|version| version.join("bin"));
    let is_complete = |folder: &PathBuf| {
        ["initdb", "postgres", "psql"]
            .iter()
            .all(|program| folder.join(program).is_file())
    };
    std::env::split_paths(&path)
        .chain(versions)
        .find(is_complete)
}

/// A port that is free now.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Whether the server says in its file that it accepts connections.
fn is_ready(state: &Path) -> bool {
    let state = fs::read_to_string(state).unwrap_or_default();
    let status = state.lines().nth(7);
    status.is_some_and(|status| status.trim() == "ready")
}

fn succeed(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    output
}
