//! Is anything lost, doubled or out of order? Clients write down all that happens to them, while
//! the server is killed under them; then the history is judged.
//!
//! ../README.md tells how to run it, and what it prints.

pub mod check;
pub mod crowd;
pub mod device;
pub mod faults;
pub mod history;
pub mod journal;
pub mod link;
pub mod login;
pub mod management;
pub mod message;
pub mod process;
pub mod report;
pub mod shim;
pub mod stage;
