//! Attacks against the built server, from the catalogue of what has gone wrong in others (AT-…).

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "hostile/assault.rs"]
mod assault;
#[path = "serve/browser.rs"]
mod browser;
#[path = "hostile/chance.rs"]
mod chance;
#[path = "serve/client.rs"]
mod client;
#[path = "hostile/deaf.rs"]
mod deaf;
#[path = "hostile/greed.rs"]
mod greed;
#[path = "hostile/handshakes.rs"]
mod handshakes;
#[path = "hostile/logins.rs"]
mod logins;
#[path = "hostile/operator.rs"]
mod operator;
#[path = "hostile/pages.rs"]
mod pages;
#[path = "hostile/registration.rs"]
mod registration;
#[path = "hostile/rooms.rs"]
mod rooms;
#[path = "hostile/secrets.rs"]
mod secrets;
#[path = "serve/server.rs"]
mod server;
#[path = "hostile/strangers.rs"]
mod strangers;
#[path = "hostile/watch.rs"]
mod watch;
#[path = "hostile/xml.rs"]
mod xml;
