mod accepted;
mod compare;
mod source;

mod server;
