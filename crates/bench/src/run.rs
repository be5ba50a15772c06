//! What does a whole run consist of? Set-up, the parts that were asked for, tables, files.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, ensure};

use crate::cli::{Options, Part};
use crate::kafka::Broker;
use crate::report::Report;
use crate::world::World;
use crate::{compare, disk, growth, note, plot, spooled};

/// Does what the options name and prints the tables.
///
/// # Errors
/// When a measurement fails or a file cannot be written.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    ensure!(options.rounds() > 0 && options.seconds() > 0.0, "rounds and seconds are above 0");
    ensure!(
        options.seconds().is_finite() && options.warm_up.is_finite(),
        "--seconds and --warm-up are finite numbers of seconds, such as 4 and 30"
    );
    let mut report = Report::begin();
    let world = prepare(options)?;
    // What was measured before something failed is shown all the same.
    let done = measure(options, &world, &mut report);
    write!(anstream::stdout().lock(), "{report}")?;
    if let Some(file) = &options.json {
        write_file(file, &serde_json::to_vec_pretty(&report)?)?;
    }
    done?;
    options.docs.as_deref().map_or(Ok(()), |folder| write_docs(&report, folder))
}

fn measure(options: &Options, world: &World, report: &mut Report) -> anyhow::Result<()> {
    let parts = options.parts();
    if parts.contains(&Part::Compare) {
        compare::run(options, world, report)?;
    }
    if parts.contains(&Part::Disk) {
        let record = world.sample()?.value;
        report.commits = disk::run(record.as_bytes(), options.seconds(), &world.disk)?;
        report.commits.extend(spooled::run(record.len(), options.seconds(), world)?);
        report.commits.sort_by_key(|commit| commit.batch);
    }
    if parts.contains(&Part::Growth) {
        growth::run(options, world, &mut report.points)?;
    }
    Ok(())
}

fn write_docs(report: &Report, folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    write_file(&folder.join("speed.md"), report.page().as_bytes())?;
    if !report.points.is_empty() {
        let plot = folder.join("growth.svg");
        plot::draw(&report.points, &plot)?;
        note(format_args!("bench: {} is drawn", plot.display()));
    }
    Ok(())
}

fn write_file(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    std::fs::write(file, bytes).with_context(|| format!("{} cannot be written", file.display()))?;
    note(format_args!("bench: {} is written", file.display()));
    Ok(())
}

fn prepare(options: &Options) -> anyhow::Result<World> {
    let beside = std::env::current_exe()?;
    let release = beside.parent().context("this program is in a folder")?;
    let postern = options.postern.clone().unwrap_or_else(|| release.join("postern"));
    ensure!(
        postern.is_file(),
        "there is no {}; build it with: cargo build --release -p postern",
        postern.display()
    );
    // Beside the release folder: scripts/mq-bridge.sh puts it there, and a disk that counts is there, too.
    let (mq_bridge, disk) = (release.with_file_name("mq-bridge"), release.with_file_name("tmp"));
    std::fs::create_dir_all(&disk)?;
    let broker = match &options.bootstrap {
        Some(bootstrap) => Broker::connect(bootstrap)?,
        None => {
            note("bench: starting Kafka");
            Broker::start()?
        }
    };
    note("bench: taking samples of postern's records");
    World::prepare(broker, postern, mq_bridge, disk, options.linger)
}
