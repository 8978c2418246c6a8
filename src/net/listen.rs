//! Sockets that wait for clients, and how many of them may come.

use crate::{
    arrival::{self, Port},
    http::Web,
    limits::{ARRIVALS_KEPT_ADDRESSES_MAX, BACKLOG_CONNECTIONS_MAX, EXHAUSTED_PAUSE, Limits},
    logins::{Count, Pace, Table},
};
use socket2::SockRef;
use std::{
    collections::{HashMap, hash_map::Entry},
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::{Notify, watch},
};

/// An address that cannot be listened on.
#[derive(Debug)]
pub struct Taken {
    /// The setting that names it.
    pub setting: &'static str,
    /// The address.
    pub address: SocketAddr,
    /// Why not.
    pub error: io::Error,
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { setting, address, error } = self;
        write!(f, "cannot listen on {address} ({setting}): ")?;
        match error.kind() {
            io::ErrorKind::AddrInUse => f.write_str("another process does already"),
            io::ErrorKind::PermissionDenied => f.write_str("ports below 1024 are not ours to take"),
            io::ErrorKind::AddrNotAvailable => f.write_str("this machine has no such address"),
            _ => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for Taken {}

/// Listens on all addresses of a setting.
///
/// # Errors
/// The first that is taken. Needs a runtime.
pub fn bind(setting: &'static str, to: &[SocketAddr]) -> Result<Vec<TcpListener>, Taken> {
    to.iter().map(|&address| bind_one(setting, address, to)).collect()
}

/// Listens on one of the addresses of a setting.
///
/// # Errors
/// It is taken. Needs a runtime.
pub fn bind_one(
    setting: &'static str,
    address: SocketAddr,
    named: &[SocketAddr],
) -> Result<TcpListener, Taken> {
    let listen = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        if has_own_v4(address, named) {
            SockRef::from(&socket).set_only_v6(true)?;
        }
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG_CONNECTIONS_MAX)
    };
    listen().map_err(|error| Taken { setting, address, error })
}

/// Whether all addresses of IPv6 are named, and those of IPv4 by themselves: by itself `[::]` has
/// both, and the second could not be had.
fn has_own_v4(address: SocketAddr, named: &[SocketAddr]) -> bool {
    let is_v4 = |other: &SocketAddr| other.is_ipv4() && other.port() == address.port();
    address.is_ipv6() && address.ip().is_unspecified() && named.iter().any(is_v4)
}

/// Takes clients until the server stops.
pub(crate) async fn accept(
    listener: TcpListener,
    port: Port,
    web: Arc<Web>,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stopping| *stopping) => return,
        };
        match accepted {
            Ok((socket, peer)) => arrival::meet(&web, socket, peer, port, &stopping),
            Err(error) if is_of_the_peer(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept connections");
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
}

fn is_of_the_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// How many are here, altogether and from each address.
#[derive(Debug)]
pub(crate) struct Gate {
    limits: Limits,
    count: AtomicUsize,
    /// How many of them are of HTTP.
    guests: AtomicUsize,
    addresses: Mutex<HashMap<IpAddr, usize>>,
    /// How many have come lately.
    arrivals: Mutex<Table<IpAddr, Count>>,
    began: Instant,
    empty: Notify,
}

/// One that is here; from where, may not be known yet.
#[derive(Debug)]
pub(crate) struct Entrant(Arc<Gate>);

/// One that is here and no stream.
#[derive(Debug)]
pub(crate) struct Seat(Arc<Gate>);

/// One that is here, counted at its address.
#[derive(Debug)]
pub(crate) struct Pass {
    entrant: Entrant,
    address: IpAddr,
}

impl Gate {
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        let (count, guests, addresses, empty) = Default::default();
        let arrivals = Mutex::new(Table::new(ARRIVALS_KEPT_ADDRESSES_MAX));
        let began = Instant::now();
        Arc::new(Self { limits, count, guests, addresses, arrivals, began, empty })
    }

    /// Whether one may come from there now, and counts it; a proxy on this machine may stand for
    /// everybody (RFC 6120 §13.12, item 2).
    fn arrives(&self, address: IpAddr, ms: u64) -> bool {
        let max = self.limits.connections_per_address_per_minute_max;
        if address.is_loopback() || max == 0 {
            return true;
        }
        let pace = Pace::new(max, 60_000);
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        let lately = arrivals.entry(address);
        let may = !lately.is_full(ms);
        if may {
            lately.add(ms, &pace);
        }
        may
    }

    fn addresses(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets one in.
    ///
    /// # Errors
    /// The limit that is reached.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Pass, &'static str> {
        self.enter()?.from(address)
    }

    /// Lets one in of whom it is not known yet whence it comes.
    ///
    /// # Errors
    /// The limit that is reached.
    pub(crate) fn enter(self: &Arc<Self>) -> Result<Entrant, &'static str> {
        if self.count.fetch_add(1, Ordering::Relaxed) >= self.limits.connections_max {
            self.leave();
            return Err("connections_max");
        }
        Ok(Entrant(self.clone()))
    }

    fn leave(&self) {
        if self.count.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.empty.notify_waiters();
        }
    }

    /// How many are here and no streams.
    pub(crate) fn guests(&self) -> usize {
        self.guests.load(Ordering::Relaxed)
    }

    /// How many are here.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Waits until nobody is here.
    pub(crate) async fn empty(&self) {
        loop {
            let empty = self.empty.notified();
            if self.count() == 0 {
                return;
            }
            empty.await;
        }
    }
}

