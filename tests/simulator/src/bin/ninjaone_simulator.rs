//! A simulated NinjaOne tenant in a process of its own.

use std::io;

#[tokio::main]
async fn main() -> io::Result<()> {
    ninjaone_simulator::program::serve(std::env::args_os()).await
}
