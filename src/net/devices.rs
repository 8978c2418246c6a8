//! What an operator may see and do about the devices of an account.

use crate::{
    clock::unix_ms,
    operator::{Answer, Operator},
};
use engine::{
    ctx::date_time,
    device::{DEVICES, Device, revocation},
    port::Registrar,
    wire::Bare,
};

impl Operator {
    /// A line for each device.
    pub(crate) async fn devices(&self, account: &Bare) -> Result<Answer, String> {
        let changed = self.changed(account).await?;
        let known = self.known(account).await?;
        let line = |(id, device): (String, Device)| {
            let token = if device.has_token(unix_ms(), changed) { "token" } else { "no token" };
            let Device { software, device, first_ms, last_ms, .. } = device;
            let (first, last) = (date_time(first_ms), date_time(last_ms));
            format!("{id}  {first}  {last}  {token}  {software}  {device}")
        };
        Ok(Answer::Lines(known.into_iter().map(line).collect()))
    }

    /// Takes the access of one device, or of all; their sessions end.
    pub(crate) async fn revoke(&self, account: &Bare, id: Option<&str>) -> Result<Answer, String> {
        self.changed(account).await?;
        let mut known = self.known(account).await?;
        known.retain(|(known, _)| id.is_none_or(|id| known == id));
        if let (Some(id), true) = (id, known.is_empty()) {
            return Err(format!("{account} has no device {id}"));
        }
        for (id, _) in &known {
            let unit = revocation(&*self.accounts.store, &self.hooks, account, id).await;
            let unit = unit.map_err(|fault| fault.to_string())?;
            let revoked = self.accounts.revoke(account, id, unit).await;
            revoked.map_err(|error| error.to_string())?;
        }
        Ok(Answer::Done)
    }

    async fn known(&self, account: &Bare) -> Result<Vec<(String, Device)>, String> {
        let cells = self.accounts.store.cells(DEVICES, account).await;
        let cells = cells.map_err(|fault| fault.to_string())?;
        let load = |(id, cell): (String, Vec<u8>)| Some((id, Device::load(&cell)?));
        Ok(cells.into_iter().filter_map(load).collect())
    }

    async fn changed(&self, account: &Bare) -> Result<u64, String> {
        let credentials = self.accounts.store.credentials(account).await;
        let credentials = credentials.map_err(|fault| fault.to_string())?;
        let credentials = credentials.ok_or_else(|| format!("{account} does not exist"))?;
        Ok(credentials.changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::Request;
    use engine::{
        hook::{Hook, Status, Xep},
        hooks::Hooks,
        port::Reads,
        stream::machine::Secret,
        unit::{Change, Table, Unit},
    };
    use std::sync::Arc;
    use store::Memory;

    const NOTES: Table = Table::named("notes");
    /// Keeps notes of devices.
    const CLERK: Xep = Xep {
        number: 9999,
        name: "Clerk",
        version: "1",
        status: Status::Partial("tests"),
        hooks: &[
            Hook::AtHand(NOTES),
            Hook::OfDevice(NOTES, |cell, device| cell == device.as_bytes()),
        ],
    };

    #[tokio::test]
    async fn what_is_kept_of_a_device_goes_with_its_access_and_nothing_else() {
        let store = Arc::new(Memory::new(&[NOTES]));
        let mut operator = Operator::of("x", store.clone()).await;
        operator.hooks = Arc::new(Hooks::of(&[&CLERK]));
        let accounts = ["juliet@x", "romeo@x"].map(|jid| Bare::parse(jid).unwrap());
        for account in &accounts {
            operator.accounts.create(account, Secret("secret".into())).await.unwrap();
            let put = |table, key: &str, cell: Vec<u8>| {
                Change::Put(table, account.clone(), key.into(), cell)
            };
            let device = |id| put(DEVICES, id, Device::new(1_000).save());
            let note = |key, id: &str| put(NOTES, key, id.into());
            let notes = [note("a", "one"), note("b", "two"), note("c", "one"), note("d", "")];
            let unit = Unit::of([device("one"), device("two")].into_iter().chain(notes).collect());
            operator.accounts.writer.commit(unit).await.unwrap();
        }
        let revoke = Request::UserRevoke { jid: "juliet@x".into(), device: Some("one".to_owned()) };
        assert_eq!(operator.answer(revoke).await, Answer::Done);
        for (account, left) in accounts.iter().zip([&["b", "d"][..], &["a", "b", "c", "d"]]) {
            let notes = store.cells(NOTES, account).await.unwrap();
            assert!(notes.iter().map(|(key, _)| key).eq(left), "{account}: {notes:?}");
        }
    }

    #[tokio::test]
    async fn an_operator_sees_devices_and_takes_their_tokens() {
        let store = Arc::new(Memory::new(&[]));
        let operator = Operator::of("x", store.clone()).await;
        let juliet = Bare::parse("juliet@x").unwrap();
        operator.accounts.create(&juliet, Secret("secret".into())).await.unwrap();
        let put =
            |id: &str| Change::Put(DEVICES, juliet.clone(), id.into(), Device::new(1_000).save());
        let unit = Unit { changes: vec![put("one"), put("two")], ..Unit::default() };
        operator.accounts.writer.commit(unit).await.unwrap();
        let ask = async |request| operator.answer(request).await;
        let devices = || Request::UserDevices { jid: "juliet@x".into() };
        let revoke = |device: Option<&str>| Request::UserRevoke {
            jid: "juliet@x".into(),
            device: device.map(Into::into),
        };
        let Answer::Lines(lines) = ask(devices()).await else { panic!("no devices") };
        assert!(lines[0].starts_with("one  1970-01-01T00:00:01Z  "), "{lines:?}");
        assert_eq!(lines.len(), 2);
        let unknown = Answer::Failed("juliet@x has no device three".into());
        assert_eq!(ask(revoke(Some("three"))).await, unknown);
        assert_eq!(ask(revoke(Some("one"))).await, Answer::Done);
        let Answer::Lines(lines) = ask(devices()).await else { panic!("no devices") };
        assert!(lines.len() == 1 && lines[0].starts_with("two"), "{lines:?}");
        assert_eq!(ask(revoke(None)).await, Answer::Done);
        assert_eq!(ask(devices()).await, Answer::Lines(Vec::new()));
        let nobody = Request::UserDevices { jid: "nobody@x".into() };
        assert_eq!(ask(nobody).await, Answer::Failed("nobody@x does not exist".into()));
    }
}
