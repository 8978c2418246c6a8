//! How it is done.

use super::{Failure, Kind, Siege};
use crate::audit::{crowd::Crowd, history::Fault, process::Process, shim::Shim};
use std::{thread::sleep, time::Duration};

const FREEZE: Duration = Duration::from_secs(3);
const DEAFNESS: Duration = Duration::from_secs(10);
const FULLNESS: Duration = Duration::from_secs(5);
const SLOWNESS: Duration = Duration::from_secs(5);
const RECOVERY: Duration = Duration::from_secs(2);
const CLOCK: Duration = Duration::from_secs(2);
const HOUR_SECONDS: i64 = 3600;

/// Half a second for every batch, which begins with the fence, as a slow disk would take for a
/// commit.
const SLOW: &str = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \
    $$ BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END $$; \
    CREATE TRIGGER slow AFTER UPDATE ON writer FOR EACH STATEMENT EXECUTE FUNCTION slow()";
const FAST: &str = "DROP TRIGGER slow ON writer; DROP FUNCTION slow()";

/// A server among its devices.
pub struct Scene<'a> {
    siege: &'a Siege<'a>,
    /// Absent only while it is being replaced.
    server: Option<Process>,
    shim: Option<Shim>,
    crowd: &'a Crowd,
    ready: Vec<Duration>,
    more: Vec<(String, String)>,
}

impl<'a> Scene<'a> {
    pub fn new(
        siege: &'a Siege<'a>,
        server: Process,
        shim: Option<Shim>,
        crowd: &'a Crowd,
    ) -> Self {
        let (ready, more) = (Vec::new(), Vec::new());
        Self { siege, server: Some(server), shim, crowd, ready, more }
    }

    /// How long the starts took, what else there is to tell, and the server.
    pub fn end(self) -> (Vec<Duration>, Vec<(String, String)>, Option<Process>) {
        (self.ready, self.more, self.server)
    }

    pub fn strike(&mut self, number: u32) -> Result<(), Failure> {
        match self.siege.kind {
            Kind::Kill => {
                self.crowd.goes(Fault::Kill);
                self.taken()?.kill()?;
                self.start()
            }
            Kind::Power => self.lose_power(),
            Kind::Drain => {
                self.crowd.goes(Fault::Drain);
                let (took, status) = self.taken()?.drain()?;
                self.tell("drained", format!("{} ms, {status}", took.as_millis()));
                self.start()
            }
            Kind::Restore => self.restore(),
            Kind::Cut => {
                self.crowd.cut();
                Ok(())
            }
            Kind::Freeze => self.freeze(),
            Kind::Deaf => self.deafen(),
            Kind::Database => self.restart_database(number),
            Kind::Slow => self.slow_down(),
            Kind::Disk => self.fill_disk(),
            Kind::Sick => self.sicken_disk(),
            Kind::Clock => self.set_clock(),
        }
    }

    fn tell(&mut self, name: &str, value: String) {
        self.more.push((name.to_owned(), value));
    }

    fn taken(&mut self) -> Result<Process, Failure> {
        self.server.take().ok_or_else(|| "there is no server".into())
    }

    fn server(&self) -> Result<&Process, Failure> {
        self.server.as_ref().ok_or_else(|| "there is no server".into())
    }

    fn shim(&self) -> Result<&Shim, Failure> {
        self.shim.as_ref().ok_or_else(|| "there is no shim".into())
    }

    fn start(&mut self) -> Result<(), Failure> {
        let server = self.siege.program.start()?;
        self.ready.push(server.ready);
        self.crowd.returns(server.door);
        self.server = Some(server);
        Ok(())
    }

    fn lose_power(&mut self) -> Result<(), Failure> {
        self.crowd.goes(Fault::PowerLoss);
        self.taken()?.kill()?;
        let lost = self.shim()?.lose_power(&self.siege.program)?;
        self.tell("power", format!("{lost} writes taken back"));
        self.start()
    }

    fn restore(&mut self) -> Result<(), Failure> {
        self.crowd.goes(Fault::Restore);
        self.taken()?.drain()?;
        let program = &self.siege.program;
        let copy = program.folder.join("copy");
        let text = copy.to_string_lossy();
        program.does(&["backup", &text])?;
        match self.siege.postgres {
            Some((postgres, name)) => {
                postgres.sql("postgres", &format!("DROP DATABASE {name}"))?;
                postgres.database(name, None)?;
            }
            None => std::fs::remove_dir_all(program.data())?,
        }
        let said = program.does(&["restore", &text])?;
        std::fs::remove_file(&copy)?;
        self.tell("restore", said.trim().to_owned());
        self.start()
    }

    fn freeze(&self) -> Result<(), Failure> {
        self.crowd.suffers(Fault::Other);
        self.server()?.signal("STOP")?;
        sleep(FREEZE);
        Ok(self.server()?.signal("CONT")?)
    }

    fn deafen(&mut self) -> Result<(), Failure> {
        let before = self.server()?.rss_kib().unwrap_or_default();
        self.crowd.suffers(Fault::Other);
        self.crowd.deafen(true);
        sleep(DEAFNESS);
        let while_deaf = self.server()?.rss_kib().unwrap_or_default();
        self.crowd.deafen(false);
        self.tell("memory KiB", format!("{before} before, {while_deaf} while some are deaf"));
        Ok(())
    }

    fn restart_database(&mut self, number: u32) -> Result<(), Failure> {
        let (postgres, _) = self.siege.postgres.ok_or("there is no PostgreSQL")?;
        self.crowd.suffers(Fault::Database);
        let before = self.server()?.rss_kib().unwrap_or_default();
        postgres.restart(!number.is_multiple_of(2))?;
        let after = self.server()?.rss_kib().unwrap_or_default();
        let online = self.crowd.online();
        self.tell("database", format!("{online} online, memory {before} KiB, then {after}"));
        Ok(())
    }

    fn slow_down(&mut self) -> Result<(), Failure> {
        let (postgres, name) = self.siege.postgres.ok_or("there is no PostgreSQL")?;
        self.crowd.suffers(Fault::Database);
        postgres.sql(name, SLOW)?;
        sleep(SLOWNESS);
        let online = self.crowd.online();
        postgres.sql(name, FAST)?;
        self.tell("slow", format!("{online} online at the end of it"));
        Ok(())
    }

    fn fill_disk(&mut self) -> Result<(), Failure> {
        self.crowd.suffers(Fault::Other);
        self.shim()?.fill(true)?;
        sleep(FULLNESS);
        let online = self.crowd.online();
        self.shim()?.fill(false)?;
        self.tell("full", format!("{online} online at the end of it"));
        Ok(())
    }

    fn sicken_disk(&mut self) -> Result<(), Failure> {
        self.crowd.goes(Fault::Kill);
        self.shim()?.sicken(true)?;
        let (took, status) = self.taken()?.ends()?;
        self.shim()?.sicken(false)?;
        if status.success() {
            return Err("a server whose disk does not sync has ended as if all were well".into());
        }
        self.tell("sick", format!("ended after {} ms, {status}", took.as_millis()));
        self.start()?;
        sleep(RECOVERY);
        self.lose_power()
    }

    fn set_clock(&self) -> Result<(), Failure> {
        for seconds in [HOUR_SECONDS, 0, -HOUR_SECONDS, 0] {
            self.crowd.suffers(Fault::Other);
            self.shim()?.set_clock(seconds)?;
            sleep(CLOCK);
        }
        Ok(())
    }
}
