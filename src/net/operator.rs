//! What an operator may ask about accounts, and how it is done: the same whether the server
//! runs or the command line holds the store itself.

use crate::{
    clock::Clock,
    hashing::Hashing,
    limits::{Limits, PAGE_ACCOUNTS_MAX},
    meters::Meters,
    post::Post,
    registrar::Accounts,
    writer::{self, Queue},
};
use arc_swap::ArcSwap;
use engine::{
    hooks::Hooks,
    port::{Fault, Registrar, Store, Unregistered},
    settings::Settings,
    stream::machine::Secret,
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
    /// Lets nobody log in to an account; its sessions end.
    UserDisable {
        /// Whose.
        jid: String,
    },
    /// Lets an account log in again.
    UserEnable {
        /// Whose.
        jid: String,
    },
    /// The devices that an account has logged in from, each a line for people.
    UserDevices {
        /// Whose.
        jid: String,
    },
    /// With whom an account talks, each a line for people.
    UserInbox {
        /// Whose.
        jid: String,
    },
    /// Where the last messages of an account went, each a line for people.
    UserTrace {
        /// Whose.
        jid: String,
    },
    /// Takes the tokens of a device, or of all of them; its sessions end.
    UserRevoke {
        /// Whose.
        jid: String,
        /// Which, by its id; all of them.
        device: Option<String>,
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
            Self::UserDisable { .. } => "UserDisable",
            Self::UserEnable { .. } => "UserEnable",
            Self::UserDevices { .. } => "UserDevices",
            Self::UserInbox { .. } => "UserInbox",
            Self::UserTrace { .. } => "UserTrace",
            Self::UserRevoke { .. } => "UserRevoke",
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
    /// Lines for people.
    Lines(Vec<String>),
    /// It is not, and why.
    Failed(String),
}

/// Does what operators ask.
#[derive(Clone)]
pub struct Operator {
    pub(crate) domains: Arc<[Bare]>,
    pub(crate) accounts: Accounts,
    pub(crate) settings: Arc<ArcSwap<Settings>>,
    pub(crate) hooks: Arc<Hooks>,
}

impl Operator {
    /// One that holds the store itself, because no server runs.
    ///
    /// # Errors
    /// The store is away.
    pub async fn alone(
        settings: Settings,
        hooks: Hooks,
        store: Arc<dyn Store>,
    ) -> Result<Self, Fault> {
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
        tokio::spawn(host.run(last, limits));
        let hashing = Hashing::new(&limits, settings.passwords);
        let accounts = Accounts::new(store, queue, hashing, post);
        Ok(Self::new(settings, hooks, accounts))
    }

    pub(crate) fn new(settings: Settings, hooks: Hooks, accounts: Accounts) -> Self {
        Self {
            domains: settings.domains.clone().into(),
            accounts,
            settings: Arc::new(ArcSwap::from_pointee(settings)),
            hooks: Arc::new(hooks),
        }
    }

    /// One of this domain that knows no XEPs.
    #[cfg(test)]
    pub(crate) async fn of(host: &str, store: Arc<dyn Store>) -> Self {
        let domains = vec![Bare::host(host).expect("a domain")];
        let settings = Settings::of(domains, [0; 32]);
        Self::alone(settings, Hooks::of(&[]), store).await.expect("a store that is well")
    }

    /// Does it.
    pub async fn answer(&self, request: Request) -> Answer {
        self.obey(request).await.unwrap_or_else(Answer::Failed)
    }

    async fn obey(&self, request: Request) -> Result<Answer, String> {
        match request {
            Request::UserAdd { jid, password } => {
                let jid = self.account(&jid)?;
                done(&jid, self.accounts.create(&jid, Secret(password)).await)
            }
            Request::UserPasswd { jid, password } => {
                let jid = self.account(&jid)?;
                done(&jid, self.accounts.change_password(&jid, Secret(password), None).await)
            }
            Request::UserDelete { jid } => {
                let jid = self.account(&jid)?;
                done(&jid, self.accounts.delete(&jid, None).await)
            }
            Request::UserDisable { jid } => self.disable(&self.account(&jid)?, true).await,
            Request::UserEnable { jid } => self.disable(&self.account(&jid)?, false).await,
            Request::UserDevices { jid } => self.devices(&self.account(&jid)?).await,
            Request::UserInbox { jid } => self.inbox(&self.account(&jid)?).await,
            Request::UserTrace { jid } => {
                let jid = self.account(&jid)?;
                Ok(Answer::Lines(self.accounts.traced(&jid).await))
            }
            Request::UserRevoke { jid, device } => {
                self.revoke(&self.account(&jid)?, device.as_deref()).await
            }
            Request::UserList { domain, after } => {
                let domain = Bare::host(&domain).map_err(|error| format!("{domain}: {error}"))?;
                self.served(&domain)?;
                let store = &self.accounts.store;
                let page = store.accounts(&domain, after.as_deref(), PAGE_ACCOUNTS_MAX).await;
                let page = page.map_err(|fault| fault.to_string())?;
                Ok(Answer::Accounts(page.iter().map(ToString::to_string).collect()))
            }
        }
    }

    async fn disable(&self, jid: &Bare, disabled: bool) -> Result<Answer, String> {
        done(jid, self.accounts.disable(jid, disabled).await)
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
}

fn done(jid: &Bare, outcome: Result<(), Unregistered>) -> Result<Answer, String> {
    match outcome {
        Ok(()) => Ok(Answer::Done),
        Err(Unregistered::Exists) => Err(format!("{jid} exists already")),
        Err(Unregistered::Missing) => Err(format!("{jid} does not exist")),
        Err(why) => Err(why.to_string()),
    }
}
