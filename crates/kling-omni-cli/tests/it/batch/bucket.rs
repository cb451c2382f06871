//! Videos in a bucket, with `--out s3://…`.

use std::fs;

use kling_omni_test_bucket::{KEY_ID, SECRET, Server};

use super::{about, write_many};
use crate::support::{Background, Program, Service};

const OUT: &str = "s3://clips/for/cats";

/// Starts a run whose videos go into a bucket.
fn run(service: &Service, server: &Server, options: &str) -> Program {
    let line = format!("batch run clips.jsonl --yes --poll-interval 0.1 --out {OUT} {options}");
    with_bucket(service.program(&line), server)
}

fn with_bucket(program: Program, server: &Server) -> Program {
    program
        .env("AWS_ENDPOINT_URL", &server.endpoint)
        .env("AWS_ACCESS_KEY_ID", KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", SECRET)
}

#[test]
fn videos_go_into_a_bucket() {
    let server = Background::start(Server::start());
    let service = Service::quick();
    write_many(&service, 2);
    let ended = run(&service, &server, "--json --db cats.db")
        .run()
        .expect(0);
    let saved = format!("{OUT}/row-1.mp4");
    assert!(ended.stdout.contains(&saved), "{ended}");
    assert!(!ended.to_string().contains("results.jsonl"), "{ended}");
    let objects = server.objects();
    let names = ["for/cats/row-1.mp4", "for/cats/row-2.mp4"];
    assert!(objects.iter().map(|object| &*object.0).eq(names));
    let others = service.files().into_iter().filter(|name| {
        !name.starts_with("cats.db") && name != "clips.jsonl" && !name.starts_with('.')
    });
    assert_eq!(others.collect::<Vec<_>>(), Vec::<String>::new());
    for command in ["report", "report --format csv", "show clips row-1"] {
        let ended = about(&service, &format!("{command} --db cats.db")).expect(0);
        assert!(ended.stdout.contains(&saved), "{ended}");
    }
    // A page links to objects: nothing is loaded from elsewhere.
    let line = "batch report --format html --db cats.db";
    let ended = service.program(line).run().expect(0);
    assert_eq!(ended.stdout.trim(), "report.html");
    let page = fs::read_to_string(service.folder().join("report.html")).unwrap();
    assert!(page.contains(&format!(r#"<a href="{saved}""#)), "{page}");
    assert!(!page.contains("<video"), "{page}");
    // The same command again changes nothing.
    run(&service, &server, "--db cats.db").run().expect(0);
    assert_eq!(service.charges(), 2);
}

#[test]
fn rejected_credentials_pause_a_batch_that_resume_continues() {
    let server = Background::start(Server::start());
    let service = Service::quick();
    write_many(&service, 2);
    let wrong = run(&service, &server, "--db cats.db").env("AWS_SECRET_ACCESS_KEY", "wrong-canary");
    let ended = wrong.run().expect(2);
    assert!(ended.stderr.contains("SignatureDoesNotMatch"), "{ended}");
    assert!(!ended.to_string().contains("canary"), "{ended}");
    assert_eq!(service.charges(), 0);
    // The command that the error suggests, without the URL: the ledger has it.
    let resume = service.program("batch resume clips --yes --poll-interval 0.1 --db cats.db");
    let ended = with_bucket(resume, &server).run().expect(0);
    assert!(!ended.to_string().contains("results.jsonl"), "{ended}");
    assert_eq!((service.charges(), server.objects().len()), (2, 2));
    assert!(!fs::exists(service.folder().join("results.jsonl")).unwrap());
}

#[test]
fn bucket_needs_a_ledger_elsewhere() {
    let service = Service::quick();
    write_many(&service, 1);
    for (out, text) in [
        (OUT, "name the ledger with --db"),
        ("s3://", "s3://bucket/"),
        ("s3://me:pass@clips/for --db cats.db", "s3://bucket/"),
        ("https://clips.example/for --db cats.db", "s3://bucket/"),
    ] {
        let line = format!("batch run clips.jsonl --yes --out {out}");
        let ended = service.program(&line).run().expect(2);
        assert!(ended.stderr.contains(text), "{out}: {ended}");
    }
    assert_eq!(service.charges(), 0);
}
