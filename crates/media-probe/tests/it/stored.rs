//! The stored sample files, compared with the table and with mp4-atom.

use media_probe::{Kind, probe_bytes};
use mp4_atom::{DecodeAtom as _, FourCC, Header, Moov, ReadFrom as _};

use crate::expected::{line, samples, stored};
use crate::made::position;

#[test]
fn samples_match_the_table() {
    let mut wrong = Vec::new();
    for sample in samples() {
        let is = line(&probe_bytes(&stored(&sample.name)));
        if is != sample.is {
            wrong.push(format!(
                "{}\n  is:    {is}\n  table: {}",
                sample.name, sample.is
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn frames_agree_with_mp4_atom() {
    let mut compared = 0;
    for sample in samples() {
        let file = stored(&sample.name);
        let Some(video) = probe_bytes(&file)
            .video
            .filter(|video| !video.is_fragmented)
        else {
            continue;
        };
        let mut index = &file[position(&file, b"moov") - 4..];
        let header = Header::read_from(&mut index).unwrap();
        let index = Moov::decode_atom(&header, &mut index)
            .unwrap_or_else(|error| panic!("{}: {error}", sample.name));
        let mut tracks = index.trak.iter();
        let track = tracks.find(|track| track.mdia.hdlr.handler == FourCC::new(b"vide"));
        let media = &track.unwrap().mdia;
        let runs = &media.minf.stbl.stts.entries;
        let frames: u64 = runs.iter().map(|run| u64::from(run.sample_count)).sum();
        assert_eq!(video.frames, Some(frames), "{}", sample.name);
        if let [run] = &runs[..] {
            let rate = video.frame_rate.unwrap().average.as_f64();
            let theirs = f64::from(media.mdhd.timescale) / f64::from(run.sample_delta);
            assert!((rate / theirs - 1.0).abs() < 1e-6, "{}", sample.name);
        }
        compared += 1;
    }
    assert!(compared > 20, "{compared} videos");
}

#[test]
fn media_info_serialises_to_json() {
    let json = |name: &str| serde_json::to_value(probe_bytes(&stored(name))).unwrap();
    let video = json("portrait.mp4");
    assert_eq!(video["format"], "mp4");
    assert_eq!(video["duration_us"], 3_072_000);
    assert_eq!(video["video"]["codec"], "H.264");
    assert_eq!(video["video"]["four_cc"], "avc1");
    assert_eq!(video["video"]["rotation"], 90);
    assert_eq!(video["video"]["display"]["width"], 90);
    assert_eq!(video["video"]["frame_rate"]["average"], "30");
    assert_eq!(
        json("film.mp4")["video"]["frame_rate"]["average"],
        "24000/1001"
    );
    assert_eq!(json("image.png")["image"]["orientation"], 1);
    let webm = json("video.webm");
    assert_eq!(webm["problems"][0]["severity"], "unknown");
    assert_eq!(webm["problems"][0]["code"], "not_examined");
    assert_eq!(serde_json::to_value(Kind::Video).unwrap(), "video");
}
