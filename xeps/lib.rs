//! Every XEP this server speaks. Stations order the hooks; within a station, this list does.
//!
//! How to write one: `README.md` beside this file; `xep_0199_ping.rs` is the shortest.

mod catalogue;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod stage_room;
#[cfg(test)]
mod stage_store;

pub mod xep_0004_forms;
pub mod xep_0012_last;
pub mod xep_0013_offline;
pub mod xep_0030_disco;
pub mod xep_0045_muc;
pub mod xep_0049_private;
pub mod xep_0050_commands;
pub mod xep_0054_vcard;
pub mod xep_0059_rsm;
pub mod xep_0077_register;
pub mod xep_0082_dates;
pub mod xep_0092_version;
pub mod xep_0124_bosh;
pub mod xep_0156_alternatives;
pub mod xep_0160_offline;
pub mod xep_0175_anonymous;
pub mod xep_0178_external;
pub mod xep_0191_blocking;
pub mod xep_0198_sm;
pub mod xep_0199_ping;
pub mod xep_0202_time;
pub mod xep_0203_delay;
pub mod xep_0206_xmpp_over_bosh;
pub mod xep_0280_carbons;
pub mod xep_0297_forwarding;
pub mod xep_0313_mam;
pub mod xep_0334_hints;
pub mod xep_0352_csi;
pub mod xep_0368_direct;
pub mod xep_0388_sasl2;
pub mod xep_0424_retraction;
pub mod xep_0440_channel_binding;
pub mod xep_0474_downgrade;
pub mod xep_0478_limits;
pub mod xep_0492_notification_settings;
pub mod xep_0494_clients;

pub use catalogue::{doap, readme_table};

use engine::hook::Xep;

/// The XEPs, by number.
pub const ALL: &[&Xep] = &[
    &xep_0004_forms::XEP,
    &xep_0012_last::XEP,
    &xep_0013_offline::XEP,
    &xep_0030_disco::XEP,
    &xep_0045_muc::XEP,
    &xep_0049_private::XEP,
    &xep_0050_commands::XEP,
    &xep_0054_vcard::XEP,
    &xep_0059_rsm::XEP,
    &xep_0077_register::XEP,
    &xep_0082_dates::XEP,
    &xep_0092_version::XEP,
    &xep_0030_disco::xep_0115_caps::XEP,
    &xep_0124_bosh::XEP,
    &xep_0050_commands::xep_0133_administration::XEP,
    &xep_0156_alternatives::XEP,
    &xep_0030_disco::xep_0157_contact::XEP,
    &xep_0160_offline::XEP,
    &xep_0175_anonymous::XEP,
    &xep_0178_external::XEP,
    &xep_0191_blocking::XEP,
    &xep_0198_sm::XEP,
    &xep_0199_ping::XEP,
    &xep_0202_time::XEP,
    &xep_0203_delay::XEP,
    &xep_0206_xmpp_over_bosh::XEP,
    &xep_0045_muc::xep_0249_direct_invitations::XEP,
    &xep_0280_carbons::XEP,
    &xep_0297_forwarding::XEP,
    &xep_0313_mam::XEP,
    &xep_0045_muc::xep_0317_hats::XEP,
    &xep_0045_muc::xep_0333_markers::XEP,
    &xep_0334_hints::XEP,
    &xep_0352_csi::XEP,
    &xep_0352_csi::xep_0357_push::XEP,
    &xep_0313_mam::xep_0359_ids::XEP,
    &xep_0368_direct::XEP,
    &xep_0388_sasl2::xep_0386_bind2::XEP,
    &xep_0388_sasl2::XEP,
    &xep_0045_muc::xep_0410_self_ping::XEP,
    &xep_0045_muc::xep_0421_occupant_id::XEP,
    &xep_0424_retraction::XEP,
    &xep_0045_muc::xep_0425_moderation::XEP,
    &xep_0313_mam::xep_0430_inbox::XEP,
    &xep_0313_mam::xep_0431_fulltext::XEP,
    &xep_0045_muc::xep_0433_search::XEP,
    &xep_0045_muc::xep_0437_activity::XEP,
    &xep_0440_channel_binding::XEP,
    &xep_0313_mam::xep_0441_preferences::XEP,
    &xep_0045_muc::xep_0463_versions::XEP,
    &xep_0474_downgrade::XEP,
    &xep_0478_limits::XEP,
    &xep_0388_sasl2::xep_0480_upgrade::XEP,
    &xep_0388_sasl2::xep_0484_fast::XEP,
    &xep_0045_muc::xep_0486_avatar::XEP,
    &xep_0492_notification_settings::XEP,
    &xep_0494_clients::XEP,
    &xep_0045_muc::xep_0500_slow_mode::XEP,
];
