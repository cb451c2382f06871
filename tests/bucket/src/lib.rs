//! An S3 server in the process of a test: signatures and protocol by `s3s`, objects on disk by `s3s-fs`.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hyper_util::rt::TokioIo;
use kling_omni::upload::object_store::RetryConfig;
use kling_omni::upload::object_store::aws::AmazonS3Builder;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, ContentType, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, GetObjectInput, GetObjectOutput, HeadObjectInput,
    HeadObjectOutput, PutObjectInput, PutObjectOutput, UploadPartInput, UploadPartOutput,
};
use s3s::service::S3ServiceBuilder;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tempfile::TempDir;

/// The name of the only bucket.
pub const BUCKET: &str = "clips";
/// The id of the valid key.
pub const KEY_ID: &str = "AKIDcanaryinacoalmine";
/// The secret of the valid key.
pub const SECRET: &str = "SECRETcanaryinacoalmine";

/// A bucket of a server on loopback.
#[derive(Debug)]
pub struct Server {
    /// The URL of the server.
    pub endpoint: String,
    folder: TempDir,
    told: Arc<Mutex<ServerState>>,
}

/// The operations of the server, and those to refuse.
#[derive(Debug, Default)]
struct ServerState {
    operations: Vec<String>,
    refused: Option<&'static str>,
    /// The operation that fails, and how often it still does.
    failing: Option<(&'static str, u32)>,
}

impl Server {
    /// Starts a server with an empty bucket.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let told = Arc::new(Mutex::new(ServerState::default()));
        let mut service = S3ServiceBuilder::new(Objects {
            files: FileSystem::new(folder.path()).unwrap(),
            kinds: Mutex::default(),
        });
        service.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
        service.set_access(AccessControl(Arc::clone(&told)));
        let service = service.build().into_shared();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(connection), service.clone());
                tokio::spawn(connection);
            }
        });
        Self {
            endpoint,
            folder,
            told,
        }
    }

    /// Settings with valid credentials.
    pub fn settings(&self) -> AmazonS3Builder {
        AmazonS3Builder::new()
            .with_endpoint(&self.endpoint)
            .with_allow_http(true)
            .with_bucket_name(BUCKET)
            .with_access_key_id(KEY_ID)
            .with_secret_access_key(SECRET)
            .with_retry(RetryConfig {
                max_retries: 0,
                ..RetryConfig::default()
            })
    }

    /// Refuses operations of this name from now on.
    pub fn refuse(&self, operation: &'static str) {
        self.told.lock().unwrap().refused = Some(operation);
    }

    /// Refuses nothing any more.
    pub fn accept(&self) {
        self.told.lock().unwrap().refused = None;
    }

    /// Has the next operations of this name fail with an internal error, so many times.
    pub fn fail(&self, operation: &'static str, times: u32) {
        self.told.lock().unwrap().failing = Some((operation, times));
    }

    /// The operations since the last call.
    pub fn operations(&self) -> Vec<String> {
        std::mem::take(&mut self.told.lock().unwrap().operations)
    }

    /// Waits until an operation of this name was requested.
    pub async fn performed(&self, operation: &str) {
        while !self
            .told
            .lock()
            .unwrap()
            .operations
            .iter()
            .any(|one| one == operation)
        {
            tokio::task::yield_now().await;
        }
    }

    /// Truncates an object, as if a part was lost.
    pub fn cut(&self, name: &str, length: u64) {
        let path = self.folder.path().join(BUCKET).join(name);
        let object = fs::File::options().write(true).open(path).unwrap();
        object.set_len(length).unwrap();
    }

    /// Adds an object without metadata.
    pub fn put(&self, name: &str, content: &[u8]) {
        let path = self.folder.path().join(BUCKET).join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// All objects, by their names.
    pub fn objects(&self) -> Vec<(String, Vec<u8>)> {
        let bucket = self.folder.path().join(BUCKET);
        let mut folders = vec![bucket.clone()];
        let mut objects = Vec::new();
        while let Some(folder) = folders.pop() {
            for path in list(folder) {
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(&bucket).unwrap().to_str().unwrap();
                    objects.push((name.to_owned(), fs::read(&path).unwrap()));
                }
            }
        }
        objects.sort();
        objects
    }

    /// The parts of incomplete uploads.
    pub fn parts(&self) -> Vec<PathBuf> {
        let mut parts = list(self.folder.path().to_owned());
        parts.retain(|path| path.to_string_lossy().contains(".part-"));
        parts
    }
}

fn list(folder: PathBuf) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Accepts signed requests, and records their operations.
struct AccessControl(Arc<Mutex<ServerState>>);

#[async_trait]
impl S3Access for AccessControl {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let mut told = self.0.lock().unwrap();
        let operation = context.s3_op().name();
        told.operations.push(operation.to_owned());
        if context.credentials().is_none() || told.refused == Some(operation) {
            return Err(s3_error!(AccessDenied, "Access Denied"));
        }
        // `s3s-fs` begins an upload to a bucket that does not exist.
        if context
            .s3_path()
            .get_bucket_name()
            .is_some_and(|name| name != BUCKET)
        {
            return Err(s3_error!(NoSuchBucket, "No such bucket"));
        }
        if let Some((failing, times)) = &mut told.failing
            && *failing == operation
            && *times > 0
        {
            *times -= 1;
            return Err(s3_error!(InternalError, "Internal Error"));
        }
        Ok(())
    }
}

/// Objects on disk, with their content types, which `s3s-fs` does not keep.
struct Objects {
    files: FileSystem,
    kinds: Mutex<HashMap<String, ContentType>>,
}

impl Objects {
    fn set_content_type(&self, key: &str, kind: Option<ContentType>) {
        if let Some(kind) = kind {
            self.kinds.lock().unwrap().insert(key.to_owned(), kind);
        }
    }

    fn kind(&self, key: &str) -> Option<ContentType> {
        self.kinds.lock().unwrap().get(key).cloned()
    }
}

type OperationResult<T> = S3Result<S3Response<T>>;

#[async_trait]
impl S3 for Objects {
    async fn put_object(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> OperationResult<PutObjectOutput> {
        self.set_content_type(&request.input.key, request.input.content_type.clone());
        self.files.put_object(request).await
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> OperationResult<CreateMultipartUploadOutput> {
        self.set_content_type(&request.input.key, request.input.content_type.clone());
        self.files.create_multipart_upload(request).await
    }

    async fn upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> OperationResult<UploadPartOutput> {
        self.files.upload_part(request).await
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> OperationResult<CompleteMultipartUploadOutput> {
        self.files.complete_multipart_upload(request).await
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> OperationResult<AbortMultipartUploadOutput> {
        self.files.abort_multipart_upload(request).await
    }

    async fn get_object(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> OperationResult<GetObjectOutput> {
        let kind = self.kind(&request.input.key);
        let mut answer = self.files.get_object(request).await?;
        answer.output.content_type = kind;
        Ok(answer)
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> OperationResult<HeadObjectOutput> {
        let kind = self.kind(&request.input.key);
        let mut answer = self.files.head_object(request).await?;
        answer.output.content_type = kind;
        Ok(answer)
    }
}
