//! A stream that is brought to where the attack begins, and then attacked.

use crate::{
    client::{Client, HEADER},
    server::Server,
};
use std::time::Duration;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

/// Within it a stream whose peer has said goodbye must have ended.
const HANG: Duration = Duration::from_secs(20);

/// Where in a stream's life it is attacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// In the clear, before anything was said.
    Plain,
    /// In the clear, STARTTLS is offered.
    Offered,
    /// Behind TLS, before anything was said.
    Secure,
    /// Behind TLS, SASL is offered.
    Mechanisms,
    /// Stanzas flow.
    Bound,
}

impl Stage {
    pub const ALL: [Self; 5] =
        [Self::Plain, Self::Offered, Self::Secure, Self::Mechanisms, Self::Bound];

    /// Whether the server's header was heard before.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Offered | Self::Mechanisms | Self::Bound)
    }

    /// Whether the small limits are those that count.
    pub fn is_before_auth(self) -> bool {
        self != Self::Bound
    }
}

/// Attacks a new stream at this stage, in pieces of this size. Returns all that the server said
/// since.
pub async fn assault(
    server: &Server,
    stage: Stage,
    resource: &str,
    input: &[u8],
    piece: usize,
) -> Result<Vec<u8>, String> {
    match stage {
        Stage::Plain | Stage::Offered => {
            let mut client = Client::connect(server.starttls()).await;
            if stage == Stage::Offered {
                client.say(HEADER).await;
                client.hear("</stream:features>").await;
            }
            exchange(client.into_inner(), input, piece).await
        }
        Stage::Secure | Stage::Mechanisms => {
            let mut client = Client::starttls(server).await;
            if stage == Stage::Mechanisms {
                client.say(HEADER).await;
                client.hear("</stream:features>").await;
            }
            exchange(client.into_inner(), input, piece).await
        }
        Stage::Bound => {
            let mut client = Client::starttls(server).await;
            client.login(resource).await;
            exchange(client.into_inner(), input, piece).await
        }
    }
}

/// Says all of it, then that nothing more comes; meanwhile hears until the server has ended.
pub async fn exchange<S: AsyncRead + AsyncWrite>(
    socket: S,
    input: &[u8],
    piece: usize,
) -> Result<Vec<u8>, String> {
    let (mut read, mut write) = tokio::io::split(socket);
    let say = async {
        // The server may have ended it in the middle.
        for piece in input.chunks(piece) {
            if write.write_all(piece).await.is_err() || write.flush().await.is_err() {
                return;
            }
        }
        drop(write.shutdown().await);
    };
    let hear = async {
        let mut said = Vec::new();
        // An error: the server has closed a connection in which we were still speaking.
        drop(read.read_to_end(&mut said).await);
        said
    };
    let both = timeout(HANG, async { tokio::join!(say, hear).1 }).await;
    both.map_err(|_| "the stream did not end".to_owned())
}
