//! Makes a video of each line of ROWS in FOLDER, 20 at a time: `as_completed ROWS FOLDER`. Run it again after a crash: saved
//! videos are skipped.

use std::collections::HashMap;
use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;

use futures_util::StreamExt as _;
use kling_omni::{Client, TextToVideo};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(rows), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("usage: as_completed ROWS FOLDER".into());
    };
    fs::create_dir_all(&folder)?;
    let client = Client::from_env()?;
    let mut open = Vec::new();
    for (number, row) in fs::read_to_string(rows)?.lines().enumerate() {
        let path = Path::new(&folder).join(format!("{number}.mp4"));
        if !path.exists() {
            open.push((path, serde_json::from_str::<TextToVideo>(row)?));
        }
    }
    for some in open.chunks(20) {
        let mut tasks = Vec::new();
        let mut paths = HashMap::new();
        for (path, request) in some {
            let task = client.create(request.clone()).await?;
            paths.insert(task.id().to_owned(), path);
            tasks.push(task);
        }
        let mut videos = client.as_completed(&tasks);
        while let Some((task, video)) = videos.next().await {
            match video {
                Ok(video) => drop(video.save(paths[task.id()]).await?),
                Err(error) => eprintln!("{}: {error}", task.id()),
            }
        }
    }
    Ok(())
}
