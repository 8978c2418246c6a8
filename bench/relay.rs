//! Program `relay`: what the kernel and TLS take of a message by themselves. It passes bytes from
//! one TLS connection on to others, and knows nothing of XML, accounts or logs. `limit` is its
//! load.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use clap::Args;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::outcome::Outcome;

/// What a connection begins with: whether it listens, and its group, which hears all that is said
/// in it.
pub const HELLO_BYTES: usize = 3;
/// Most of what is read at once: a record of TLS.
const INPUT_BYTES: usize = 16 * 1024;

/// Options of `relay`.
#[derive(Args)]
pub struct RelayArgs {
    /// Where it listens
    #[arg(long)]
    listen: SocketAddr,
    /// PEM
    #[arg(long)]
    certificate: PathBuf,
    /// PEM
    #[arg(long)]
    key: PathBuf,
}

/// Who listens in a group. Their queues need no limit: `limit` bounds what is under way.
type Group = Arc<Mutex<Vec<UnboundedSender<Arc<[u8]>>>>>;
type Groups = Arc<Mutex<HashMap<[u8; 2], Group>>>;

/// Relays until it is ended.
///
/// # Errors
/// When it cannot listen, or has no certificate.
pub async fn run(args: RelayArgs) -> Result<Outcome> {
    let chain = CertificateDer::pem_file_iter(&args.certificate)?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(&args.key)?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(args.listen).await.context("listening")?;
    let groups = Groups::default();
    loop {
        let (socket, _) = listener.accept().await?;
        tokio::spawn(serve(acceptor.clone(), socket, groups.clone()));
    }
}

/// One connection, until it ends. What is waiting for it leaves in one record.
async fn serve(acceptor: TlsAcceptor, socket: TcpStream, groups: Groups) -> Result<()> {
    socket.set_nodelay(true)?;
    let mut stream = acceptor.accept(socket).await?;
    let mut hello = [0; HELLO_BYTES];
    stream.read_exact(&mut hello).await?;
    let group = {
        let mut groups = groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.entry([hello[1], hello[2]]).or_default().clone()
    };
    let (listens, mut heard) = unbounded_channel();
    if hello[0] == 1 {
        group.lock().unwrap_or_else(PoisonError::into_inner).push(listens);
    }
    // The limit's load begins when all have been heard.
    stream.write_all(&hello).await?;
    stream.flush().await?;
    let (mut input, mut output) = ([0; INPUT_BYTES], Vec::new());
    loop {
        tokio::select! {
            biased;
            Some(bytes) = heard.recv() => {
                output.extend_from_slice(&bytes);
                while let Ok(bytes) = heard.try_recv() {
                    output.extend_from_slice(&bytes);
                }
                stream.write_all(&output).await?;
                stream.flush().await?;
                output.clear();
            }
            count = stream.read(&mut input) => {
                let bytes: Arc<[u8]> = input[..count?].into();
                if bytes.is_empty() {
                    return Ok(());
                }
                for listener in &*group.lock().unwrap_or_else(PoisonError::into_inner) {
                    // Who has gone hears nothing any more.
                    let _ = listener.send(bytes.clone());
                }
            }
        }
    }
}