impl Entrant {
    /// Counts it at its address, too.
    ///
    /// # Errors
    /// The limit that is reached.
    pub(crate) fn from(self, address: IpAddr) -> Result<Pass, &'static str> {
        let address = network(address);
        let ms = u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if !self.0.arrives(address, ms) {
            return Err("connections_per_address_per_minute_max");
        }
        let mut addresses = self.0.addresses();
        let here = addresses.entry(address).or_default();
        if (1..=*here).contains(&self.0.limits.connections_per_address_max) {
            return Err("connections_per_address_max");
        }
        *here += 1;
        drop(addresses);
        Ok(Pass { entrant: self, address })
    }
}

impl Pass {
    /// Counts it among those of HTTP, too.
    pub(crate) fn seat(&self) -> Seat {
        self.entrant.0.guests.fetch_add(1, Ordering::Relaxed);
        Seat(self.entrant.0.clone())
    }

    /// Whether this gate has let it in.
    pub(crate) fn is_of(&self, gate: &Arc<Gate>) -> bool {
        Arc::ptr_eq(&self.entrant.0, gate)
    }

    /// Where it comes from; of IPv6 the /64.
    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.guests.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Entrant {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut addresses = self.entrant.0.addresses();
        if let Entry::Occupied(mut here) = addresses.entry(self.address) {
            *here.get_mut() -= 1;
            if *here.get() == 0 {
                here.remove();
            }
        }
    }
}

/// An IPv6 peer usually owns a whole /64, but for this machine.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) if !six.is_loopback() => {
            IpAddr::V6((six.to_bits() & !u128::from(u64::MAX)).into())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(gate: &Arc<Gate>, address: &str) -> Result<Pass, &'static str> {
        gate.admit(address.parse().unwrap())
    }

    #[tokio::test]
    async fn the_gate_counts_all_and_each_address() {
        let limits =
            Limits { connections_max: 3, connections_per_address_max: 2, ..Limits::default() };
        let gate = Gate::new(limits);
        let first = admit(&gate, "192.0.2.1").unwrap();
        let _second = admit(&gate, "::ffff:192.0.2.1").unwrap();
        assert_eq!(admit(&gate, "192.0.2.1").unwrap_err(), "connections_per_address_max");
        let third = admit(&gate, "2001:db8::1").unwrap();
        assert_eq!(admit(&gate, "2001:db8::2").unwrap_err(), "connections_max");
        drop((first, third));
        let _fourth = admit(&gate, "192.0.2.1").unwrap();
        assert_eq!(gate.addresses().len(), 1);
    }

    #[tokio::test]
    async fn all_addresses_of_both_families_may_be_named() {
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let any: SocketAddr = "0.0.0.0:0".parse().unwrap();
        let free = port(&bind("listen.c2s", &[any]).unwrap()[0]);
        let both = [format!("0.0.0.0:{free}"), format!("[::]:{free}")];
        let both = both.map(|address| address.parse().unwrap());
        let listeners = bind("listen.c2s", &both).unwrap();
        assert_eq!(listeners.iter().map(port).collect::<Vec<_>>(), [free, free]);
        drop(listeners);
        // By itself that of IPv6 takes both.
        let _six = bind("listen.c2s", &both[1..]).unwrap();
        assert!(bind("listen.c2s", &both[..1]).is_err());
    }

    #[tokio::test]
    async fn where_all_come_from_one_address_none_is_counted() {
        let limits = Limits {
            connections_per_address_max: 0,
            connections_per_address_per_minute_max: 0,
            ..Limits::default()
        };
        let gate = Gate::new(limits);
        let passes: Vec<_> = (0..20_000).map(|_| admit(&gate, "192.0.2.1").unwrap()).collect();
        assert_eq!(gate.count(), passes.len());
    }

    #[test]
    fn so_many_come_from_an_address_within_a_minute_rfc6120_13_12() {
        let limits = Limits { connections_per_address_per_minute_max: 6, ..Limits::default() };
        let gate = Gate::new(limits);
        let come = |ms, address: &str, times| {
            let address = network(address.parse().unwrap());
            (0..times).filter(|_| gate.arrives(address, ms)).count()
        };
        assert_eq!(come(5, "192.0.2.1", 9), 6);
        assert_eq!(come(5, "192.0.2.2", 3), 3, "another address");
        assert_eq!((come(60_004, "192.0.2.1", 9), come(60_005, "192.0.2.1", 9)), (0, 6));
        assert_eq!(come(5, "2001:db8::1", 4) + come(5, "2001:db8::2", 4), 6, "one network");
        assert_eq!(come(5, "127.0.0.1", 99) + come(5, "::1", 99), 198);
    }

    #[tokio::test]
    async fn who_comes_too_often_is_turned_away_by_the_name_of_the_limit() {
        let limits = Limits { connections_per_address_per_minute_max: 2, ..Limits::default() };
        let gate = Gate::new(limits);
        for _ in 0..2 {
            drop(admit(&gate, "192.0.2.1").unwrap());
        }
        let refused = admit(&gate, "192.0.2.1").unwrap_err();
        assert_eq!(refused, "connections_per_address_per_minute_max");
        assert_eq!(gate.count(), 0);
    }

    #[tokio::test]
    async fn the_gate_tells_when_the_last_has_gone() {
        let gate = Gate::new(Limits::default());
        let pass = admit(&gate, "2001:db8::1").unwrap();
        let empty = gate.empty();
        tokio::pin!(empty);
        assert!(futures_pending(&mut empty).await);
        drop(pass);
        empty.await;
        assert!(gate.addresses().is_empty());
    }

    async fn futures_pending(future: &mut (impl Future<Output = ()> + Unpin)) -> bool {
        let mut future = std::pin::Pin::new(future);
        std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_pending()))
            .await
    }
}
