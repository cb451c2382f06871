//! Uploads local files as inputs of a video.
//!
//! `cargo run --example upload -- --sandbox clip.mp4 stage.png` needs no key and no network. Without the flag, the
//! program uses the service, with the key in `FREEPIK_API_KEY` or `MAGNIFIC_API_KEY`. Uploads are free, and no task is
//! created.

mod connect;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, _sandbox) = connect::client().await?;
    let files: Vec<_> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let mut shown = 0;
    let uploaded = client
        .upload_all(files.clone())
        .on_progress(move |sent, total| {
            let percent = sent * 100 / total;
            if percent / 10 != shown / 10 || sent == total {
                println!("{percent} % of {total} bytes");
            }
            shown = percent;
        })
        .await?;
    for (file, uploaded) in files.iter().zip(uploaded) {
        println!("{file}: {uploaded:?}");
    }
    Ok(())
}
