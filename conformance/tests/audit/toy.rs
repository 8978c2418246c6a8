//! A server that knows just enough to be audited, keeps its promises, and breaks one when it is
//! told to. What is in `Kept` survives `kill`; nothing else does.

mod connection;
mod kept;

use conformance::audit::link::{Begin, Door};
use kept::Kept;
use std::{
    collections::HashMap,
    io::Write,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// Which promise is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    None,
    /// No bug: a kill ends all sessions, as it does with `NoDedupe`.
    ForgetsSessions,
    AckBeforeCommit,
    AckAhead,
    LostBatch,
    Reorder,
    NoDedupe,
    DuplicateOnResume,
    RenamedOnResume,
    DroppedCarbon,
    WrongCursor,
}

/// How often what waits is written.
const COMMIT: Duration = Duration::from_millis(15);
/// Messages in one commit; some wait for the next.
const BATCH: usize = 8;
/// The same for bugs that show only while something waits.
const SMALL_BATCH: usize = 2;
/// Every so many commits, a bug of commits shows.
const RARELY: u64 = 7;

/// A message that waits to be written.
struct Unit {
    session: String,
    /// Its number among the stanzas of the session.
    number: u32,
    row: kept::Message,
}

/// A session with a connection.
struct Live {
    socket: TcpStream,
    received: u32,
    /// What was sent and not acknowledged: places in the log, or stanzas that are in none.
    out: Vec<Option<usize>>,
    available: bool,
    /// Which connection it is.
    serial: u64,
}

#[derive(Default)]
struct World {
    kept: Kept,
    live: HashMap<String, Live>,
    /// Of sessions without a connection: what they were sent and have not acknowledged.
    left: HashMap<String, Vec<Option<usize>>>,
    waiting: Vec<Unit>,
    commits: u64,
    kills: u32,
    serials: u64,
    sockets: Vec<TcpStream>,
}

/// The toy.
pub struct Toy {
    bug: Bug,
    address: SocketAddr,
    world: Arc<Mutex<World>>,
}

impl Toy {
    pub fn start(bug: Bug) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let world = Arc::new(Mutex::new(World::default()));
        let at = Arc::clone(&world);
        thread::spawn(move || {
            for socket in listener.incoming() {
                let (socket, at) = (socket.unwrap(), Arc::clone(&at));
                thread::spawn(move || connection::serve(bug, socket, &at));
            }
        });
        let at = Arc::downgrade(&world);
        thread::spawn(move || {
            while let Some(world) = at.upgrade() {
                lock(&world).commit(bug);
                drop(world);
                thread::sleep(COMMIT);
            }
        });
        Self { bug, address, world }
    }

    pub fn door(&self) -> Door {
        Door { address: self.address, begin: Begin::Clear }
    }

    /// All that is not kept is gone.
    pub fn kill(&self) {
        let mut world = lock(&self.world);
        world.waiting.clear();
        world.live.clear();
        world.left.clear();
        if matches!(self.bug, Bug::ForgetsSessions | Bug::NoDedupe) {
            world.kept.forget();
        }
        world.kills += 1;
        for socket in world.sockets.drain(..) {
            // It may have ended already.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// Writes a batch, then acknowledges and delivers it.
    fn commit(&mut self, bug: Bug) {
        let early = matches!(bug, Bug::AckBeforeCommit | Bug::AckAhead);
        let count = self.waiting.len().min(if early { SMALL_BATCH } else { BATCH });
        let mut batch: Vec<Unit> = self.waiting.drain(..count).collect();
        self.commits += 1;
        let rarely = self.commits.is_multiple_of(RARELY);
        if bug == Bug::Reorder && rarely {
            batch.reverse();
        }
        let mut logs = Vec::new();
        for Unit { session, number, row } in batch {
            let ahead = self.live.get(&session).map_or(number, |live| live.received);
            let h = if bug == Bug::AckAhead { ahead } else { number };
            let h = self.kept.settle(&session, h);
            logs.extend([row.from.clone(), row.to.clone()]);
            if !(bug == Bug::LostBatch && rarely) {
                self.kept.keep(row, bug != Bug::NoDedupe);
            }
            // Whoever is told at once has nothing to say again.
            let told = bug != Bug::NoDedupe;
            if let Some(live) = self.live.get_mut(&session).filter(|_| told) {
                say(&mut live.socket, &format!("<a xmlns='urn:xmpp:sm:3' h='{h}'/>"));
            }
        }
        let sessions: Vec<_> = self.live.keys().cloned().collect();
        for session in sessions {
            if logs.contains(&self.kept.session(&session).account) {
                self.deliver(&session, false);
            }
        }
    }

    /// Sends what the session has not been sent.
    fn deliver(&mut self, session: &str, delay: bool) {
        let Some(live) = self.live.get_mut(session).filter(|live| live.available) else { return };
        let device = self.kept.session(session).clone();
        let rows = self.kept.rows(&device.account);
        for place in device.cursor..rows {
            if let Some(text) = self.kept.stanza(&device, place, delay, "") {
                live.out.push(Some(place));
                say(&mut live.socket, &text);
            }
        }
        self.kept.moved(session, rows);
    }
}

/// A connection that has ended is told nothing; its reader sees that.
fn say(socket: &mut TcpStream, text: &str) {
    let _ = socket.write_all(text.as_bytes());
}
