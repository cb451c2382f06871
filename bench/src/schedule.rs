//! When a client looks at a task, drawn beside what the task is likely to do.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use fastrand::Rng;
use plotters::prelude::*;

use crate::polling::times::Times;
use crate::polling::world::{Plan, World};

const WIDTH: u32 = 900;
const HEIGHT: u32 = 420;
/// What is drawn, in seconds.
const SPAN: f64 = 240.0;

/// The client is watched for as long as this with a task that goes on.
const TASK: f64 = 300.0;

/// A value for each age of a task.
type Curve<'a> = &'a dyn Fn(f64) -> f64;

#[derive(Args)]
pub struct Schedule {
    /// Where to draw it.
    #[arg(long, value_name = "FILE", default_value = "docs/polling.svg")]
    output: PathBuf,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Schedule {
    pub fn run(&self) -> Result<()> {
        let times = Times::log_normal(90.0, 0.3);
        let mut random = Rng::with_seed(self.seed);
        let one = Plan::new(vec![TASK]);
        let cold = self.polls(one.clone())?;
        let warm = self.polls(one.knowing(&times, &mut random))?;
        self.draw(&times, [("warm", &warm), ("cold", &cold)])?;
        println!("{}", self.output.display());
        Ok(())
    }

    fn polls(&self, plan: Plan) -> Result<Vec<f64>> {
        World::play(self.seed, async |world| {
            let mut random = Rng::with_seed(self.seed);
            world.run(plan, &mut random).await?;
            world.reads()
        })
    }

    fn draw(&self, times: &Times, rows: [(&str, &[f64]); 2]) -> Result<()> {
        let area = SVGBackend::new(&self.output, (WIDTH, HEIGHT)).into_drawing_area();
        area.fill(&WHITE)?;
        let lowest = -0.2 * (rows.len() as f64 + 0.5);
        let mut chart = ChartBuilder::on(&area)
            .margin(12)
            .x_label_area_size(36)
            .build_cartesian_2d(0.0..SPAN, lowest..1.1)?;
        chart
            .configure_mesh()
            .disable_y_axis()
            .disable_y_mesh()
            .x_label_formatter(&|at| format!("{at:.0}"))
            .x_desc("seconds since the creation of the task")
            .draw()?;
        let ending = |at: f64| times.ended(at + 0.5) - times.ended(at - 0.5);
        let hazard = |at: f64| ending(at) / (1.0 - times.ended(at)).max(1e-9);
        let root = |at: f64| hazard(at).sqrt();
        let curves: [(_, Curve<'_>, _); 2] = [
            ("how many tasks end", &ending, BLUE),
            ("square root of the hazard", &root, RED),
        ];
        for (name, curve, colour) in curves {
            let points: Vec<_> = (1..SPAN as u32)
                .map(|at| (f64::from(at), curve(at.into())))
                .collect();
            let highest = points.iter().map(|(_, value)| *value).fold(0.0, f64::max);
            let scaled = points.into_iter().map(|(at, value)| (at, value / highest));
            chart
                .draw_series(LineSeries::new(scaled, colour.stroke_width(2)))?
                .label(name)
                .legend(move |(x, y)| {
                    PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(2))
                });
        }
        for (row, (name, polls)) in rows.iter().enumerate() {
            let top = -0.2 * (row as f64 + 0.3);
            let within = polls.iter().filter(|at| **at < SPAN);
            let ticks = within
                .map(|at| PathElement::new([(*at, top), (*at, top - 0.14)], BLACK.stroke_width(2)));
            chart.draw_series(ticks)?;
            let label = format!("polls, {name}");
            let style = ("sans-serif", 14).into_font();
            chart.draw_series([Text::new(label, (2.0, top - 0.04), style)])?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE)
            .draw()?;
        area.present()?;
        Ok(())
    }
}
