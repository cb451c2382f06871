mod accepted;
mod compare;
mod program;
mod source;

mod server;
