//! Prints the properties of files: `cargo run -p media-probe --example print_info -- FILE...`

use std::env;
use std::io;
use std::process::ExitCode;

use media_probe::{Format, MediaInfo, probe_file};

fn main() -> io::Result<ExitCode> {
    let mut exit = ExitCode::SUCCESS;
    for path in env::args_os().skip(1) {
        let probed = probe_file(&path)?;
        println!("{}", path.display());
        print(&probed);
        if let Some(mismatch) = probed.mismatch(Format::from_path(&path)) {
            println!("  name:     {mismatch}");
        }
        if probed.is_corrupt() {
            exit = ExitCode::FAILURE;
        }
    }
    Ok(exit)
}

fn print(probed: &MediaInfo) {
    if let Some(format) = probed.format {
        println!("  format:   {format}");
    }
    if let Some(duration) = probed.duration {
        println!("  duration: {:.3} s", duration.as_secs_f64());
    }
    if let Some(video) = &probed.video {
        println!("  codec:    {} ({})", video.codec, video.four_cc);
        if let Some(size) = video.display {
            println!("  size:     {}×{}", size.width, size.height);
        }
        if let Some(rate) = video.frame_rate {
            let varies = if rate.is_variable { ", variable" } else { "" };
            println!("  frames:   {} per second{varies}", rate.average);
        }
    }
    if let Some(image) = &probed.image {
        println!(
            "  size:     {}×{}",
            image.display.width, image.display.height
        );
    }
    if let Some(has_audio) = probed.has_audio {
        println!("  sound:    {}", if has_audio { "yes" } else { "no" });
    }
    for problem in &probed.problems {
        println!("  {:?}: {problem}", problem.severity);
    }
}
