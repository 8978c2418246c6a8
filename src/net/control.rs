//! Where the running server hears the operator: a socket in the data folder, one JSON request
//! per line, one JSON answer per line.

use crate::{
    limits::{EXHAUSTED_PAUSE, REQUEST_BYTES_MAX},
    operator::{Answer, Operator, Request},
};
use std::{fs, io, os::unix::fs::PermissionsExt, path::Path};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::watch,
};

/// Listens. What an earlier process left there is replaced: the store's lock has told already
/// that it runs no more.
///
/// # Errors
/// The socket cannot be made.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    // The data folder keeps others out in the moment before.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers until the server stops.
pub(crate) async fn serve(
    listener: UnixListener,
    operator: Operator,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stopping| *stopping) => return,
        };
        match accepted {
            Ok((socket, _)) => {
                let operator = operator.clone();
                tokio::spawn(async move {
                    // A peer that is gone wants no answer.
                    drop(talk(socket, &operator).await);
                });
            }
            Err(error) => {
                tracing::error!(%error, "cannot hear the operator");
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
}

async fn talk(socket: UnixStream, operator: &Operator) -> io::Result<()> {
    let mut socket = BufReader::new(socket);
    loop {
        let mut line = Vec::new();
        let mut limited = (&mut socket).take(REQUEST_BYTES_MAX as u64);
        limited.read_until(b'\n', &mut line).await?;
        if line.last() != Some(&b'\n') {
            return Ok(());
        }
        let answer = match serde_json::from_slice::<Request>(&line) {
            Ok(request) => {
                tracing::info!(?request, "the operator asks");
                operator.answer(request).await
            }
            // Its text could repeat a password.
            Err(_) => Answer::Failed("not a request that this version knows".to_owned()),
        };
        let mut answer = serde_json::to_vec(&answer)?;
        answer.push(b'\n');
        socket.write_all(&answer).await?;
    }
}

/// Asks a running server.
///
/// # Errors
/// `NotFound` or `ConnectionRefused`: there is none.
pub async fn ask(path: &Path, request: &Request) -> io::Result<Answer> {
    let mut socket = BufReader::new(UnixStream::connect(path).await?);
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    socket.write_all(&line).await?;
    line.clear();
    socket.read_until(b'\n', &mut line).await?;
    Ok(serde_json::from_slice(&line)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_json_that_a_script_can_write() {
        let request: Request =
            serde_json::from_str(r#"{"do":"user-add","jid":"a@b","password":"secret"}"#).unwrap();
        assert_eq!(format!("{request:?}"), "UserAdd");
        let list = Request::UserList { domain: "b".into(), after: None };
        let list = serde_json::to_string(&list).unwrap();
        assert_eq!(list, r#"{"do":"user-list","domain":"b","after":null}"#);
        assert_eq!(serde_json::to_string(&Answer::Done).unwrap(), r#""done""#);
        let failed = Answer::Failed("no".into());
        assert_eq!(serde_json::to_string(&failed).unwrap(), r#"{"failed":"no"}"#);
    }
}
