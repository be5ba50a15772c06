//! How do the curves of growth look? One SVG, a panel an axis, both scales logarithmic.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use plotters::prelude::*;

use crate::growth::{Axis, Point};

const SIZE: (u32, u32) = (960, 640);
const CPU: RGBColor = RGBColor(0x1f, 0x5f, 0xa8);
const MEDIAN: RGBColor = RGBColor(0xc8, 0x6a, 0x1b);

/// Draws all points into a file.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn draw(points: &[Point], file: &Path) -> anyhow::Result<()> {
    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    let done = root.fill(&WHITE).map_err(|error| anyhow!("{error}")).and_then(|()| {
        for (axis, area) in Axis::ALL.into_iter().zip(root.split_evenly((2, 2))) {
            let of_axis: Vec<&Point> = points.iter().filter(|p| p.axis == axis).collect();
            panel(axis, &of_axis, &area)?;
        }
        root.present().map_err(|error| anyhow!("{error}"))
    });
    done.with_context(|| format!("{} cannot be drawn", file.display()))
}

fn panel(
    axis: Axis,
    points: &[&Point],
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
) -> anyhow::Result<()> {
    let curve = |figure: fn(&Point) -> f64| -> Vec<(f64, f64)> {
        points.iter().map(|point| (f64::from(point.value), figure(point))).collect()
    };
    let cpu = curve(|point| point.median.cpu);
    let median = curve(|point| point.median.p50 * 1_000.0);
    let (Some(first), Some(last)) = (cpu.first(), cpu.last()) else { return Ok(()) };
    let highest = cpu.iter().chain(&median).map(|at| at.1).fold(1_000.0, f64::max);
    let drawn = |error: DrawingAreaErrorKind<std::io::Error>| anyhow!("{error}");
    let mut chart = ChartBuilder::on(area)
        .caption(format!("microseconds a request by {axis}"), ("sans-serif", 16))
        .margin(10)
        .x_label_area_size(28)
        .y_label_area_size(52)
        .build_cartesian_2d((first.0..last.0).log_scale(), (10.0..highest * 1.5).log_scale())
        .map_err(drawn)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .x_labels(8)
        .x_label_formatter(&|value| short(*value))
        .y_label_formatter(&|value| short(*value))
        .draw()
        .map_err(drawn)?;
    for (name, color, curve) in [("CPU", CPU, &cpu), ("median latency", MEDIAN, &median)] {
        chart
            .draw_series(
                LineSeries::new(curve.iter().copied(), color.stroke_width(2)).point_size(3),
            )
            .map_err(drawn)?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .border_style(BLACK.mix(0.2))
        .background_style(WHITE)
        .draw()
        .map_err(drawn)
}

/// A number in few letters.
fn short(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{:.0}M", v / 1e6),
        v if v >= 1e3 => format!("{:.0}k", v / 1e3),
        v => format!("{v:.0}"),
    }
}
