# What an operator does to a stack.
import 'ops/operate.just'

set positional-arguments

# Lists the recipes.
default:
    @just --list

# Runs the product on this machine and prints the address to open.
sandbox *ARGS:
    cargo run -p sandbox -- {{ ARGS }}

# Hands one event file to its function in the sandbox: `just invoke events/callback.json`.
invoke EVENT:
    cargo run -p sandbox -- invoke {{ EVENT }}

# Runs the tests; arguments go to cargo test.
test *ARGS:
    cargo test --workspace --locked {{ ARGS }}

# Runs the gate: everything that must hold before a change lands.
check:
    bash .ci/run

# Locks the gate's Python tools anew after a change in .ci/requirements; `just lock --upgrade` takes the newest. Needs uv.
lock *ARGS:
    cd .ci/requirements && for name in tools scanner emulator; do \
        uv pip compile --quiet --universal --python-version 3.11 --generate-hashes {{ ARGS }} \
            --output-file $name.txt $name.in || exit; \
    done

# Builds what is deployed, for example `just build --config-env local`.
build *ARGS:
    sam build {{ ARGS }}

# Builds and deploys to AWS what samconfig.toml says.
deploy *ARGS: build
    @python3 ops/stack.py deploy {{ ARGS }}

# Deploys to an emulator of AWS on this machine and prints the address to open; Ctrl-C ends it.
deploy-local:
    bash e2e/deploy-local.sh
