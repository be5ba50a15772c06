//! What does each command do? One file a command, each with its options and its `run`.

pub(crate) mod serve;

pub(crate) mod demo;
pub(crate) mod simulate;
pub(crate) mod tail;

pub(crate) mod config;
pub(crate) mod endpoints;
pub(crate) mod replay;
pub(crate) mod spool;
pub(crate) mod token;
pub(crate) mod topics;
