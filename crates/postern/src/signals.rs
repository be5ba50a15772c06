//! When is the process told to stop?

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Exit;

/// Catches SIGTERM and SIGINT from this call on; what it returns waits for the first of them. From then on a second one
/// ends the process at once, with code 1. Call it before anything is opened that a stop has to close.
///
/// # Errors
/// When the system does not let them be caught.
pub(crate) fn told_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::warn!("told twice: stopping at once");
            Exit::Failed.end()
        });
    })
}
