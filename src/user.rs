//! `waxwing user …`: through the running server, or with the store in our own hands.

use crate::{
    command::{User, Whose},
    open_store,
    settings::{Settings, account},
};
use anyhow::{Context, bail};
use engine::hooks::Hooks;
use net::{
    control,
    operator::{Answer, Operator, Request},
};
use std::io::{self, BufRead, ErrorKind, IsTerminal, Write};

/// Does it.
///
/// # Errors
/// In words for the operator.
pub async fn run(user: User, settings: &Settings) -> anyhow::Result<()> {
    match user {
        User::Add(whose) => {
            let (jid, password) = credentials(whose, settings)?;
            Way::find(settings).await?.done(Request::UserAdd { jid, password }).await
        }
        User::Passwd(whose) => {
            let (jid, password) = credentials(whose, settings)?;
            Way::find(settings).await?.done(Request::UserPasswd { jid, password }).await
        }
        User::Delete { jid } => Way::find(settings).await?.done(Request::UserDelete { jid }).await,
        User::Disable { jid } => {
            Way::find(settings).await?.done(Request::UserDisable { jid }).await
        }
        User::Enable { jid } => Way::find(settings).await?.done(Request::UserEnable { jid }).await,
        User::Devices { jid } => {
            Way::find(settings).await?.lines(Request::UserDevices { jid }).await
        }
        User::Inbox { jid } => Way::find(settings).await?.lines(Request::UserInbox { jid }).await,
        User::Trace { jid } => Way::find(settings).await?.lines(Request::UserTrace { jid }).await,
        User::Revoke { jid, device } => {
            Way::find(settings).await?.done(Request::UserRevoke { jid, device }).await
        }
        User::List { domain } => {
            let all = settings.domains.iter().map(ToString::to_string);
            let domains = domain.map_or_else(|| all.collect(), |domain| vec![domain]);
            let way = Way::find(settings).await?;
            for domain in domains {
                way.list(domain).await?;
            }
            Ok(())
        }
    }
}

/// How accounts are reached.
enum Way<'a> {
    /// A server runs.
    Server(&'a Settings),
    /// None does, so nobody else has the store.
    Alone(Operator),
}

impl<'a> Way<'a> {
    async fn find(settings: &'a Settings) -> anyhow::Result<Self> {
        if serves(settings).await? {
            return Ok(Self::Server(settings));
        }
        if settings.store.url == "memory:" {
            bail!("no server runs, and store.url = \"memory:\" remembers nothing without one");
        }
        settings.make_data()?;
        let store = open_store(settings).await?;
        let known = settings.engine(store.secret(net::seed()).await?);
        Ok(Self::Alone(Operator::alone(known, Hooks::of(crate::XEPS), store).await?))
    }

    async fn ask(&self, request: Request) -> anyhow::Result<Answer> {
        match self {
            Self::Server(settings) => control::ask(&settings.control(), &request)
                .await
                .context("the running server did not answer"),
            Self::Alone(operator) => Ok(operator.answer(request).await),
        }
    }

    async fn done(&self, request: Request) -> anyhow::Result<()> {
        match self.ask(request).await? {
            Answer::Failed(why) => bail!("{why}"),
            Answer::Done | Answer::Accounts(_) | Answer::Lines(_) => Ok(()),
        }
    }

    async fn lines(&self, request: Request) -> anyhow::Result<()> {
        match self.ask(request).await? {
            Answer::Failed(why) => bail!("{why}"),
            Answer::Lines(lines) => print_all(&lines).map(drop),
            Answer::Done | Answer::Accounts(_) => Ok(()),
        }
    }

    async fn list(&self, domain: String) -> anyhow::Result<()> {
        let mut after = None;
        loop {
            let request = Request::UserList { domain: domain.clone(), after };
            let page = match self.ask(request).await? {
                Answer::Accounts(page) => page,
                Answer::Failed(why) => bail!("{why}"),
                Answer::Done | Answer::Lines(_) => return Ok(()),
            };
            let Some(last) = page.last() else { return Ok(()) };
            after = last.rsplit_once('@').map(|(local, _)| local.to_owned());
            if !print_all(&page)? {
                return Ok(());
            }
        }
    }
}

/// Whether whoever reads it wants to read on.
fn print_all(lines: &[String]) -> anyhow::Result<bool> {
    let mut out = io::stdout().lock();
    match lines.iter().try_for_each(|line| writeln!(out, "{line}")) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        written => Ok(written.map(|()| true)?),
    }
}

/// Whether a server runs on this data folder.
///
/// # Errors
/// One may, but it cannot be spoken to.
pub async fn serves(settings: &Settings) -> anyhow::Result<bool> {
    match tokio::net::UnixStream::connect(settings.control()).await {
        Ok(_) => Ok(true),
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
        {
            Ok(false)
        }
        Err(error) => Err(error).with_context(|| settings.control().display().to_string()),
    }
}

/// Checks the address before it asks for a password.
fn credentials(whose: Whose, settings: &Settings) -> anyhow::Result<(String, String)> {
    let jid = account(&whose.jid)?;
    if !settings.domains.iter().any(|domain| domain.domain() == jid.domain()) {
        let served: Vec<_> = settings.domains.iter().map(ToString::to_string).collect();
        bail!("{jid}: this server serves {} (server.domains)", served.join(", "));
    }
    let password = match whose.password_stdin {
        true => line()?,
        false => asked(jid.as_str())?,
    };
    if password.is_empty() {
        bail!("an empty password is none");
    }
    Ok((jid.to_string(), password))
}

fn line() -> anyhow::Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).context("cannot read the password")?;
    let line = line.strip_suffix('\n').unwrap_or(&line);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

fn asked(jid: &str) -> anyhow::Result<String> {
    if !io::stdin().is_terminal() {
        bail!("no terminal to ask for the password; give it with --password-stdin");
    }
    let ask = |prompt: String| rpassword::prompt_password(prompt).context("cannot ask");
    let password = ask(format!("Password for {jid}: "))?;
    if ask("Again: ".to_owned())? != password {
        bail!("the two differ");
    }
    Ok(password)
}
