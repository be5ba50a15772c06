//! Does postern keep its promise when everything around it breaks? `judge` runs the experiments and says so in one table.

mod auditor;
mod cli;
mod context;
mod dice;
mod echo;
mod experiment;
mod fault;
mod load;
mod oracle;
mod progress;
mod syncs;
mod table;
mod tool;
mod verdict;
mod world;

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Parser as _;

use cli::{Cli, Command, Run};
use experiment::{ALL, Experiment};

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::List => list().map(|()| true),
        Command::Run(run) => judge(&run),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            progress::say("cannot go on", &format!("{error:#}"));
            ExitCode::from(2)
        }
    }
}

fn list() -> Result<()> {
    let mut out = io::stdout().lock();
    for experiment in ALL {
        let short = if experiment.short { " (also short)" } else { "" };
        writeln!(
            out,
            "{:<28} {:>2}  {}{short}",
            experiment.name, experiment.number, experiment.what
        )?;
    }
    Ok(())
}

/// Runs what was asked for; whether all of it passed.
fn judge(run: &Run) -> Result<bool> {
    let chosen = choose(run)?;
    let seed = run.seed.unwrap_or_else(|| RandomState::new().hash_one(0) & 0xffff_ffff);
    let postern = postern_rig::place::postern();
    progress::say(
        "run",
        &format!("{} experiments, --seed {seed}, on {}", chosen.len(), postern.display()),
    );
    // Names the run in each of its rows.
    let begun = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    let mut rows = Vec::new();
    for (place, experiment) in chosen.iter().enumerate() {
        let left: u64 = chosen[place..].iter().map(|next| next.seconds(run.short)).sum();
        progress::say(
            "run",
            &format!("{} of {}; about {} min left", place + 1, chosen.len(), left.div_ceil(60)),
        );
        let mut row = experiment::run(experiment, seed, run.short);
        row.run.clone_from(&begun);
        rows.push(row);
        // Whoever stops the judge keeps what was judged so far.
        if let Some(file) = &run.json {
            table::write_json(file, seed, &rows)?;
        }
        if let Some(file) = &run.markdown {
            table::write_markdown(file, &rows)?;
        }
    }
    writeln!(io::stdout(), "{}", table::text(&rows))?;
    Ok(rows.iter().all(verdict::Row::is_fine))
}

fn choose(run: &Run) -> Result<Vec<&'static Experiment>> {
    if run.names.is_empty() {
        return Ok(ALL.iter().filter(|experiment| experiment.short || !run.short).collect());
    }
    let known: HashSet<_> = ALL.iter().map(|experiment| experiment.name).collect();
    if let Some(unknown) = run.names.iter().find(|name| !known.contains(name.as_str())) {
        bail!("there is no experiment {unknown:?}; `judge list` names them");
    }
    let chosen: Vec<_> = ALL
        .iter()
        .filter(|experiment| run.names.iter().any(|name| name == experiment.name))
        .collect();
    chosen.first().context("nothing was chosen")?;
    Ok(chosen)
}
