//! Rows in a ledger.

use kling_omni_batch::manifest::ManifestOptions;
use kling_omni_batch::{BatchError, Batches};

use super::Files;

#[tokio::test]
async fn a_reordered_manifest_adds_no_items() {
    let files = Files::new()
        .with("stage.png", "")
        .with("a.csv", "prompt,image_url\na,stage.png\nb,\nc,\n")
        .with("b.csv", "image_url,prompt\n,c\n,d\nstage.png,a\n,b\n")
        .with("c.csv", "prompt,duration\ne,\nf,99\n");
    let batches = Batches::open(files.path("batch.db")).await.unwrap();
    let import = async |name: &str, options| {
        let items = files.open(name, options).items(files.path("out")).unwrap();
        batches.import("clips", items).await
    };
    let imported = import("a.csv", ManifestOptions::new()).await.unwrap();
    assert_eq!((imported.added, imported.unchanged), (3, 0));
    let imported = import("b.csv", ManifestOptions::new()).await.unwrap();
    assert_eq!((imported.added, imported.unchanged), (1, 3));
    // Another default is another request for an item that may be paid.
    let options = ManifestOptions::new().set("duration", "7").unwrap();
    let error = import("b.csv", options).await.unwrap_err();
    assert!(matches!(error, BatchError::Changed { .. }), "{error}");
    // An error in a row ends the import, and nothing of it is kept.
    let error = import("c.csv", ManifestOptions::new()).await.unwrap_err();
    assert!(matches!(error, BatchError::Row(_)), "{error}");
    let imported = import("b.csv", ManifestOptions::new()).await.unwrap();
    assert_eq!((imported.added, imported.unchanged), (0, 4));
}
