//! Which addresses are public: the policy against IANA's own tables, against an oracle written
//! naively after them, and against URLs that write an address in every way there is.
//!
//! Nothing here uses a network.

mod agree;
mod allowed;
mod draw;
mod embedded;
mod names;
mod oracle;
mod tables;
mod urls;
mod written;
mod wrong;
