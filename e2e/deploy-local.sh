#!/usr/bin/env bash
# The whole stack on this machine: builds the functions, deploys the template to an emulator of AWS, and prints the
# address to open in a browser. Ctrl-C ends it. Needs the Rust toolchain and Python 3; installs the rest under target/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source .ci/functions.sh

step 'tools' install_stack_tools
step 'functions' build_functions
exec python3 e2e/deploy_local.py
