//! A PostgreSQL of one's own, for tests and benches: Debian's binaries, a temporary folder, a
//! private socket. It ends with whoever started it, however that ends.

use std::{
    fs,
    io::{Error, Result},
    os::unix::fs::{DirBuilderExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

/// How long it may take to start.
const START_SECONDS_MAX: u64 = 60;

/// The user in the database, and over it.
const USER: &str = "waxwing";

/// Starts the server and waits for the end of its own input, which comes when the one who holds
/// the other end closes it, exits or is killed. Then nothing stays behind.
const KEEP: &str = r#"
    trap '' INT TERM HUP
    folder=$1; shift
    "$@" > "$folder/log" 2>&1 &
    cat > /dev/null
    lock=$folder/data/postmaster.pid
    # It may have been started again, by somebody else.
    read -r server < "$lock" && kill -QUIT "$server"
    while [ -e "$lock" ]; do sleep 0.02; done
    rm -rf -- "$folder"
"#;

/// A server that is running.
pub struct PrivatePostgres {
    folder: PathBuf,
    programs: PathBuf,
    keeper: Child,
}

impl PrivatePostgres {
    /// Makes a cluster and starts it. With `durable` it syncs as in production; without, faster.
    ///
    /// # Errors
    /// When the binaries are absent or do not start: what to install, or what the log says.
    pub fn start(durable: bool) -> Result<Self> {
        let programs = programs()?;
        let folder = folder()?;
        let data = folder.join("data");
        let mut make = as_user(&programs.join("initdb"))?;
        make.args(["--no-sync", "--no-locale", "--encoding=UTF8", "--auth=trust"]);
        make.arg(format!("--username={USER}")).arg("--pgdata").arg(&data);
        if let Err(error) = run(&mut make) {
            fs::remove_dir_all(&folder)?;
            return Err(error);
        }
        let server = as_user(&programs.join("postgres"))?;
        let switch = if durable { "on" } else { "off" };
        let keeper = Command::new("sh")
            .args(["-c", KEEP, "sh"])
            .arg(&folder)
            .arg(server.get_program())
            .args(server.get_args())
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(&folder)
            .args(["-c", "listen_addresses=", "-c", "max_connections=200"])
            .args(["-c", &format!("fsync={switch}"), "-c", "shared_buffers=64MB"])
            .stdin(Stdio::piped())
            .spawn()?;
        let server = Self { folder, programs, keeper };
        server.wait()?;
        Ok(server)
    }

    /// Makes a database, as a copy of `template` if one is named, and tells its URL.
    ///
    /// # Errors
    /// What `createdb` says.
    pub fn database(&self, name: &str, template: Option<&str>) -> Result<String> {
        let mut create = Command::new(self.programs.join("createdb"));
        create.arg("--host").arg(&self.folder).args(["--username", USER]);
        create.args(["--template", template.unwrap_or("template0"), name]);
        run(&mut create)?;
        Ok(format!("postgres://{USER}@localhost/{name}?host={}", self.folder.display()))
    }

    /// Ends it and starts it again. `at_once` leaves what is in its memory to the recovery from its
    /// log; otherwise it ends connections in order, and writes.
    ///
    /// # Errors
    /// What `pg_ctl` says.
    pub fn restart(&self, at_once: bool) -> Result<()> {
        let mut restart = as_user(&self.programs.join("pg_ctl"))?;
        restart.current_dir("/").arg("--pgdata").arg(self.folder.join("data"));
        restart.arg("--log").arg(self.folder.join("data/log"));
        restart.args(["--mode", if at_once { "immediate" } else { "fast" }, "--wait", "restart"]);
        // Not through a pipe: the new server keeps it open.
        match restart.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()? {
            status if status.success() => self.wait(),
            status => Err(Error::other(format!("pg_ctl restart: {status}"))),
        }
    }

    /// Runs SQL in a database.
    ///
    /// # Errors
    /// What `psql` says.
    pub fn sql(&self, database: &str, commands: &str) -> Result<()> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.arg("--host").arg(&self.folder).args(["--username", USER, "--no-psqlrc", "--quiet"]);
        run(psql.args(["--set", "ON_ERROR_STOP=1", "--command", commands, database]))
    }

    /// The folder of its socket, `.s.PGSQL.5432`, and of its log.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn wait(&self) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(START_SECONDS_MAX);
        let mut ready = Command::new(self.programs.join("pg_isready"));
        ready.arg("--quiet").arg("--host").arg(&self.folder);
        while !ready.status()?.success() {
            if Instant::now() > end {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                return Err(Error::other(format!("PostgreSQL did not start: {log}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // The keeper ends by itself now; there is nobody to tell if it does not.
        let _ = self.keeper.wait();
    }
}

/// Where Debian, or the search path, has `initdb` and its like. The newest wins.
fn programs() -> Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<_> =
        versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).collect();
    versions.sort_unstable();
    let debian = versions.iter().rev();
    let debian = debian.map(|version| format!("/usr/lib/postgresql/{version}/bin").into());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = debian.chain(std::env::split_paths(&path)).find(|folder: &PathBuf| {
        ["initdb", "postgres"].iter().all(|program| folder.join(program).is_file())
    });
    found
        .ok_or_else(|| Error::other("PostgreSQL's programs are absent: apt-get install postgresql"))
}

/// A folder of its own, with a name short enough for a socket in it (108 bytes).
fn folder() -> Result<PathBuf> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("waxwing-postgres-{}-{number}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    // What an earlier process of the same number may have left.
    let _ = fs::remove_dir_all(&folder);
    fs::DirBuilder::new().mode(0o700).create(&folder)?;
    if is_root()? {
        let id = |of: &str| -> Result<u32> {
            text(Command::new("id").args([of, "postgres"]))?.parse().map_err(Error::other)
        };
        chown(&folder, Some(id("-u")?), Some(id("-g")?))?;
    }
    Ok(folder)
}

/// PostgreSQL refuses to run as root, so root starts it as its own user.
fn as_user(program: &Path) -> Result<Command> {
    if !is_root()? {
        return Ok(Command::new(program));
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program);
    Ok(command)
}

fn is_root() -> Result<bool> {
    Ok(text(Command::new("id").arg("-u"))? == "0")
}

fn run(command: &mut Command) -> Result<()> {
    text(command).map(drop)
}

/// What a program prints; its complaint, if it fails.
fn text(command: &mut Command) -> Result<String> {
    let program = command.get_program().display().to_string();
    // Not a folder that the user may not look into.
    let output = command.current_dir("/").output();
    let output = output.map_err(|error| Error::other(format!("{program}: {error}")))?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        return Err(Error::other(format!("{program} failed: {told}")));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
