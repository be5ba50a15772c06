//! When is the process told to stop?

use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Exit;

/// Waits for SIGTERM or SIGINT. From then on a second one ends the process at once, with code 1.
///
/// # Errors
/// When the system does not let them be caught.
pub(crate) async fn told_to_stop() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
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
    Ok(())
}
