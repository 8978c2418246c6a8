//! What an operator may ask about accounts, and how it is done: the same whether the server
//! runs or the command line holds the store itself.

use crate::{
    clock::Clock,
    limits::{Limits, PAGE_ACCOUNTS_MAX},
    meters::Meters,
    post::Post,
    shell::Hashing,
    writer::{self, Queue},
};
use engine::{
    parcel::{Order, Parcel},
    port::{Fault, Reads, Store},
    stream::machine::Secret,
    unit::{Change, Unit},
    wire::Bare,
};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// What an operator asks. Its JSON is the language of `data/waxwing.sock`.
#[derive(Deserialize, Serialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Request {
    /// Makes an account.
    UserAdd {
        /// Whose.
        jid: String,
        /// In the clear: the socket is the operator's own.
        password: String,
    },
    /// Gives an account another password; its sessions end.
    UserPasswd {
        /// Whose.
        jid: String,
        /// The new one.
        password: String,
    },
    /// Removes an account with all it owns; its sessions end.
    UserDelete {
        /// Whose.
        jid: String,
    },
    /// The accounts of a domain, a page of them.
    UserList {
        /// A domain that is served.
        domain: String,
        /// The local part that the page begins behind.
        after: Option<String>,
    },
}

impl fmt::Debug for Request {
    /// Never a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UserAdd { .. } => "UserAdd",
            Self::UserPasswd { .. } => "UserPasswd",
            Self::UserDelete { .. } => "UserDelete",
            Self::UserList { .. } => "UserList",
        })
    }
}

/// The answer.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It is done, and durable.
    Done,
    /// A page of accounts, in order; the last when empty.
    Accounts(Vec<String>),
    /// It is not, and why.
    Failed(String),
}

/// Does what operators ask.
#[derive(Clone)]
pub struct Operator {
    pub(crate) domains: Arc<[Bare]>,
    pub(crate) store: Arc<dyn Reads>,
    pub(crate) writer: Queue,
    pub(crate) hashing: Arc<Hashing>,
    pub(crate) post: Arc<Post>,
}

impl Operator {
    /// One that holds the store itself, because no server runs.
    ///
    /// # Errors
    /// The store is away.
    pub async fn alone(domains: Vec<Bare>, store: Arc<dyn Store>) -> Result<Self, Fault> {
        let limits = Limits::default();
        let (queue, post) = (Queue::default(), Post::new(limits, 1));
        let host = writer::Host {
            store: store.clone(),
            queue: queue.clone(),
            clock: Clock::start(),
            post: post.clone(),
            meters: Arc::new(Meters::new()),
        };
        let last = store.last().await?;
        tokio::spawn(host.run(last, limits.store_patience_ms));
        let hashing = Hashing::new(1);
        Ok(Self { domains: domains.into(), store, writer: queue, hashing, post })
    }

    /// Does it.
    pub async fn answer(&self, request: Request) -> Answer {
        self.obey(request).await.unwrap_or_else(Answer::Failed)
    }

    async fn obey(&self, request: Request) -> Result<Answer, String> {
        match request {
            Request::UserAdd { jid, password } => {
                let jid = self.account(&jid)?;
                if self.exists(&jid).await? {
                    return Err(format!("{jid} exists already"));
                }
                let keys = self.hash(password).await?;
                self.commit(Change::Create(jid, keys)).await
            }
            Request::UserPasswd { jid, password } => {
                let jid = self.existing(&jid).await?;
                let keys = self.hash(password).await?;
                let done = self.commit(Change::Password(jid.clone(), keys)).await?;
                self.post.deliver(Parcel::Order(jid, Order::PasswordChanged));
                Ok(done)
            }
            Request::UserDelete { jid } => {
                let jid = self.existing(&jid).await?;
                let done = self.commit(Change::Delete(jid.clone())).await?;
                self.post.deliver(Parcel::Order(jid, Order::Deleted));
                Ok(done)
            }
            Request::UserList { domain, after } => {
                let domain = Bare::host(&domain).map_err(|error| format!("{domain}: {error}"))?;
                self.served(&domain)?;
                let page = self.store.accounts(&domain, after.as_deref(), PAGE_ACCOUNTS_MAX).await;
                let page = page.map_err(|fault| fault.to_string())?;
                Ok(Answer::Accounts(page.iter().map(ToString::to_string).collect()))
            }
        }
    }

    fn account(&self, jid: &str) -> Result<Bare, String> {
        let bare = Bare::parse(jid).map_err(|error| format!("{jid}: {error}"))?;
        if bare.local().is_none() {
            return Err(format!("{jid}: an account has a name before the @, such as juliet@{jid}"));
        }
        self.served(&bare)?;
        Ok(bare)
    }

    fn served(&self, of: &Bare) -> Result<(), String> {
        if self.domains.iter().any(|domain| domain.domain() == of.domain()) {
            return Ok(());
        }
        let served: Vec<_> = self.domains.iter().map(|domain| domain.domain()).collect();
        Err(format!("{of}: this server serves {}", served.join(", ")))
    }

    async fn existing(&self, jid: &str) -> Result<Bare, String> {
        let jid = self.account(jid)?;
        match self.exists(&jid).await? {
            true => Ok(jid),
            false => Err(format!("{jid} does not exist")),
        }
    }

    async fn exists(&self, jid: &Bare) -> Result<bool, String> {
        let found = self.store.credentials(jid).await.map_err(|fault| fault.to_string())?;
        Ok(found.is_some())
    }

    async fn hash(&self, password: String) -> Result<engine::unit::Credentials, String> {
        if password.is_empty() {
            return Err("an empty password is none".to_owned());
        }
        let keys = self.hashing.derive(Secret(password)).await;
        keys.ok_or_else(|| "the password could not be hashed".to_owned())
    }

    async fn commit(&self, change: Change) -> Result<Answer, String> {
        let unit = Unit { changes: vec![change], ..Unit::default() };
        match self.writer.commit(unit).await {
            Ok(_) => Ok(Answer::Done),
            Err(fault) => Err(fault.to_string()),
        }
    }
}
